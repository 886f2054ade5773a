package wsman

import (
	"net/url"
	"strings"

	"twinlun/cim"
)

// Kind says what a resource URI names.
type Kind uint8

// The kinds of resource URIs.
const (
	KindClass  Kind = iota + 1 // instances of one class
	KindAll                    // all classes: a filter says which
	KindSchema                 // classes themselves, as CIM-XML (GetClass)
)

// The paths of resource URIs, after the host.
const (
	pathClasses = "/wbem/wscim/1/cim-schema/2/"
	pathAll     = "/wbem/wscim/1/"
	pathWMI     = "/wbem/wsman/1/wmi/"
	pathSchema  = "/wbem/cim-xml/2/cim-schema/2/"
	pathWSCIM   = "/wbem/ws-cim/1/cim-schema/2/"
)

// ClassPrefix is what a class name is put behind to make its resource URI
// (DSP0230 section 6).
const ClassPrefix = "http://schemas.dmtf.org" + pathClasses

// The resource URIs that name no class.
const (
	AllClassesURI = "http://schemas.dmtf.org" + pathAll + "*"
	SchemaURI     = "http://schemas.dmtf.org" + pathSchema + "*"
)

// Resource is what a resource URI, or the action of a method call, names.
type Resource struct {
	Kind   Kind
	Class  string // empty for KindAll, and for KindSchema where a selector names it
	Method string // of an action, else empty
	// Namespace is canonical, and empty where the URI does not tell.
	Namespace string
	// Prefix is the URI up to the class name. Answers name classes with the
	// prefix that the request used.
	Prefix string
}

// URI is the resource URI of the class, in the request's own form.
func (r Resource) URI() string { return r.Prefix + r.Class }

// ParseResourceURI reads the resource URIs of DSP0227 section 7, with any host,
// and those of the WMI provider of Windows. A URI may end in
// "?__cimnamespace=NS". What it cannot read is an InvalidResourceURI fault.
func ParseResourceURI(uri string) (Resource, error) {
	base, query, hasQuery := strings.Cut(strings.TrimSpace(uri), "?")
	r, ok := parsePath(base)
	if strings.Contains(base, pathWSCIM) {
		return r, UnsupportedFeature("", "classes are not served in the WS-CIM form, only as CIM-XML")
	}
	if !ok || !validName(r.Class) && r.Class != "*" {
		return Resource{}, InvalidResourceURI("the resource URI %q is not one of this service", clip(uri))
	}
	if r.Class == "*" {
		r.Class = ""
	}
	if hasQuery && !r.readQuery(query) {
		return Resource{}, InvalidResourceURI("the query of the resource URI %q is not understood", clip(uri))
	}
	return r, nil
}

// ParseAction reads the action of a method call: the URI of the class, '/' and
// the method. ok is false where it is none.
func ParseAction(action string) (r Resource, ok bool) {
	base := strings.TrimSpace(action)
	i := strings.LastIndexByte(base, '/')
	if i < 0 || !validName(base[i+1:]) {
		return Resource{}, false
	}
	r, ok = parsePath(base[:i])
	if !ok || r.Kind != KindClass || !validName(r.Class) {
		return Resource{}, false
	}
	r.Method = base[i+1:]
	return r, true
}

// parsePath splits a URI into its form, namespace and class, which may be "*".
func parsePath(uri string) (Resource, bool) {
	i := strings.Index(uri, "/wbem/")
	if i <= 0 || !strings.Contains(uri[:i], "://") {
		return Resource{}, false
	}
	path := uri[i:]
	slash := strings.LastIndexByte(uri, '/') + 1
	r := Resource{Kind: KindClass, Class: uri[slash:], Prefix: uri[:slash]}
	if r.Class == "*" {
		r.Kind = KindAll
	}
	switch dir := path[:len(path)-len(r.Class)]; {
	case dir == pathClasses:
		return r, true
	case dir == pathAll:
		r.Prefix = uri[:i] + pathClasses
		return r, r.Kind == KindAll
	case dir == pathSchema:
		r.Kind = KindSchema
		return r, true
	case strings.HasPrefix(dir, pathWMI):
		r.Namespace = cim.CanonicalNamespace(dir[len(pathWMI):])
		return r, r.Namespace != ""
	}
	return Resource{}, false
}

// readQuery takes the namespace from the query of a URI; nothing else may be in it.
func (r *Resource) readQuery(query string) bool {
	name, value, ok := strings.Cut(query, "=")
	if !ok || !strings.EqualFold(name, SelectorNamespace) || strings.ContainsAny(value, "+&=") {
		return false
	}
	ns, err := url.QueryUnescape(value)
	if err != nil || ns == "" {
		return false
	}
	r.Namespace = cim.CanonicalNamespace(ns)
	return true
}

// ClassURI is the resource URI of a class of a namespace under a prefix, and says
// whether the URI tells the namespace, so that no selector has to.
func ClassURI(prefix, ns, class string) (uri string, hasNamespace bool) {
	i := strings.Index(prefix, pathWMI)
	if i < 0 {
		return prefix + class, false
	}
	if ns == "" {
		return prefix + class, true
	}
	return prefix[:i] + pathWMI + ns + "/" + class, true
}

// validName says whether s can be the name of a class or method.
func validName(s string) bool {
	if s == "" || len(s) > 256 {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		letter := c == '_' || 'a' <= c|0x20 && c|0x20 <= 'z' || c >= 0x80
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// clip bounds what is repeated to a client of its own words.
func clip(s string) string {
	const most = 200
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "..."
	}
	return s
}
