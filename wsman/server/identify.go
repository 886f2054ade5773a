package server

import (
	"context"

	"twinlun/wsman"
	"twinlun/wsman/soap"
)

// stack is the version of the protocol's implementation that clients look for in
// ProductVersion, to tell WinRM 2.0 and later from what was before.
const stack = "OS: 0.0.0 SP: 0.0 Stack: 3.0"

// isIdentify finds an Identify request, which has no headers (DSP0226 section 11).
func isIdentify(m *soap.Message) bool {
	return m.Body != nil && soap.Is(m.Body, wsman.NSIdentity, "Identify")
}

// handleIdentify says what service this is. Those who did not say who they are
// learn the least that is of use.
func (s *Server) handleIdentify(_ context.Context, rq *request) (*answer, error) {
	version := stack
	if known := rq.who.Name != ""; known && s.config.Product.Version != "" {
		version += " " + s.config.Product.Vendor + ": " + s.config.Product.Version
	}
	return &answer{whole: func(w *soap.Writer) { writeIdentity(w, s.config.Product.Vendor, version) }}, nil
}

func writeIdentity(w *soap.Writer, vendor, version string) {
	w.Start("s", "Envelope")
	w.Namespace("s", wsman.NSSOAP)
	w.Namespace("wsmid", wsman.NSIdentity)
	w.Element("s", "Header", "")
	w.Start("s", "Body")
	w.Start("wsmid", "IdentifyResponse")
	w.Element("wsmid", "ProtocolVersion", wsman.ProtocolURI)
	w.Element("wsmid", "ProductVendor", vendor)
	w.Element("wsmid", "ProductVersion", version)
	w.Start("b", "Capability_FaultIncludesCIMError") // DSP0227 section 13
	w.Namespace("b", wsman.NSBinding)
	w.End()
	w.End()
	w.End()
	w.End()
}
