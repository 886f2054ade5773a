package soap

import (
	"errors"
	"unicode/utf8"

	"twinlun/wsman"
)

// ErrNotSOAP is the cause (errors.Is) of the faults for input that is no XML or
// no SOAP envelope of any version: a server need not answer those with SOAP.
var ErrNotSOAP = errors.New("soap: not a SOAP envelope")

// Decode reads an envelope. The errors are *wsman.Fault. The message comes with an
// error too where its encoding could be told, to answer in; where the envelope
// could be read but not all of its headers it has what else an answer needs. The
// content type is that of the HTTP header and may be empty; what the bytes show
// counts for more.
func Decode(data []byte, contentType string, l Limits) (*Message, error) {
	l = l.withDefaults()
	m := &Message{Encoding: EncodingFor(contentType)}
	if len(data) > l.Bytes {
		return m, wsman.EncodingLimit(wsman.DetailServiceEnvelope, "the message has %d bytes, the limit is %d", len(data), l.Bytes)
	}
	var text []byte
	var err error
	if text, m.Encoding, err = decodeText(data, contentType); err != nil {
		return m, err
	}
	root, err := parse(text, l)
	if err != nil {
		return m, err
	}
	h := headerReader{m: m, err: m.readEnvelope(root)}
	for e := range Children(m.Header) {
		h.read(e)
	}
	return m, h.err
}

// Parse reads a bare XML element in UTF-8, such as one that came as escaped text.
// The errors are *wsman.Fault.
func Parse(data []byte, l Limits) (*Element, error) {
	l = l.withDefaults()
	if len(data) > l.Bytes {
		return nil, wsman.EncodingLimit(wsman.DetailServiceEnvelope, "the XML has %d bytes, the limit is %d", len(data), l.Bytes)
	}
	return parse(data, l)
}

// parse checks the limits, then builds the tree.
func parse(text []byte, l Limits) (*Element, error) {
	if err := scan(text, l); err != nil {
		return nil, err
	}
	root, err := build(text)
	switch {
	case err == nil:
		return root, nil
	case !utf8.Valid(text):
		return nil, wsman.EncodingLimit(wsman.DetailCharacterSet, "the message is not valid UTF-8").With(ErrNotSOAP)
	default:
		return nil, malformed("the XML is not well-formed").With(errors.Join(ErrNotSOAP, err))
	}
}

func malformed(format string, args ...any) *wsman.Fault {
	return wsman.SchemaValidationError(format, args...).With(ErrNotSOAP)
}

func (m *Message) readEnvelope(root *Element) error {
	ns, _ := Namespace(root)
	switch {
	case root.Tag != "Envelope":
		return malformed("the XML is not a SOAP envelope")
	case ns != wsman.NSSOAP:
		return wsman.SOAPVersion("only SOAP 1.2 is served")
	}
	var body *Element
	for e := range Children(root) {
		switch {
		case Is(e, wsman.NSSOAP, "Header") && m.Header == nil && body == nil:
			m.Header = e
		case Is(e, wsman.NSSOAP, "Body") && body == nil:
			body = e
		default:
			return wsman.SchemaValidationError("the envelope has a second or unknown part")
		}
	}
	if body == nil {
		return wsman.SchemaValidationError("the envelope has no body")
	}
	for e := range Children(body) {
		if m.Body != nil {
			return wsman.SchemaValidationError("the body has more than one element")
		}
		m.Body = e
	}
	return nil
}
