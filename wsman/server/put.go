package server

import (
	"context"
	"errors"
	"strings"

	"twinlun/cim"
	"twinlun/wsman"
	"twinlun/wsman/soap"
	"twinlun/wsman/wscim"
)

// resultOK is the result in the audit of what has no return value.
const resultOK = "ok"

// handlePut changes an instance (DSP0226 section 7.4). The body is the instance as Get
// shows it. A property that is not in it stays as it is, and so does one that has its
// value already, whether it can be written or not: a client may send back all that it
// got. With the options __MIInstanceModifiedPropertiesList only the properties that
// they name are looked at. The answer is the instance as it is afterwards.
func (s *Server) handlePut(ctx context.Context, rq *request) (*answer, error) {
	f, err := readFragment(rq)
	if err != nil {
		return nil, err
	}
	in, err := s.present(ctx, rq)
	if err != nil {
		return nil, err
	}
	if f != nil {
		return s.putFragment(ctx, rq, f, in)
	}
	changes, err := s.readChanges(rq, in)
	if err != nil {
		return nil, err
	}
	after, err := s.config.Broker.Modify(ctx, in.Path, changes)
	if err != nil {
		return nil, representationFault(err)
	}
	return s.writeRepresentation(rq, after), nil
}

// present is the instance that a request is about to change. A Put that does not say
// which one finds the only one there is.
func (s *Server) present(ctx context.Context, rq *request) (*cim.Instance, error) {
	path, _, err := s.target(rq)
	if err != nil {
		return nil, err
	}
	rq.objects = []string{path.String()}
	in, err := s.config.Broker.Get(ctx, path)
	if err != nil {
		return nil, selectorFault(err)
	}
	rq.objects = []string{in.Path.String()}
	return in, nil
}

// readChanges reads the body of a Put. Its class is that of the instance, or one above
// it; keys in it must be those of the instance.
func (s *Server) readChanges(rq *request, in *cim.Instance) ([]cim.PropertyValue, error) {
	env := s.env(rq)
	class, err := wscim.RepresentationClass(rq.msg.Body, env)
	if err != nil {
		return nil, err
	}
	if !in.Class.IsA(class.Name) {
		return nil, wsman.InvalidRepresentation(wsman.DetailInvalidNamespace, "the body is a %s, the instance is a %s", class.Name, in.Class.Name)
	}
	values, err := readValues(rq, class, env)
	if err != nil {
		return nil, err
	}
	return values, checkKeys(values, in)
}

// readValues reads what a Put wants to change, and the keys that it repeats.
func readValues(rq *request, class *cim.Class, env wscim.Env) ([]cim.PropertyValue, error) {
	names := rq.modified()
	if len(names) == 0 {
		return wscim.DecodeRepresentation(rq.msg.Body, class, env)
	}
	for e := range soap.Children(rq.msg.Body) {
		if p := class.Property(e.Tag); p != nil && p.Key {
			names = append(names, p.Name)
		}
	}
	return wscim.DecodeSome(rq.msg.Body, class, names, env)
}

// modified lists the properties that the client says it has modified.
func (rq *request) modified() []string {
	var names []string
	for _, o := range rq.msg.Options {
		if isOption(o.Name, wsman.OptionModified) && o.Value != "" {
			names = append(names, o.Value)
		}
	}
	return names
}

// isOption compares the name of an option; a prefix before ':' does not count.
func isOption(have, want string) bool {
	return strings.EqualFold(have[strings.LastIndexByte(have, ':')+1:], want)
}

// checkKeys refuses keys that are not those of the instance.
func checkKeys(values []cim.PropertyValue, in *cim.Instance) error {
	for _, v := range values {
		if p := in.Class.Property(v.Name); p.Key && !cim.Equal(v.Value, in.At(p.Index)) {
			return wsman.InvalidRepresentation(wsman.DetailInvalidValues,
				"property %s: it is a key, which cannot be changed, and not that of the instance", p.Name)
		}
	}
	return nil
}

// representationFault is err where an instance that a client sent is what can be wrong
// with it.
func representationFault(err error) error {
	e, ok := errors.AsType[*cim.Error](err)
	if !ok || e.Status != cim.StatusInvalidParameter {
		return err
	}
	return wsman.InvalidRepresentation(wsman.DetailInvalidValues, "%s", e.Msg).WithCIM(e).With(e.Err)
}
