package server

import (
	"context"
	"strings"

	"twinlun/wsman"
	"twinlun/wsman/soap"
	"twinlun/wsman/wscim"
)

// getClass answers with one class as CIM-XML, as Get-CimClass asks for it.
func (s *Server) getClass(rq *request) (*answer, error) {
	name := rq.className()
	if name == "" {
		return nil, wsman.InvalidSelectors(wsman.DetailInsufficientSelectors, "the selector %s is missing", wsman.SelectorClassName)
	}
	c, err := s.config.Broker.Class(rq.ns, name)
	if err != nil {
		return nil, err
	}
	return &answer{body: func(w *soap.Writer) error {
		wscim.WriteClass(w, c, rq.classOptions())
		return nil
	}}, nil
}

// enumerateClasses is the source of an enumeration of classes: all that derive
// from the one that is named, or simply all. They have no endpoint references and
// cannot be filtered.
func (s *Server) enumerateClasses(rq *request, en *enumeration) (*source, error) {
	switch {
	case en.filter != nil:
		return nil, wsman.CannotProcessFilter("classes cannot be filtered")
	case en.mode != "":
		return nil, wsman.UnsupportedFeature(wsman.DetailEnumerationMode, "classes have no endpoint references: %s is for instances", en.mode)
	case en.shapes():
		return nil, wsman.PolymorphismUnsupported("the polymorphism mode %s is for instances, not for classes", en.polymorphism)
	}
	classes, err := s.config.Broker.Classes(rq.ns, rq.className(), true)
	if err != nil {
		return nil, err
	}
	options := rq.classOptions()
	return &source{
		resource: rq.resource, ns: rq.ns,
		items: func(_ context.Context, yield func(item) error) error {
			for _, c := range classes {
				if err := yield(item{class: c}); err != nil {
					return err
				}
			}
			return nil
		},
		write: func(w *soap.Writer, it item) { wscim.WriteClass(w, it.class, options) },
		count: func(context.Context) (int, bool) { return len(classes), true },
	}, nil
}

// className is the class that a request for classes names, in a selector or in
// the URI.
func (rq *request) className() string {
	if sel, ok := wsman.FindSelector(rq.msg.Selectors, wsman.SelectorClassName); ok {
		return strings.TrimSpace(sel.Value)
	}
	return rq.resource.Class
}

// classOptions are what the client wants to see of a class. What it does not say
// is included.
func (rq *request) classOptions() wscim.ClassOptions {
	return wscim.ClassOptions{
		Qualifiers:  rq.wants(wsman.OptionQualifiers),
		ClassOrigin: rq.wants(wsman.OptionClassOrigin),
		Inherited:   rq.wants(wsman.OptionInherited),
		Hierarchy:   rq.wants(wsman.OptionHierarchy),
	}
}

func (rq *request) wants(option string) bool {
	o, ok := rq.msg.Option(option)
	return !ok || !strings.EqualFold(o.Value, "false") && o.Value != "0"
}

func isClassOption(name string) bool {
	name = name[strings.LastIndexByte(name, ':')+1:]
	for _, o := range []string{wsman.OptionQualifiers, wsman.OptionClassOrigin, wsman.OptionInherited, wsman.OptionHierarchy} {
		if strings.EqualFold(o, name) {
			return true
		}
	}
	return false
}
