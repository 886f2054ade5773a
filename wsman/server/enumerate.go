package server

import (
	"context"
	"strconv"

	"twinlun/cim"
	"twinlun/wsman"
	"twinlun/wsman/soap"
	"twinlun/wsman/wscim"
)

// enumeration is what n:Enumerate says (DSP0226 section 8, DSP0227 section 8).
type enumeration struct {
	optimize bool
	most     int    // items at once
	mode     string // EnumerationMode
	filter   *soap.Element
	// shallow leaves subclasses out; base shows their instances as the class
	// that was asked for.
	shallow, base bool
}

// handleEnumerate begins an enumeration and, if the client wants it so, sends the
// first batch in the same answer.
func (s *Server) handleEnumerate(ctx context.Context, rq *request) (*answer, error) {
	en, err := readEnumerate(rq.msg.Body)
	if err != nil {
		return nil, err
	}
	src, err := s.source(rq, en)
	if err != nil {
		return nil, err
	}
	id, err := s.newID()
	if err != nil {
		return nil, err
	}
	entry, err := s.contexts.add(newCursor(ctx, id, src), rq.who.Name, s.config.Time())
	if err != nil {
		return nil, err
	}
	b := &batch{cursor: entry.cursor, wrapper: "EnumerateResponse", prefix: "w", always: true}
	if en.optimize {
		b.most = en.most
	}
	return s.takeBatch(ctx, rq, entry, b)
}

func readEnumerate(e *soap.Element) (*enumeration, error) {
	if !soap.Is(e, wsman.NSEnumeration, "Enumerate") {
		return nil, wsman.SchemaValidationError("the body must be n:Enumerate")
	}
	en := &enumeration{
		optimize: soap.Child(e, wsman.NSWSMan, "OptimizeEnumeration") != nil,
		mode:     soap.ChildText(e, wsman.NSWSMan, "EnumerationMode"),
		filter:   soap.Child(e, wsman.NSWSMan, "Filter"),
	}
	if en.filter == nil {
		en.filter = soap.Child(e, wsman.NSEnumeration, "Filter")
	}
	if soap.Child(e, wsman.NSEnumeration, "EndTo") != nil {
		return nil, wsman.UnsupportedFeature(wsman.DetailAddressingMode, "EndTo is not served")
	}
	if err := en.readMode(soap.ChildText(e, wsman.NSBinding, "PolymorphismMode")); err != nil {
		return nil, err
	}
	var err error
	en.most, err = readMaxElements(e)
	return en, err
}

// readMode checks the enumeration mode and reads the polymorphism mode (DSP0227
// section 8.2).
func (en *enumeration) readMode(polymorphism string) error {
	switch en.mode {
	case "", wsman.ModeEPR, wsman.ModeObjectAndEPR:
	default:
		return wsman.UnsupportedFeature(wsman.DetailEnumerationMode, "the enumeration mode %.100q is not known", en.mode)
	}
	switch polymorphism {
	case "", "IncludeSubClassProperties":
	case "ExcludeSubClassProperties":
		en.base = true
	case "None":
		en.shallow = true
	default:
		return &wsman.Fault{
			Code: wsman.Sender, Subcode: wsman.QName{Space: wsman.NSBinding, Local: "PolymorphismModeNotSupported"},
			Action: wsman.ActionFaultWSMan, Reason: "the polymorphism mode is not known",
		}
	}
	return nil
}

// readMaxElements reads MaxElements, which is 1 if absent (DSP0226 section 8.5).
func readMaxElements(e *soap.Element) (int, error) {
	child := soap.Child(e, wsman.NSEnumeration, "MaxElements")
	if child == nil {
		child = soap.Child(e, wsman.NSWSMan, "MaxElements")
	}
	if child == nil {
		return 1, nil
	}
	n, err := strconv.ParseUint(soap.Text(child), 10, 31)
	if err != nil || n == 0 {
		return 0, wsman.SchemaValidationError("MaxElements is not a positive number")
	}
	return int(n), nil
}

// source finds out what is enumerated: instances, what is associated with one, or
// classes.
func (s *Server) source(rq *request, en *enumeration) (*source, error) {
	switch {
	case rq.resource.Kind == wsman.KindSchema:
		if en.filter != nil {
			return nil, wsman.CannotProcessFilter("classes cannot be filtered")
		}
		return s.enumerateClasses(rq)
	case en.filter != nil:
		return s.filtered(rq, en)
	case rq.resource.Kind == wsman.KindAll:
		return nil, wsman.CannotProcessFilter("the resource URI of all classes needs a filter")
	}
	class, err := s.class(rq)
	if err != nil {
		return nil, err
	}
	ns, options := rq.ns, cim.EnumerateOptions{Shallow: en.shallow}
	return instances(rq, en, class, func(ctx context.Context, yield cim.Yield) error {
		return s.config.Broker.Enumerate(ctx, ns, class.Name, options, yield)
	}), nil
}

// instances is the source of the instances that run yields, in the mode that the
// client wants. class is that of the request, or nil.
func instances(rq *request, en *enumeration, class *cim.Class, run func(context.Context, cim.Yield) error) *source {
	return &source{
		items: func(ctx context.Context, yield func(item) error) error {
			return run(ctx, func(in *cim.Instance) error {
				if en.base && class != nil {
					in = asBase(in, class)
				}
				return yield(item{instance: in})
			})
		},
		write: itemWriter(en.mode, rq.resource.Prefix),
	}
}

// asBase is an instance as one of a superclass. Values fit: a subclass may only
// narrow what it overrides.
func asBase(in *cim.Instance, base *cim.Class) *cim.Instance {
	if in.Class == base {
		return in
	}
	out := cim.NewInstance(base)
	out.Path = in.Path
	for _, p := range base.Properties {
		if err := out.Set(p.Name, in.Get(p.Name)); err != nil {
			continue // NULL, where it does not fit after all
		}
	}
	return out
}

// itemWriter writes instances, their endpoint references, or both.
func itemWriter(mode, prefix string) func(*soap.Writer, item) {
	switch mode {
	case wsman.ModeEPR:
		return func(w *soap.Writer, it item) { soap.WriteEPR(w, wscim.PathToEPR(it.instance.Path, prefix)) }
	case wsman.ModeObjectAndEPR:
		return func(w *soap.Writer, it item) {
			w.Start("w", "Item")
			wscim.WriteInstance(w, prefix, it.instance, wscim.InstanceOptions{})
			soap.WriteEPR(w, wscim.PathToEPR(it.instance.Path, prefix))
			w.End()
		}
	}
	return func(w *soap.Writer, it item) { wscim.WriteInstance(w, prefix, it.instance, wscim.InstanceOptions{}) }
}

// takeBatch makes the answer that sends a batch. The enumeration, in use by the
// caller, is given back when the answer is written or fails, and before it is
// sent: the client may ask for more as soon as it has it.
func (s *Server) takeBatch(ctx context.Context, rq *request, e *contextEntry, b *batch) (a *answer, err error) {
	giveBack := func() { s.contexts.put(e, b.keep, s.config.Time()) }
	defer func() {
		if a == nil {
			giveBack()
		}
	}()
	b.most = min(b.most, s.config.Limits.Batch)
	b.room = s.config.Limits.Answer
	if limit := rq.maxAnswer(); limit > 0 {
		b.room = int(min(limit, int64(s.config.Limits.Body)))
	}
	// One more than is sent, to know whether it is the last; and at least one, so
	// that what is wrong with the request shows at once.
	if err := e.cursor.fill(ctx, b.most+1); err != nil {
		return nil, err
	}
	return &answer{sized: true, body: b.write, done: giveBack}, nil
}
