package server

import (
	"context"

	"twinlun/cim"
	"twinlun/wsman"
	"twinlun/wsman/soap"
	"twinlun/wsman/wscim"
)

// handleCreate makes an instance (DSP0226 section 7.6). The body is the instance; what
// is NULL in it counts as not given, for clients send all that they do not set as NULL.
// Keys may stand in the selectors too, as winrm puts them. The answer names the new
// instance.
func (s *Server) handleCreate(ctx context.Context, rq *request) (*answer, error) {
	f, err := readFragment(rq)
	if err != nil {
		return nil, err
	}
	if f != nil {
		return s.createFragment(ctx, rq, f)
	}
	class, given, err := s.readNew(rq)
	if err != nil {
		return nil, err
	}
	path, err := s.config.Broker.Create(ctx, rq.ns, class.Name, given)
	if err != nil {
		return nil, representationFault(err)
	}
	rq.objects = []string{path.String()}
	return writeCreated(rq, path), nil
}

func writeCreated(rq *request, path *cim.Path) *answer {
	return &answer{code: resultOK, path: path, body: func(w *soap.Writer) error {
		wscim.WriteResourceCreated(w, rq.resource.Prefix, path)
		return nil
	}}
}

// readNew reads the class and the properties of the instance that is to be made.
func (s *Server) readNew(rq *request) (*cim.Class, []cim.PropertyValue, error) {
	class, err := s.class(rq)
	if err != nil {
		return nil, nil, err
	}
	env := s.env(rq)
	body, err := wscim.RepresentationClass(rq.msg.Body, env)
	if err != nil {
		return nil, nil, err
	}
	if class, err = lower(class, body); err != nil {
		return nil, nil, err
	}
	given, err := wscim.DecodeRepresentation(rq.msg.Body, body, env)
	if err != nil {
		return nil, nil, err
	}
	given, err = withSelectors(rq, class, withoutNull(given), env)
	return class, given, err
}

// lower is the class of the two that derives from the other: the resource URI may name
// a base class of the body's, or the other way round.
func lower(resource, body *cim.Class) (*cim.Class, error) {
	switch {
	case body.IsA(resource.Name):
		return body, nil
	case resource.IsA(body.Name):
		return resource, nil
	}
	return nil, wsman.InvalidRepresentation(wsman.DetailInvalidNamespace, "the body is a %s, the resource a %s", body.Name, resource.Name)
}

func withoutNull(given []cim.PropertyValue) []cim.PropertyValue {
	kept := given[:0]
	for _, g := range given {
		if g.Value != nil {
			kept = append(kept, g)
		}
	}
	return kept
}

// withSelectors adds the keys that are in the selectors. One that is in the body too
// must be the same there.
func withSelectors(rq *request, class *cim.Class, given []cim.PropertyValue, env wscim.Env) ([]cim.PropertyValue, error) {
	keys, err := wscim.SelectorsToKeys(class, rq.msg.Selectors, env)
	if err != nil {
		return nil, err
	}
	have := make(map[string]cim.Value, len(given))
	for _, g := range given {
		have[g.Name] = g.Value
	}
	for _, k := range keys {
		v, ok := have[k.Name]
		switch {
		case !ok:
			given = append(given, cim.PropertyValue{Name: k.Name, Value: k.Value})
		case !cim.Equal(v, k.Value):
			return nil, wsman.InvalidSelectors(wsman.DetailInvalidValue, "the selector %s is not what the body has", k.Name)
		}
	}
	return given, nil
}
