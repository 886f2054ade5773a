package soap

import (
	"strconv"
	"strings"

	"twinlun/cim"
	"twinlun/wsman"
)

// ReadFault reads a s:Fault. What a server leaves out is empty. The CIM error is
// taken from DSP0227's CIM_Error or from what other servers put in its place.
func ReadFault(e *Element) *wsman.Fault {
	code := Child(e, wsman.NSSOAP, "Code")
	f := &wsman.Fault{
		Code:   wsman.Code(readQName(Child(code, wsman.NSSOAP, "Value")).Local),
		Reason: Text(Child(Child(e, wsman.NSSOAP, "Reason"), wsman.NSSOAP, "Text")),
	}
	f.Subcode = readQName(Child(Child(code, wsman.NSSOAP, "Subcode"), wsman.NSSOAP, "Value"))
	for d := range Children(Child(e, wsman.NSSOAP, "Detail")) {
		readDetail(f, d)
	}
	if f.Reason == "" && f.CIM != nil {
		f.Reason = f.CIM.Msg
	}
	return f
}

// readDetail takes one entry of a fault's detail.
func readDetail(f *wsman.Fault, e *Element) {
	marked, _ := Attr(e, wsman.NSBinding, "IsCIM_Error")
	switch {
	case Is(e, wsman.NSWSMan, "FaultDetail"):
		f.Detail = Text(e)
	case Is(e, wsman.NSWSManFault, "WSManFault"):
		v, _ := Attr(e, "", "Code")
		n, _ := strconv.ParseUint(v, 10, 32)
		f.WSManCode = uint32(n)
		if f.Reason == "" {
			f.Reason = ChildText(e, wsman.NSWSManFault, "Message")
		}
	case truth(marked) || e.Tag == "CIM_Error":
		n, err := strconv.ParseUint(ChildText(e, "", "CIMStatusCode"), 10, 32)
		if err == nil && n > 0 {
			f.CIM = &cim.Error{Status: cim.Status(n), Msg: ChildText(e, "", "Message")}
		}
	}
}

// readQName resolves a qualified name in the text of an element.
func readQName(e *Element) wsman.QName {
	prefix, local, ok := strings.Cut(Text(e), ":")
	if !ok {
		return wsman.QName{Local: prefix}
	}
	for n := e; n != nil; n = n.Parent() {
		for _, a := range n.Attr {
			if a.Space == "xmlns" && a.Key == prefix {
				return wsman.QName{Space: a.Value, Local: local}
			}
		}
	}
	return wsman.QName{Local: local}
}
