package wsman

import (
	"fmt"

	"twinlun/cim"
)

// Code is the SOAP 1.2 fault code: whose fault it is.
type Code string

// The fault codes, local names in NSSOAP.
const (
	Sender          Code = "Sender"
	Receiver        Code = "Receiver"
	MustUnderstand  Code = "MustUnderstand"
	VersionMismatch Code = "VersionMismatch"
)

// Fault is a SOAP fault of WS-Management (DSP0226 section 14). The constructors
// below make the known ones. What it says goes to the client, except Err.
type Fault struct {
	Code    Code
	Subcode QName  // zero for MustUnderstand and VersionMismatch
	Action  string // wsa:Action of the message that carries it
	Reason  string
	Detail  string // URI of w:FaultDetail, or empty
	// WSManCode is the number that Windows knows the fault by, or 0.
	WSManCode uint32
	// CIM is the CIM status and text of a failed CIM operation, or nil.
	CIM *cim.Error
	// NotUnderstood lists the headers of a MustUnderstand fault.
	NotUnderstood []QName
	// Supported lists the filter dialects that are served, where one that is not
	// was asked for.
	Supported []string
	Err       error // for the log only
}

// Error is the text for the client.
func (f *Fault) Error() string {
	if f.Reason == "" {
		return "wsman: " + f.Subcode.Local
	}
	return f.Reason
}

// Unwrap gives the causes to errors.Is and errors.As.
func (f *Fault) Unwrap() []error {
	var all []error
	if f.CIM != nil {
		all = append(all, f.CIM)
	}
	if f.Err != nil {
		all = append(all, f.Err)
	}
	return all
}

// With is a copy of the fault that knows its cause, for the log.
func (f *Fault) With(err error) *Fault {
	c := *f
	c.Err = err
	return &c
}

// WithCIM is a copy of the fault that carries a CIM error.
func (f *Fault) WithCIM(e *cim.Error) *Fault {
	c := *f
	c.CIM = e
	return &c
}

// row is one fault of the tables: everything but the words.
type row struct {
	code    Code
	space   string
	subcode string
	action  string
	detail  string
	number  uint32
}

// fault puts words to a row. The text is not a format where there are no args.
func (r row) fault(format string, args []any) *Fault {
	f := &Fault{
		Code: r.code, Subcode: QName{r.space, r.subcode}, Action: r.action,
		Reason: format, WSManCode: r.number,
	}
	if len(args) > 0 {
		f.Reason = fmt.Sprintf(format, args...)
	}
	if r.detail != "" {
		f.Detail = detailURI(r.detail)
	}
	return f
}

func detailURI(name string) string { return nsActionBase + "faultDetail/" + name }

func addressing(subcode, detail string, number uint32) row {
	return row{Sender, NSAddressing, subcode, ActionFaultAddressing, detail, number}
}

func management(subcode, detail string, number uint32) row {
	return row{Sender, NSWSMan, subcode, ActionFaultWSMan, detail, number}
}

func enumeration(subcode string, number uint32) row {
	return row{Sender, NSEnumeration, subcode, ActionFaultEnumeration, "", number}
}

func eventing(subcode, detail string, number uint32) row {
	return row{Sender, NSEventing, subcode, ActionFaultEventing, detail, number}
}

// receiver makes the fault the service's own.
func (r row) receiver() row {
	r.code = Receiver
	return r
}
