package soap

import (
	"errors"
	"strconv"
	"strings"

	"twinlun/wsman"
)

// ErrNotSOAP is the cause (errors.Is) of the faults for input that is no XML or
// no SOAP envelope of any version: a server need not answer those with SOAP.
var ErrNotSOAP = errors.New("soap: not a SOAP envelope")

// Decode reads an envelope. The errors are *wsman.Fault. Where the envelope itself
// could be read but not all of its headers, the message comes with the error and
// has what an answer needs. The content type is that of the HTTP header and may be
// empty; what the bytes show counts for more.
func Decode(data []byte, contentType string, l Limits) (*Message, error) {
	l = l.withDefaults()
	if len(data) > l.Bytes {
		return nil, wsman.EncodingLimit(wsman.DetailServiceEnvelope, "the message has %d bytes, the limit is %d", len(data), l.Bytes)
	}
	text, enc, err := decodeText(data, contentType)
	if err != nil {
		return nil, err
	}
	root, err := parse(text, l)
	if err != nil {
		return nil, err
	}
	m := &Message{Encoding: enc}
	if err := m.readEnvelope(root); err != nil {
		return nil, err
	}
	h := headerReader{m: m}
	for e := range Children(m.Header) {
		h.read(e)
	}
	if h.err != nil {
		return m, h.err
	}
	return m, nil
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
	if err != nil {
		return nil, malformed("the XML is not well-formed").With(errors.Join(ErrNotSOAP, err))
	}
	return root, nil
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
	m.Body = FirstChild(body)
	return nil
}

// headerReader fills a message from its header blocks and keeps the first error.
type headerReader struct {
	m   *Message
	err error
}

func (h *headerReader) fail(err error) {
	if h.err == nil {
		h.err = err
	}
}

// read takes one header block.
func (h *headerReader) read(e *Element) {
	ns, declared := Namespace(e)
	known := ns == wsman.NSMicrosoft || ns == wsman.NSTwinlun
	if ns == wsman.NSAddressing || !declared {
		known = h.readAddressing(e) || known
	}
	if ns == wsman.NSWSMan || !declared {
		known = h.readManagement(e) || known
	}
	if ns == wsman.NSEventing || ns == wsman.NSEnumeration {
		known = e.Tag == "Identifier"
	}
	if !known && mustUnderstand(e) {
		h.m.NotUnderstood = append(h.m.NotUnderstood, wsman.QName{Space: ns, Local: e.Tag})
	}
}

// readAddressing takes a header of WS-Addressing; false if it is none.
func (h *headerReader) readAddressing(e *Element) bool {
	switch e.Tag {
	case "To":
		h.text(&h.m.To, e)
	case "Action":
		h.text(&h.m.Action, e)
	case "MessageID":
		h.text(&h.m.MessageID, e)
	case "RelatesTo":
		h.m.RelatesTo = Text(e)
	case "ReplyTo":
		h.m.ReplyTo = ChildText(e, wsman.NSAddressing, "Address")
	case "From", "FaultTo":
	default:
		return false
	}
	return true
}

// text takes a header that occurs once and may not be empty.
func (h *headerReader) text(into *string, e *Element) {
	switch v := Text(e); {
	case v == "":
		h.fail(wsman.InvalidHeader("", "the header %s is empty", e.Tag))
	case *into != "":
		h.fail(wsman.InvalidHeader("", "the header %s is there twice", e.Tag))
	default:
		*into = v
	}
}

// readManagement takes a header of WS-Management; false if it is none.
func (h *headerReader) readManagement(e *Element) bool {
	switch e.Tag {
	case "ResourceURI":
		h.text(&h.m.ResourceURI, e)
	case "SelectorSet":
		h.readSelectors(e)
	case "OptionSet":
		h.readOptions(e)
	case "MaxEnvelopeSize":
		h.readSize(e)
	case "OperationTimeout":
		h.readTimeout(e)
	case "Locale":
		h.m.Locale, _ = Attr(e, wsman.NSXML, "lang")
		h.m.LocaleRequired = mustUnderstand(e)
	case "FragmentTransfer":
		h.m.Fragment = true
	case "RequestEPR", "RequestTotalItemsCountEstimate":
	default:
		return false
	}
	return true
}

func (h *headerReader) readSelectors(e *Element) {
	if h.m.Selectors != nil {
		h.fail(wsman.InvalidSelectors("", "the header SelectorSet is there twice"))
		return
	}
	set, err := ReadSelectorSet(e)
	if err != nil {
		h.fail(err)
	}
	h.m.Selectors = set
}

// maxOptions bounds the options of a request.
const maxOptions = 256

func (h *headerReader) readOptions(e *Element) {
	for o := range Children(e) {
		if !Is(o, wsman.NSWSMan, "Option") {
			continue
		}
		if len(h.m.Options) == maxOptions {
			h.fail(wsman.EncodingLimit(wsman.DetailOptionLimit, "there are more than %d options", maxOptions))
			return
		}
		name, _ := Attr(o, "", "Name")
		kind, _ := Attr(o, "", "Type")
		h.m.Options = append(h.m.Options, Option{Name: strings.TrimSpace(name), Type: strings.TrimSpace(kind), Value: Text(o)})
	}
}

func (h *headerReader) readSize(e *Element) {
	n, err := strconv.ParseInt(Text(e), 10, 64)
	if err != nil || n <= 0 {
		h.fail(wsman.InvalidHeader("", "MaxEnvelopeSize is not a positive number"))
		return
	}
	h.m.MaxEnvelopeSize = n
}

func (h *headerReader) readTimeout(e *Element) {
	d, ok := ParseDuration(Text(e))
	if !ok || d == 0 {
		h.fail(wsman.InvalidHeader(wsman.DetailInvalidTimeout, "OperationTimeout is not a positive duration"))
		return
	}
	h.m.Timeout = d
}

// The roles that a service has for every message (SOAP 1.2 part 1 section 2.2).
const (
	roleNext     = wsman.NSSOAP + "/role/next"
	roleReceiver = wsman.NSSOAP + "/role/ultimateReceiver"
)

// mustUnderstand says whether a header block is for us and must not be ignored.
func mustUnderstand(e *Element) bool {
	v, _ := Attr(e, wsman.NSSOAP, "mustUnderstand")
	role, _ := Attr(e, wsman.NSSOAP, "role")
	return truth(v) && (role == "" || role == roleNext || role == roleReceiver)
}
