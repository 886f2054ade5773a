package server

import (
	"context"
	"fmt"
	"strings"

	"twinlun/cim"
	"twinlun/wsman"
	"twinlun/wsman/soap"
	"twinlun/wsman/wscim"
	"twinlun/wsman/xpath"
)

// xpathFilter reads a filter that is an XPath expression (DSP0226 section 8.3 and
// annex D): it is evaluated on each instance as it would be sent, whatever the
// enumeration mode.
func (s *Server) xpathFilter(ctx context.Context, rq *request, en *enumeration) (*search, error) {
	text, err := filterText(en.filter)
	if err != nil {
		return nil, err
	}
	if _, err := s.filteredClass(rq); err != nil {
		return nil, err
	}
	expr, err := xpath.Parse(text, bindings(en.filter))
	if err != nil {
		return nil, wsman.CannotProcessFilter("the XPath expression: %s", err)
	}
	found, err := s.wholeClass(ctx, rq, en)
	if err != nil {
		return nil, err
	}
	found.count = nil
	found.match = matchXML(expr, rq.resource.Prefix)
	return found, nil
}

// bindings is what prefixes are bound to at an element.
func bindings(e *soap.Element) func(prefix string) (uri string, ok bool) {
	bound := map[string]string{}
	for ; e != nil; e = e.Parent() {
		for _, a := range e.Attr {
			if _, inner := bound[a.Key]; a.Space == "xmlns" && !inner {
				bound[strings.Clone(a.Key)] = strings.Clone(a.Value)
			}
		}
	}
	return func(prefix string) (string, bool) {
		uri, ok := bound[prefix]
		return uri, ok
	}
}

// maxInstance bounds an instance as XML: it is our own, so this is not reached.
const maxInstance = 64 << 20

// matchXML says whether an expression selects anything of an instance. It is for
// one goroutine.
func matchXML(expr *xpath.Expr, prefix string) func(*cim.Instance) (bool, error) {
	var w soap.Writer
	limits := soap.Limits{Bytes: maxInstance, TextLen: maxInstance, Elements: maxInstance}
	return func(in *cim.Instance) (bool, error) {
		w.Reset()
		wscim.WriteInstance(&w, prefix, in, wscim.InstanceOptions{Standalone: true})
		root, err := soap.Parse(w.Bytes(), limits)
		if err != nil {
			return false, fmt.Errorf("an instance for the XPath filter: %v", err)
		}
		return expr.Match(root), nil
	}
}
