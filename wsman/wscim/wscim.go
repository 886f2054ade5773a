// Package wscim turns CIM values into the XML of WS-Management and back: DSP0230
// for instances and methods, DSP0201 for classes. It reads what the clients of
// several vendors write, and writes what all of them understand.
package wscim

import (
	"twinlun/cim"
	"twinlun/wsman"
	"twinlun/wsman/soap"
)

// Env is what the readers need to know beside the XML.
type Env struct {
	// Class finds a class by name, regardless of case; nil if there is none.
	Class func(name string) *cim.Class
	// Namespace is that of references that do not tell theirs.
	Namespace string
	// Limits are for XML that comes as escaped text. The zero value is that of
	// soap.DefaultLimits.
	Limits soap.Limits
}

// ArgError is the cause (errors.As) of a fault for one argument.
type ArgError struct {
	Param *cim.Parameter
	Err   error
}

// InstanceOptions say how WriteInstance writes.
type InstanceOptions struct {
	// Standalone declares xsi and cim on the instance, so that a client can cut it
	// out of the message. Without it they must be declared around.
	Standalone bool
}

// ClassOptions say what WriteClass leaves in.
type ClassOptions struct {
	Qualifiers  bool // QUALIFIER elements
	ClassOrigin bool // CLASSORIGIN attributes
	Inherited   bool // members that superclasses declare
	Hierarchy   bool // SUPERCLASS and DERIVATION
}

// DecodeArgs reads the arguments of a method call.
func DecodeArgs(input *soap.Element, m *cim.Method, env Env) (cim.Args, error) {
	return nil, wsman.UnsupportedFeature("", "not yet")
}

// DecodeOutput reads the answer to a method call.
func DecodeOutput(output *soap.Element, m *cim.Method, env Env) (*cim.Reply, error) {
	return nil, wsman.UnsupportedFeature("", "not yet")
}

// DecodeInstance reads an instance of a class.
func DecodeInstance(e *soap.Element, c *cim.Class, env Env) (*cim.Instance, error) {
	return nil, wsman.UnsupportedFeature("", "not yet")
}

// WriteOutput writes the answer to a method call of the class with that URI.
func WriteOutput(w *soap.Writer, classURI string, m *cim.Method, r *cim.Reply) {}

// WriteInput writes the arguments of a method call to the class with that URI.
func WriteInput(w *soap.Writer, classURI string, m *cim.Method, in cim.Args) {}

// WriteInstance writes an instance under a prefix of resource URIs (see wsman.Resource).
func WriteInstance(w *soap.Writer, prefix string, in *cim.Instance, o InstanceOptions) {}

// WriteClass writes a class as CIM-XML.
func WriteClass(w *soap.Writer, c *cim.Class, o ClassOptions) {}

// ReadClass reads a class in CIM-XML.
func ReadClass(e *soap.Element) (*cim.Class, error) {
	return nil, wsman.UnsupportedFeature("", "not yet")
}

// PathToEPR is a path as an endpoint reference under a prefix of resource URIs.
func PathToEPR(p *cim.Path, prefix string) wsman.EPR { return wsman.EPR{} }

// EPRToPath is the path that an endpoint reference names, with the keys typed by
// the class.
func EPRToPath(e wsman.EPR, env Env) (*cim.Path, error) {
	return nil, wsman.UnsupportedFeature("", "not yet")
}

// SelectorsToPath is EPRToPath for a request: its resource and selectors.
func SelectorsToPath(r wsman.Resource, set []wsman.Selector, env Env) (*cim.Path, error) {
	return nil, wsman.UnsupportedFeature("", "not yet")
}

// WriteReason writes the header that says why a method did not succeed.
func WriteReason(w *soap.Writer, reason string) {}
