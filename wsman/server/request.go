package server

import (
	"net/http"
	"strings"
	"time"

	"twinlun/cim"
	"twinlun/wsman"
	"twinlun/wsman/soap"
	"twinlun/wsman/wscim"
)

// minEnvelope is the least MaxEnvelopeSize that can be asked for (DSP0226
// section 13.2).
const minEnvelope = 8192

// request is one message on its way through the service.
type request struct {
	http     *http.Request
	msg      *soap.Message  // nil where it could not be read
	who      cim.Principal  // zero for an anonymous Identify
	resource wsman.Resource // of ResourceURI
	ns       string         // canonical
	objects  []string       // of a call, for the audit
	start    time.Time
}

// relatesTo is the id of the request, byte for byte.
func (rq *request) relatesTo() string {
	if rq == nil || rq.msg == nil {
		return ""
	}
	return rq.msg.MessageID
}

// encoding is that of the answer.
func (rq *request) encoding() soap.Encoding {
	if rq == nil || rq.msg == nil {
		return soap.UTF8
	}
	return rq.msg.Encoding
}

// maxAnswer is how many bytes of UTF-8 an answer may have, or 0. UTF-16 at most
// doubles them and puts a mark before.
func (rq *request) maxAnswer() int64 {
	if limit := rq.msg.MaxEnvelopeSize; rq.msg.Encoding == soap.UTF8 || limit == 0 {
		return limit
	}
	return (rq.msg.MaxEnvelopeSize - 2) / 2
}

// checkHeaders says what is wrong with the headers that all actions have in
// common (DSP0226 sections 5.4 and 6).
func (rq *request) checkHeaders() error {
	m := rq.msg
	switch {
	case len(notUnderstood(m)) > 0:
		return wsman.NotUnderstood(notUnderstood(m))
	case m.Action == "":
		return wsman.HeaderRequired("the header wsa:Action is missing")
	case m.MessageID == "":
		return wsman.HeaderRequired("the header wsa:MessageID is missing")
	case !isAnonymous(m.ReplyTo):
		return wsman.UnsupportedFeature(wsman.DetailAddressingMode, "answers go to the anonymous address only, not to ReplyTo")
	case !isAnonymous(soap.ChildText(soap.Child(m.Header, wsman.NSAddressing, "FaultTo"), wsman.NSAddressing, "Address")):
		return wsman.UnsupportedFeature(wsman.DetailAddressingMode, "faults go to the anonymous address only, not to FaultTo")
	case m.MaxEnvelopeSize > 0 && m.MaxEnvelopeSize < minEnvelope:
		return wsman.EncodingLimit(wsman.DetailMinimumEnvelope, "MaxEnvelopeSize is less than %d", minEnvelope)
	case m.LocaleRequired && !isEnglish(m.Locale):
		return wsman.UnsupportedFeature(wsman.DetailLocale, "the only language is English")
	case m.Fragment && !takesFragments(m.Action):
		return wsman.UnsupportedFeature(wsman.DetailFragment, "fragments go with Get, Put, Create and Delete only")
	}
	return rq.checkOptions()
}

// isAnonymous takes an absent address for the anonymous one, and that of later
// versions of WS-Addressing too.
func isAnonymous(address string) bool {
	return address == "" || address == wsman.Anonymous || strings.HasSuffix(address, "/addressing/anonymous")
}

func isEnglish(locale string) bool {
	lang, _, _ := strings.Cut(locale, "-")
	return strings.EqualFold(lang, "en")
}

// checkOptions refuses options that must be complied with; none is known that
// changes what an operation does, but for those of classes.
func (rq *request) checkOptions() error {
	for o := range soap.Children(soap.Child(rq.msg.Header, wsman.NSWSMan, "OptionSet")) {
		must, _ := soap.Attr(o, "", "MustComply")
		name, _ := soap.Attr(o, "", "Name")
		if (must == "1" || strings.EqualFold(must, "true")) && !isClassOption(name) && !isOption(name, wsman.OptionModified) && !isOption(name, wsman.OptionPreciseArrays) {
			return wsman.InvalidOptions(wsman.DetailOptionsSupported, "the option %.100q is not known", name)
		}
	}
	return nil
}

// locate finds out what the request is about: resource and namespace.
func (rq *request) locate(defaultNamespace string) (err error) {
	if rq.resource, err = wsman.ParseResourceURI(rq.msg.ResourceURI); err != nil {
		return err
	}
	rq.ns = wscim.Namespace(rq.resource, rq.msg.Selectors, defaultNamespace)
	return nil
}

// env is what the readers of CIM values need.
func (s *Server) env(rq *request) wscim.Env {
	return wscim.Env{
		Class: func(name string) *cim.Class {
			// Both failures mean the same to a reader: there is no such class.
			c, _ := s.config.Broker.Class(rq.ns, name)
			return c
		},
		Namespace: rq.ns,
		Limits:    s.config.Limits.soap(),
	}
}

// class is the class that the resource URI names.
func (s *Server) class(rq *request) (*cim.Class, error) {
	if rq.resource.Kind != wsman.KindClass {
		return nil, wsman.InvalidResourceURI("the resource URI names no class")
	}
	return s.config.Broker.Class(rq.ns, rq.resource.Class)
}

// target is the path that the resource URI and the selectors make.
func (s *Server) target(rq *request) (*cim.Path, *cim.Class, error) {
	c, err := s.class(rq)
	if err != nil {
		return nil, nil, err
	}
	p, err := wscim.SelectorsToPath(rq.resource, rq.msg.Selectors, s.env(rq))
	return p, c, err
}
