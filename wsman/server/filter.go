package server

import (
	"context"
	"strings"

	"twinlun/cim"
	"twinlun/wsman"
	"twinlun/wsman/soap"
)

// dialect is one row of the table of filters: what the client's filter is read
// with.
type dialect struct {
	uri  string
	read func(s *Server, ctx context.Context, rq *request, en *enumeration) (*search, error)
}

// dialects lists the filters that are served. The first is that of filters that do
// not name theirs (DSP0226 section 8.3).
func dialects() []dialect {
	return []dialect{
		{wsman.DialectXPath, (*Server).xpathFilter},
		{wsman.DialectSelector, (*Server).selectorFilter},
		{wsman.DialectAssociation, (*Server).associationFilter},
		{wsman.DialectWQL, queryFilter(cim.LanguageWQL)},
		{wsman.DialectCQL, queryFilter(cim.LanguageCQL)},
	}
}

// dialectOf is the row for a filter. The fault lists all.
func dialectOf(filter *soap.Element) (dialect, error) {
	all := dialects()
	name, _ := soap.Attr(filter, "", "Dialect")
	if strings.TrimSpace(name) == "" {
		return all[0], nil
	}
	var known []string
	for _, d := range all {
		if wsman.SameDialect(name, d.uri) {
			return d, nil
		}
		known = append(known, d.uri)
	}
	f := wsman.FilterDialectUnavailable("the filter dialect %.200q is not served", strings.TrimSpace(name))
	f.Supported = known
	return dialect{}, f
}

// readFilter is the filter of an enumeration: w:Filter, or n:Filter as
// WS-Enumeration has it, but not both; nil if there is none.
func readFilter(enumerate *soap.Element) (*soap.Element, error) {
	switch all := childrenNamed(enumerate, "Filter", []string{wsman.NSWSMan, wsman.NSEnumeration}); len(all) {
	case 0:
		return nil, nil
	case 1:
		return all[0], nil
	}
	return nil, wsman.CannotProcessFilter("there is more than one filter")
}

// filterText is a filter that is text. It may be in several pieces, CDATA among
// them, but not around elements (DSP0226 section 8.2.1).
func filterText(filter *soap.Element) (string, error) {
	text := soap.Text(filter)
	switch {
	case soap.FirstChild(filter) != nil:
		return "", wsman.CannotProcessFilter("a filter of this dialect is text, without elements")
	case text == "":
		return "", wsman.CannotProcessFilter("the filter is empty")
	}
	return strings.Clone(text), nil
}

// filterElement is a filter that is one element.
func filterElement(filter *soap.Element) (*soap.Element, error) {
	var only *soap.Element
	n := 0
	for e := range soap.Children(filter) {
		only = e
		n++
	}
	if n != 1 || soap.Text(filter) != "" {
		return nil, wsman.CannotProcessFilter("a filter of this dialect is one element and nothing else")
	}
	return only, nil
}

// filteredClass is the class that a filter of its instances is about.
func (s *Server) filteredClass(rq *request) (*cim.Class, error) {
	if rq.resource.Kind == wsman.KindAll {
		return nil, wsman.CannotProcessFilter("a filter of this dialect needs the resource URI of a class")
	}
	return s.class(rq)
}

// cannotFilter is err as what is wrong with the filter.
func cannotFilter(what string, err error) error {
	f := faultOf(err)
	if f.Internal() {
		return f
	}
	g := wsman.CannotProcessFilter("%s: %s", what, f.Error()).With(f.Err)
	g.CIM = f.CIM
	return g
}
