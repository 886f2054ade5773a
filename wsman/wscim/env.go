// Package wscim turns CIM values into the XML of WS-Management and back: DSP0230
// for instances and methods, DSP0201 for classes. It reads what the clients of
// several vendors write, and writes what all of them understand.
package wscim

import (
	"fmt"
	"strings"

	"twinlun/cim"
	"twinlun/wsman/soap"
)

// Env is what the readers need to know beside the XML.
type Env struct {
	// Class finds a class by name, regardless of case; nil if there is none.
	Class func(name string) *cim.Class
	// Namespace is that of references that do not tell theirs.
	Namespace string
	// IgnoreUnknown passes over properties that a class does not have, as a client
	// must that is older than its server.
	IgnoreUnknown bool
	// Limits are for XML that comes as escaped text; see soap.Parse.
	Limits soap.Limits
}

// class finds a class; a missing one is an error for the client.
func (env Env) class(name string) (*cim.Class, error) {
	if env.Class != nil && name != "" {
		if c := env.Class(name); c != nil {
			return c, nil
		}
	}
	return nil, fmt.Errorf("there is no class %q", clip(name))
}

// decl is what a value is declared to be, whatever declares it.
type decl struct {
	name     string
	kind     cim.Type
	array    bool
	octets   bool   // OctetString: an array of uint8 that travels as base64
	refClass string // of a reference
	embedded string // class of an embedded instance, "*" for any
}

func ofProperty(p *cim.Property) decl {
	return decl{p.Name, p.Type, p.Array, isOctets(p.Type, p.Array, p.Qualifiers), p.RefClass, p.Embedded}
}

func ofParam(p *cim.Parameter) decl {
	return decl{p.Name, p.Type, p.Array, isOctets(p.Type, p.Array, p.Qualifiers), p.RefClass, p.Embedded}
}

func isOctets(t cim.Type, array bool, qs cim.Qualifiers) bool {
	return array && t == cim.Uint8 && qs.Flag("OctetString")
}

// prefixOf is the class URI without the class.
func prefixOf(classURI string) string {
	return classURI[:strings.LastIndexByte(classURI, '/')+1]
}

// clip bounds what is repeated to a client of its own words.
func clip(s string) string {
	const most = 100
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "..."
	}
	return s
}
