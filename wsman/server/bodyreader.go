package server

import (
	"strconv"
	"time"

	"twinlun/wsman"
	"twinlun/wsman/soap"
)

// bodyReader reads the children of a body, each of which may be there once. It
// keeps the first error, after which everything is absent.
type bodyReader struct {
	e   *soap.Element
	err error
}

// enumerationBody reads the body of a request of WS-Enumeration, which must have the name.
func enumerationBody(rq *request, name string) (*bodyReader, error) {
	if !soap.Is(rq.msg.Body, wsman.NSEnumeration, name) {
		return nil, wsman.SchemaValidationError("the body must be n:%s", name)
	}
	return &bodyReader{e: rq.msg.Body}, nil
}

func (r *bodyReader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = wsman.SchemaValidationError(format, args...)
	}
}

// child is the child with that name in one of the namespaces, nil if there is none.
func (r *bodyReader) child(local string, spaces ...string) *soap.Element {
	all := childrenNamed(r.e, local, spaces)
	if len(all) > 1 {
		r.fail("%s is there twice", local)
	}
	if len(all) == 0 || r.err != nil {
		return nil
	}
	return all[0]
}

func childrenNamed(e *soap.Element, local string, spaces []string) (all []*soap.Element) {
	for c := range soap.Children(e) {
		for _, ns := range spaces {
			if soap.Is(c, ns, local) {
				all = append(all, c)
				break
			}
		}
	}
	return all
}

// number is the number in a child, which is not zero; otherwise if it is absent.
func (r *bodyReader) number(otherwise int, local string, spaces ...string) int {
	e := r.child(local, spaces...)
	if e == nil {
		return otherwise
	}
	n, err := strconv.ParseUint(soap.Text(e), 10, 31)
	if err != nil || n == 0 {
		r.fail("%s is not a positive number", local)
	}
	return int(n)
}

// duration is the length of time in a child, which is not zero; 0 if it is absent.
func (r *bodyReader) duration(local string, spaces ...string) time.Duration {
	e := r.child(local, spaces...)
	if e == nil {
		return 0
	}
	d, ok := soap.ParseDuration(soap.Text(e))
	if !ok || d <= 0 {
		r.fail("%s is not a positive duration", local)
	}
	return d
}

// most is MaxElements, which is 1 if it is absent (DSP0226 section 8.2.3).
func (r *bodyReader) most() int {
	return r.number(1, "MaxElements", wsman.NSEnumeration, wsman.NSWSMan)
}

// expires is when the client wants an enumeration to end.
func (r *bodyReader) expires(now time.Time, most time.Duration) expiry {
	x, err := readExpires(r.child("Expires", wsman.NSEnumeration), now, most)
	if err != nil && r.err == nil {
		r.err = err
	}
	return x
}

// context is the enumeration that the body names.
func (r *bodyReader) context() string {
	return soap.Text(r.child("EnumerationContext", wsman.NSEnumeration))
}
