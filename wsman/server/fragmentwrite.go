package server

import (
	"context"
	"slices"

	"twinlun/cim"
	"twinlun/wsman"
	"twinlun/wsman/soap"
	"twinlun/wsman/wscim"
)

// putFragment replaces a property, or entries of an array (DSP0226 section 7.9). NULL
// in place of a property makes it NULL. The answer is the fragment as it is afterwards.
func (s *Server) putFragment(ctx context.Context, rq *request, f *fragment, in *cim.Instance) (*answer, error) {
	p, err := f.place(rq, in)
	if err != nil {
		return nil, err
	}
	if err := p.present(); err != nil {
		return nil, err
	}
	entries, err := s.readEntries(rq, p)
	if err != nil {
		return nil, err
	}
	v := entries.whole
	if !p.all {
		if v, err = p.replaced(entries.list); err != nil {
			return nil, err
		}
	}
	after, err := s.setProperty(ctx, in, p, v)
	if err != nil {
		return nil, err
	}
	return f.get(rq, after)
}

// createFragment gives a value to a property that has none, or puts entries into an
// array: before the one that the expression names, or at the end (DSP0226 section
// 7.11).
func (s *Server) createFragment(ctx context.Context, rq *request, f *fragment) (*answer, error) {
	in, err := s.present(ctx, rq)
	if err != nil {
		return nil, err
	}
	p, err := f.place(rq, in)
	if err != nil {
		return nil, err
	}
	entries, err := s.readEntries(rq, p)
	if err != nil {
		return nil, err
	}
	v := entries.whole
	if !wscim.IsWhole(p.property) {
		if v, err = p.inserted(entries.list); err != nil {
			return nil, err
		}
	} else if err := p.vacant(); err != nil {
		return nil, err
	}
	if _, err := s.setProperty(ctx, in, p, v); err != nil {
		return nil, err
	}
	a := writeCreated(rq, in.Path)
	a.header = f.echo
	return a, nil
}

// deleteFragment makes a property NULL, or takes entries out of an array (DSP0226
// section 7.10).
func (s *Server) deleteFragment(ctx context.Context, rq *request, f *fragment) (*answer, error) {
	in, err := s.present(ctx, rq)
	if err != nil {
		return nil, err
	}
	p, err := f.place(rq, in)
	if err != nil {
		return nil, err
	}
	if err := p.present(); err != nil {
		return nil, err
	}
	var v cim.Value
	if !p.all {
		v = p.without()
	}
	if _, err := s.setProperty(ctx, in, p, v); err != nil {
		return nil, err
	}
	return &answer{code: resultOK, header: f.echo}, nil
}

func (s *Server) setProperty(ctx context.Context, in *cim.Instance, p *place, v cim.Value) (*cim.Instance, error) {
	change := []cim.PropertyValue{{Name: p.property.Name, Value: v}}
	if err := checkKeys(change, in); err != nil {
		return nil, err
	}
	after, err := s.config.Broker.Modify(ctx, in.Path, change)
	if err != nil {
		return nil, representationFault(err)
	}
	return after, nil
}

// entries are what the body of a request holds for a property: as one value, and, of
// an array, entry by entry.
type entries struct {
	whole cim.Value
	list  []cim.Value
}

// readEntries reads w:XmlFragment: elements of the property or, where the expression
// asks for text, the text of one.
func (s *Server) readEntries(rq *request, p *place) (e entries, err error) {
	body := rq.msg.Body
	if err := wscim.CheckFragment(body); err != nil {
		return e, err
	}
	es := []*soap.Element{body}
	switch {
	case !p.text:
		if es, err = wscim.FragmentElements(body, p.property); err != nil {
			return e, err
		}
	case soap.FirstChild(body) != nil:
		return e, invalidFragment("the fragment holds elements where the text of %s is meant", p.property.Name)
	case p.all && len(p.list()) > 1 && !wscim.IsWhole(p.property):
		return e, invalidFragment("%s has several texts; a position is needed to tell which", p.property.Name)
	}
	if len(es) == 0 {
		return e, nil
	}
	env := s.env(rq)
	if e.whole, err = wscim.DecodeProperty(p.property, es, env); err != nil || wscim.IsWhole(p.property) {
		return e, err
	}
	if e.list, _ = e.whole.([]cim.Value); e.list == nil {
		e.list = []cim.Value{nil}
	}
	return e, nil
}

// replaced is the array with other entries in the place of those that are chosen.
func (p *place) replaced(with []cim.Value) (cim.Value, error) {
	if len(with) != len(p.at) {
		return nil, invalidFragment("the fragment holds %d entries of %s in place of %d", len(with), p.property.Name, len(p.at))
	}
	list := slices.Clone(p.list())
	for i, at := range p.at {
		list[at] = with[i]
	}
	return list, nil
}

// inserted is the array with more entries.
func (p *place) inserted(more []cim.Value) (cim.Value, error) {
	list := p.list()
	switch {
	case len(more) == 0:
		return nil, invalidFragment("the fragment holds no entry of %s", p.property.Name)
	case p.all || p.beyond == len(list)+1:
		return slices.Concat(list, more), nil
	case len(p.at) == 1:
		return slices.Insert(slices.Clone(list), p.at[0], more...), nil
	case p.beyond > 0:
		return nil, invalidFragment("%s has %d entries: position %d would leave a gap", p.property.Name, len(list), p.beyond)
	}
	return nil, invalidFragment("the expression selects several entries of %s", p.property.Name)
}

// without is the array without the entries that are chosen.
func (p *place) without() cim.Value {
	left := []cim.Value{}
	at := p.at
	for i, v := range p.list() {
		if len(at) > 0 && at[0] == i {
			at = at[1:]
			continue
		}
		left = append(left, v)
	}
	return left
}

// vacant fails where a property that is no array, or is one of octets, has a value.
func (p *place) vacant() error {
	switch {
	case p.beyond > 0:
		return invalidFragment("%s is not an array with a position %d", p.property.Name, p.beyond)
	case p.old != nil && len(p.list()) == 0 && p.property.Array, p.old == nil:
		return nil
	}
	return wsman.AlreadyExists("%s has a value already", p.property.Name)
}
