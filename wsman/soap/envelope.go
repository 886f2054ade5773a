package soap

import (
	"strconv"
	"time"

	"twinlun/wsman"
)

// ResponseHeader is the header of an answer.
type ResponseHeader struct {
	Action    string
	MessageID string
	RelatesTo string // empty: left out, for an empty element stops Windows clients
	To        string // empty: the anonymous address
	// Addressing is the version of WS-Addressing to write, as its namespace; empty
	// is NSAddressing.
	Addressing string
	// Echo is header blocks as finished XML, see Echo.
	Echo []byte
	// Extra writes further header blocks, nil for none.
	Extra func(*Writer)
}

// WriteEnvelope writes a whole answer. In the body the prefixes s, a, w, n, x, b,
// cim and xsi are declared; nil leaves it empty.
func WriteEnvelope(w *Writer, h ResponseHeader, body func(*Writer)) {
	w.addressing = h.Addressing
	startEnvelope(w)
	w.Start("s", "Header")
	w.Element("a", "Action", h.Action)
	w.Element("a", "MessageID", h.MessageID)
	w.Element("a", "To", w.anonymous(h.To))
	if h.RelatesTo != "" {
		w.Element("a", "RelatesTo", h.RelatesTo)
	}
	w.raw(h.Echo)
	if h.Extra != nil {
		h.Extra(w)
	}
	w.End()
	endEnvelope(w, body)
}

// startEnvelope opens s:Envelope and declares what is used all over.
func startEnvelope(w *Writer) {
	w.Start("s", "Envelope")
	w.Namespace("s", wsman.NSSOAP)
	w.Namespace("a", w.Addressing())
	w.Namespace("w", wsman.NSWSMan)
	w.Namespace("n", wsman.NSEnumeration)
	w.Namespace("x", wsman.NSTransfer)
	w.Namespace("b", wsman.NSBinding)
	w.Namespace("cim", wsman.NSCommon)
	w.Namespace("xsi", wsman.NSXSI)
}

func endEnvelope(w *Writer, body func(*Writer)) {
	w.Start("s", "Body")
	if body != nil {
		body(w)
	}
	w.End()
	w.End()
}

// RequestHeader is the header of a request. Zero values are left out, To and
// Action excepted.
type RequestHeader struct {
	To              string
	Action          string
	ResourceURI     string
	Selectors       []wsman.Selector
	Options         []Option
	Timeout         time.Duration
	MaxEnvelopeSize int64
	MessageID       string
	Locale          string
	Extra           func(*Writer) // writes further header blocks, or nil
}

// WriteRequest writes a whole request; the prefixes are those of WriteEnvelope.
func WriteRequest(w *Writer, h RequestHeader, body func(*Writer)) {
	startEnvelope(w)
	w.Start("s", "Header")
	w.Element("a", "To", h.To)
	if h.ResourceURI != "" {
		understood(w, "w", "ResourceURI", h.ResourceURI)
	}
	w.Start("a", "ReplyTo")
	understood(w, "a", "Address", wsman.Anonymous)
	w.End()
	understood(w, "a", "Action", h.Action)
	if h.MaxEnvelopeSize > 0 {
		understood(w, "w", "MaxEnvelopeSize", strconv.FormatInt(h.MaxEnvelopeSize, 10))
	}
	w.Element("a", "MessageID", h.MessageID)
	if h.Locale != "" {
		w.Start("w", "Locale")
		w.Attr("xml", "lang", h.Locale)
		w.Attr("s", "mustUnderstand", "false")
		w.End()
	}
	if len(h.Selectors) > 0 {
		WriteSelectorSet(w, h.Selectors)
	}
	writeOptions(w, h.Options)
	if h.Timeout > 0 {
		w.Element("w", "OperationTimeout", FormatDuration(h.Timeout))
	}
	if h.Extra != nil {
		h.Extra(w)
	}
	w.End()
	endEnvelope(w, body)
}

// understood writes a header block that the server must understand.
func understood(w *Writer, prefix, local, text string) {
	w.Start(prefix, local)
	w.Attr("s", "mustUnderstand", "true")
	w.Text(text)
	w.End()
}

func writeOptions(w *Writer, options []Option) {
	if len(options) == 0 {
		return
	}
	w.Start("w", "OptionSet")
	for _, o := range options {
		w.Start("w", "Option")
		w.Attr("", "Name", o.Name)
		if o.Type != "" {
			w.Attr("", "Type", o.Type)
		}
		w.Text(o.Value)
		w.End()
	}
	w.End()
}

// WriteSelectorSet writes a w:SelectorSet; the prefixes w and a must be declared.
func WriteSelectorSet(w *Writer, set []wsman.Selector) {
	w.Start("w", "SelectorSet")
	for _, s := range set {
		w.Start("w", "Selector")
		w.Attr("", "Name", s.Name)
		if s.EPR != nil {
			WriteEPR(w, *s.EPR)
		} else if s.Value != "" {
			w.Text(s.Value)
		}
		w.End()
	}
	w.End()
}

// WriteEPR writes an a:EndpointReference; the prefixes w and a must be declared.
func WriteEPR(w *Writer, e wsman.EPR) {
	w.Start("a", "EndpointReference")
	WriteEPRContent(w, e)
	w.End()
}

// WriteEPRContent writes what is in an endpoint reference, for where the element
// around it is another: the parameters and properties that are references.
func WriteEPRContent(w *Writer, e wsman.EPR) {
	w.Element("a", "Address", w.anonymous(e.Address))
	w.Start("a", "ReferenceParameters")
	w.Element("w", "ResourceURI", e.ResourceURI)
	if len(e.Selectors) > 0 {
		WriteSelectorSet(w, e.Selectors)
	}
	w.End()
}
