package soap

import (
	"cmp"
	"strconv"

	"twinlun/wsman"
)

// faultPrefix is the prefix that the envelope declares for the namespace of a
// subcode, empty if it declares none.
func faultPrefix(ns string) string {
	switch ns {
	case wsman.NSAddressing, wsman.NSAddressing10:
		return "a"
	case wsman.NSEnumeration:
		return "n"
	case wsman.NSTransfer:
		return "x"
	case wsman.NSBinding:
		return "b"
	case wsman.NSWSMan:
		return "w"
	default:
		return ""
	}
}

// WriteFault writes a whole fault message. The Action is the fault's; h.Action is
// not used. The detail has the URI of DSP0226, the CIM error of DSP0227 section 13
// and the number that Windows clients look for. machine names this host to them.
func WriteFault(w *Writer, h ResponseHeader, f *wsman.Fault, machine string) {
	f = f.InAddressing(h.Addressing)
	h.Action = f.Action
	if h.Action == "" {
		h.Action = wsman.ActionFaultWSMan
	}
	extra := h.Extra
	h.Extra = func(w *Writer) {
		writeNotUnderstood(w, f.NotUnderstood)
		writeUpgrade(w, f)
		if extra != nil {
			extra(w)
		}
	}
	WriteEnvelope(w, h, func(w *Writer) {
		w.Start("s", "Fault")
		writeFaultCode(w, f)
		w.Start("s", "Reason")
		w.Start("s", "Text")
		w.Attr("xml", "lang", "en-US")
		w.Text(f.Error())
		w.End()
		w.End()
		writeFaultDetail(w, f, machine)
		w.End()
	})
}

// writeNotUnderstood names the headers of a MustUnderstand fault (SOAP 1.2 part 1
// section 5.4.8).
func writeNotUnderstood(w *Writer, names []wsman.QName) {
	for _, n := range names {
		w.Start("s", "NotUnderstood")
		if n.Space == "" {
			w.Attr("", "qname", n.Local)
		} else {
			w.Attr("", "qname", "q:"+n.Local)
			w.Namespace("q", n.Space)
		}
		w.End()
	}
}

// writeUpgrade says which version of SOAP to use instead (SOAP 1.2 part 1 section
// 5.4.7).
func writeUpgrade(w *Writer, f *wsman.Fault) {
	if f.Code != wsman.VersionMismatch {
		return
	}
	w.Start("s", "Upgrade")
	w.Start("s", "SupportedEnvelope")
	w.Attr("", "qname", "s:Envelope")
	w.End()
	w.End()
}

func writeFaultCode(w *Writer, f *wsman.Fault) {
	w.Start("s", "Code")
	w.Element("s", "Value", "s:"+string(f.Code))
	if f.Subcode.Local != "" {
		w.Start("s", "Subcode")
		w.Start("s", "Value")
		prefix := faultPrefix(f.Subcode.Space)
		if prefix == "" {
			prefix = "e"
			w.Namespace(prefix, f.Subcode.Space)
		}
		w.Text(prefix + ":" + f.Subcode.Local)
		w.End()
		w.End()
	}
	w.End()
}

func writeFaultDetail(w *Writer, f *wsman.Fault, machine string) {
	if f.Detail == "" && f.CIM == nil && f.WSManCode == 0 && len(f.Supported) == 0 {
		return
	}
	w.Start("s", "Detail")
	writeDialects(w, f)
	if f.Detail != "" {
		w.Element("w", "FaultDetail", f.Detail)
	}
	if f.CIM != nil {
		writeCIMError(w, f)
	}
	if f.WSManCode != 0 {
		w.Start("f", "WSManFault")
		w.Namespace("f", wsman.NSWSManFault)
		w.Attr("", "Code", strconv.FormatUint(uint64(f.WSManCode), 10))
		w.Attr("", "Machine", machine)
		w.Element("f", "Message", f.Error())
		w.End()
	}
	w.End()
}

// writeDialects lists the filter dialects that are served, in the namespace of the
// subcode (WS-Enumeration section 4.4).
func writeDialects(w *Writer, f *wsman.Fault) {
	prefix := faultPrefix(f.Subcode.Space)
	for _, uri := range f.Supported {
		w.Start(cmp.Or(prefix, "e"), "SupportedDialect")
		if prefix == "" {
			w.Namespace("e", f.Subcode.Space)
		}
		w.Text(uri)
		w.End()
	}
}

// writeCIMError writes the CIM_Error of a failed operation.
func writeCIMError(w *Writer, f *wsman.Fault) {
	status := uint64(f.CIM.Status)
	w.Start("p", "CIM_Error")
	w.Namespace("p", wsman.NSCIMError)
	w.Attr("b", "IsCIM_Error", "true")
	w.Attr("xsi", "type", "p:CIM_Error_Type")
	typed(w, "CIMStatusCode", "cimUnsignedInt", strconv.FormatUint(status, 10))
	typed(w, "CIMStatusCodeDescription", "cimString", f.CIM.Status.String())
	typed(w, "ErrorSource", "cimString", "")
	typed(w, "ErrorType", "cimUnsignedShort", "0")
	typed(w, "Message", "cimString", f.CIM.Msg)
	typed(w, "MessageID", "cimString", "DSP0200:"+strconv.FormatUint(status, 10))
	typed(w, "OwningEntity", "cimString", "DMTF")
	typed(w, "PerceivedSeverity", "cimUnsignedShort", "0")
	typed(w, "ProbableCause", "cimUnsignedShort", "0")
	w.End()
}

// typed writes a property of the CIM error with its type, which clients need that
// do not ask for the class.
func typed(w *Writer, local, kind, text string) {
	w.Start("p", local)
	w.Attr("xsi", "type", "cim:"+kind)
	if text == "" {
		w.Attr("xsi", "nil", "true")
	} else {
		w.Text(text)
	}
	w.End()
}
