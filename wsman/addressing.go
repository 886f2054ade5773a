package wsman

// The second version of WS-Addressing. A message that uses it is answered in it.
const (
	NSAddressing10          = "http://www.w3.org/2005/08/addressing"
	Anonymous10             = NSAddressing10 + "/anonymous"
	ActionFaultAddressing10 = NSAddressing10 + "/fault"
)

// IsAnonymous says whether an address, in either version of WS-Addressing, means
// the connection that the request came over.
func IsAnonymous(address string) bool { return address == Anonymous || address == Anonymous10 }

// AnonymousOf is the anonymous address of a version of WS-Addressing, which is
// given as its namespace; any other is the first one.
func AnonymousOf(version string) string {
	if version == NSAddressing10 {
		return Anonymous10
	}
	return Anonymous
}

// InAddressing is the fault as the given version of WS-Addressing has it: its
// namespace, action and names.
func (f *Fault) InAddressing(version string) *Fault {
	if version != NSAddressing10 || f.Action != ActionFaultAddressing {
		return f
	}
	c := *f
	c.Action = ActionFaultAddressing10
	if c.Subcode.Space != NSAddressing {
		return &c
	}
	c.Subcode.Space = NSAddressing10
	switch c.Subcode.Local {
	case "InvalidMessageInformationHeader":
		c.Subcode.Local = "InvalidAddressingHeader"
	case "MessageInformationHeaderRequired":
		c.Subcode.Local = "MessageAddressingHeaderRequired"
	}
	return &c
}
