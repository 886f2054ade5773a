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
	out      http.ResponseWriter // for the answer
	size     int                 // bytes of the message
	msg      *soap.Message       // nil where it could not be read
	who      cim.Principal       // zero for an anonymous Identify
	resource wsman.Resource      // of ResourceURI
	ns       string              // canonical
	path     *cim.Path           // of ResourceURI and selectors, or nil
	objects  []string            // of a call, for the audit
	echo     []byte              // header blocks that ReplyTo wants in the answer
	start    time.Time
}

// relatesTo is the id of the request, byte for byte.
func (rq *request) relatesTo() string {
	if rq.msg == nil {
		return ""
	}
	return rq.msg.MessageID
}

// addressing is the version of WS-Addressing to answer in.
func (rq *request) addressing() string {
	if rq.msg == nil {
		return ""
	}
	return rq.msg.Addressing
}

// encoding is that of the answer.
func (rq *request) encoding() soap.Encoding {
	if rq.msg == nil {
		return soap.EncodingFor(rq.http.Header.Get("Content-Type"))
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
func (rq *request) checkHeaders() (err error) {
	m := rq.msg
	switch {
	case len(notUnderstood(m)) > 0:
		return wsman.NotUnderstood(notUnderstood(m))
	case m.Action == "":
		return wsman.HeaderRequired("the header wsa:Action is missing")
	case m.MessageID == "":
		return wsman.HeaderRequired("the header wsa:MessageID is missing")
	case m.ReplyTo != "" && !wsman.IsAnonymous(m.ReplyTo):
		return wsman.UnsupportedFeature(wsman.DetailAddressingMode, "answers go to the anonymous address only, not to ReplyTo")
	case m.FaultTo != "" && !wsman.IsAnonymous(m.FaultTo):
		return wsman.UnsupportedFeature(wsman.DetailAddressingMode, "faults go to the anonymous address only, not to FaultTo")
	case m.MaxEnvelopeSize > 0 && m.MaxEnvelopeSize < minEnvelope:
		return wsman.EncodingLimit(wsman.DetailMinimumEnvelope, "MaxEnvelopeSize is less than %d", minEnvelope)
	case !isEnvelopePolicy(m.EnvelopePolicy):
		return wsman.UnsupportedFeature(wsman.DetailEnvelopePolicy, "the policy of MaxEnvelopeSize is none of Skip, Notify and CancelSubscription")
	case m.LocaleRequired && !isEnglish(m.Locale):
		return wsman.UnsupportedFeature(wsman.DetailLocale, "the only language is English")
	case m.Fragment && !takesFragments(m.Action):
		return wsman.UnsupportedFeature(wsman.DetailFragment, "fragments go with Get, Put, Create and Delete only")
	}
	if rq.echo, err = m.Echo("ReplyTo"); err != nil {
		return err
	}
	return rq.checkOptions()
}

// faultEcho are the header blocks that FaultTo, or else ReplyTo, wants in a fault.
// Those that cannot be had are left out (DSP0226 R5.4.3-4).
func (rq *request) faultEcho() []byte {
	if rq.msg == nil || rq.msg.FaultTo == "" {
		return rq.echo
	}
	echo, err := rq.msg.Echo("FaultTo")
	if err != nil {
		return nil
	}
	return echo
}

// isEnvelopePolicy knows what can become of events that are too large.
func isEnvelopePolicy(policy string) bool {
	switch policy {
	case "", "Skip", "Notify", "CancelSubscription":
		return true
	}
	return false
}

func isEnglish(locale string) bool {
	lang, _, _ := strings.Cut(strings.TrimSpace(locale), "-")
	return strings.EqualFold(lang, "en")
}

// checkOptions refuses options that must be complied with and that are not known,
// or are but not with that value (DSP0226 section 6.4).
func (rq *request) checkOptions() error {
	for _, o := range rq.msg.Options {
		switch {
		case !o.MustComply:
		case o.Name == "":
			return wsman.InvalidOptions(wsman.DetailInvalidName, "an option that must be complied with has no name")
		case isClassOption(o.Name) && !isBoolean(o.Value):
			return wsman.InvalidOptions(wsman.DetailInvalidValue, "the option %.100q is neither true nor false", o.Name)
		case !isKnownOption(o.Name):
			return wsman.InvalidOptions(wsman.DetailOptionsSupported, "the option %.100q is not known", o.Name)
		}
	}
	return nil
}

// isKnownOption knows the options that make a difference.
func isKnownOption(name string) bool {
	return isClassOption(name) || isOption(name, wsman.OptionModified) || isOption(name, wsman.OptionPreciseArrays)
}

func isBoolean(s string) bool {
	return s == "0" || s == "1" || strings.EqualFold(s, "true") || strings.EqualFold(s, "false")
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

// class is the class that the resource URI names. That of all classes is there to be
// enumerated and subscribed to only (DSP0227 R6-1).
func (s *Server) class(rq *request) (*cim.Class, error) {
	if rq.resource.Kind != wsman.KindClass {
		return nil, wsman.ActionNotSupported("", "the resource URI names no class; the action is for instances of one")
	}
	return s.config.Broker.Class(rq.ns, rq.resource.Class)
}

// target is the path that the resource URI and the selectors make.
func (s *Server) target(rq *request) (*cim.Path, *cim.Class, error) {
	c, err := s.class(rq)
	if err != nil {
		return nil, nil, err
	}
	rq.path, err = wscim.SelectorsToPath(rq.resource, rq.msg.Selectors, s.env(rq))
	return rq.path, c, err
}
