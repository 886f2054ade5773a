package eventing

import (
	"net/url"
	"strings"

	"twinlun/cim"
	"twinlun/wsman"
	"twinlun/wsman/soap"
)

// Read is ReadSubscribe within the limits of the Manager.
func (m *Manager) Read(msg *soap.Message) (*Request, error) {
	return ReadSubscribe(msg, m.config.Limits)
}

// ReadSubscribe reads an e:Subscribe and the credentials in its headers. The
// namespace, and what a resource URI without a filter means, are for the caller to
// fill in. Errors are *wsman.Fault.
func ReadSubscribe(m *soap.Message, l Limits) (*Request, error) {
	if !soap.Is(m.Body, wsman.NSEventing, "Subscribe") {
		return nil, wsman.SchemaValidationError("the body must be e:Subscribe")
	}
	l = l.withDefaults()
	r := &Request{ResourceURI: m.ResourceURI, SendBookmarks: soap.Child(m.Body, wsman.NSWSMan, "SendBookmarks") != nil}
	for _, read := range []func(*Request, *soap.Message, Limits) error{
		readFilter, readDelivery, readEndTo, readExpires, readBookmark, readAuth,
	} {
		if err := read(r, m, l); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// readFilter reads the filter, which may be of either namespace (DSP0226 section
// 10.2.2).
func readFilter(r *Request, m *soap.Message, l Limits) error {
	e := soap.Child(m.Body, wsman.NSWSMan, "Filter")
	if other := soap.Child(m.Body, wsman.NSEventing, "Filter"); other != nil {
		if e != nil && e != other {
			return wsman.InvalidEventMessage("there is a w:Filter and an e:Filter")
		}
		e = other
	}
	if e == nil {
		return nil
	}
	dialect, _ := soap.Attr(e, "", "Dialect")
	switch {
	case wsman.SameDialect(dialect, wsman.DialectWQL):
		r.Query.Language = cim.LanguageWQL
	case wsman.SameDialect(dialect, wsman.DialectCQL):
		r.Query.Language = cim.LanguageCQL
	default:
		return wsman.FilteringUnavailable("", "the filter dialect %.200q is not served for subscriptions, only WQL and CQL", dialect)
	}
	r.Query.Text = soap.Text(e)
	switch {
	case r.Query.Text == "":
		return wsman.CannotProcessEventFilter("the filter is empty")
	case len(r.Query.Text) > l.Query:
		return wsman.CannotProcessEventFilter("the filter has more than %d bytes", l.Query)
	}
	return nil
}

func readEndTo(r *Request, m *soap.Message, l Limits) (err error) {
	if e := soap.Child(m.Body, wsman.NSEventing, "EndTo"); e != nil {
		r.EndTo, err = readEndpoint(e, "EndTo", l)
	}
	return err
}

// readEndpoint reads where to send to.
func readEndpoint(e *soap.Element, name string, l Limits) (*Endpoint, error) {
	to := &Endpoint{Address: soap.ChildText(e, "", "Address")}
	u, err := url.Parse(to.Address)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		return nil, wsman.InvalidEventMessage("the address of %s is not an http or https URL", name)
	case u.User != nil:
		return nil, wsman.InvalidEventMessage("the address of %s has a user in it; credentials go into IssuedTokens", name)
	case soap.Child(e, "", "Policy") != nil:
		return nil, wsman.UnsupportedFeature(wsman.DetailAuthorization, "policies of %s are not served", name)
	}
	room := l.References
	for _, set := range []string{"ReferenceProperties", "ReferenceParameters"} {
		for c := range soap.Children(soap.Child(e, "", set)) {
			b := readBlock(c, &room)
			switch {
			case room < 0:
				return nil, wsman.InvalidEventMessage("the references of %s have more than %d bytes", name, l.References)
			case b.reserved():
				return nil, wsman.InvalidEventMessage("%s wants the header %s, which is the service's own", name, b.Local)
			}
			to.Blocks = append(to.Blocks, b)
		}
	}
	return to, nil
}

func readExpires(r *Request, m *soap.Message, _ Limits) (err error) {
	r.Expires, err = ReadExpires(m.Body)
	return err
}

// ReadExpires reads the e:Expires of a Subscribe or a Renew: an xs:duration, whose
// years and months are of 365 and 30 days, or an xs:dateTime. Errors are *wsman.Fault.
func ReadExpires(body *soap.Element) (Expiry, error) {
	e := soap.Child(body, wsman.NSEventing, "Expires")
	text := soap.Text(e)
	if text == "" {
		return Expiry{}, nil
	}
	if d, ok := soap.ParseTimeout(text); ok && d > 0 {
		return Expiry{After: d}, nil
	}
	v, err := cim.ParseDateTime(text)
	if err != nil || v.IsInterval {
		return Expiry{}, wsman.SubscriptionExpiration("Expires %.100q is neither a positive duration nor a time with a zone", text)
	}
	return Expiry{At: v.Time}, nil
}

// readBookmark reads where to go on (DSP0226 section 10.2.6).
func readBookmark(r *Request, m *soap.Message, _ Limits) error {
	e := soap.Child(m.Body, wsman.NSWSMan, "Bookmark")
	if e == nil {
		return nil
	}
	if soap.FirstChild(e) != nil {
		return wsman.InvalidBookmark("", "the bookmark is not one of this service")
	}
	text := strings.TrimSpace(soap.Text(e))
	r.Bookmark = &text
	return nil
}
