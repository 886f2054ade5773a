package server

import (
	"context"
	"strings"
	"time"

	"twinlun/wsman"
	"twinlun/wsman/soap"
)

// enumeration is what n:Enumerate says (DSP0226 section 8, DSP0227 section 8).
type enumeration struct {
	optimize     bool
	most         int    // items at once
	mode         string // EnumerationMode
	polymorphism string // PolymorphismMode
	life         expiry
	filter       *soap.Element // nil: none
}

// handleEnumerate begins an enumeration and, if the client wants it so, sends the
// first batch in the same answer.
func (s *Server) handleEnumerate(ctx context.Context, rq *request) (*answer, error) {
	rq.keep()
	now := s.config.Time()
	en, err := readEnumerate(rq, now, s.config.Limits.ContextLife)
	if err != nil {
		return nil, err
	}
	src, err := s.source(ctx, rq, en)
	if err != nil {
		return nil, err
	}
	id, err := s.newID()
	if err != nil {
		return nil, err
	}
	entry, err := s.contexts.add(newCursor(ctx, id, src), rq.who.Name, en.life, now)
	if err != nil {
		return nil, err
	}
	b := &batch{cursor: entry.cursor, wrapper: "EnumerateResponse", prefix: "w", always: true, expires: expiresAt(en.life, now)}
	if en.optimize {
		b.most = en.most
	}
	return s.takeBatch(ctx, rq, entry, b)
}

// keep makes what an enumeration remembers of a request independent of the message,
// whose memory it would hold otherwise.
func (rq *request) keep() {
	rq.ns = strings.Clone(rq.ns)
	for _, text := range []*string{&rq.resource.Class, &rq.resource.Prefix, &rq.resource.Namespace} {
		*text = strings.Clone(*text)
	}
}

func readEnumerate(rq *request, now time.Time, mostLife time.Duration) (*enumeration, error) {
	body, err := enumerationBody(rq, "Enumerate")
	if err != nil {
		return nil, err
	}
	if body.child("EndTo", wsman.NSEnumeration) != nil {
		return nil, wsman.UnsupportedFeature(wsman.DetailAddressingMode, "EndTo is not served: the end of an enumeration is not announced")
	}
	en := &enumeration{
		optimize:     body.child("OptimizeEnumeration", wsman.NSWSMan) != nil,
		most:         body.most(),
		mode:         soap.Text(body.child("EnumerationMode", wsman.NSWSMan)),
		polymorphism: strings.Clone(soap.Text(body.child("PolymorphismMode", wsman.NSBinding))),
		life:         body.expires(now, mostLife),
	}
	if body.err != nil {
		return nil, body.err
	}
	if en.filter, err = readFilter(rq.msg.Body); err != nil {
		return nil, err
	}
	return en, en.checkModes()
}

// checkModes refuses modes that are not known (DSP0226 section 8.7, DSP0227
// section 8.3).
func (en *enumeration) checkModes() error {
	switch en.mode {
	case "", wsman.ModeEPR, wsman.ModeObjectAndEPR:
	default:
		return wsman.UnsupportedFeature(wsman.DetailEnumerationMode, "the enumeration mode %.100q is not known", en.mode)
	}
	switch en.polymorphism {
	case "", wsman.PolymorphismInclude, wsman.PolymorphismExclude, wsman.PolymorphismNone:
		return nil
	}
	return wsman.PolymorphismUnsupported("the polymorphism mode %.100q is not known", en.polymorphism)
}

// shapes says whether the polymorphism mode is one that changes or leaves out
// instances of subclasses.
func (en *enumeration) shapes() bool {
	return en.polymorphism == wsman.PolymorphismExclude || en.polymorphism == wsman.PolymorphismNone
}
