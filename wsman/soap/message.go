// Package soap reads and writes the SOAP 1.2 envelopes of WS-Management: XML in
// UTF-8 or UTF-16, with limits that hold before anything is built from the input.
package soap

import (
	"time"

	"github.com/beevik/etree"

	"twinlun/wsman"
)

// Element is one element of a decoded message. The helpers of this package read
// it; it must not be changed.
type Element = etree.Element

// Encoding is how a message is turned into bytes.
type Encoding uint8

// The encodings.
const (
	UTF8 Encoding = iota
	UTF16LE
	UTF16BE
)

// Limits bound what Decode takes. A value of 0 or less means that of
// DefaultLimits.
type Limits struct {
	Bytes      int // of the message, in the encoding it came in
	Depth      int // of nested elements
	Elements   int // in the whole message
	Attributes int // of one element, namespace declarations included
	TextLen    int // bytes of one text or attribute value, as written
}

// DefaultLimits are those for a service that faces a network.
func DefaultLimits() Limits {
	return Limits{Bytes: 1 << 20, Depth: 48, Elements: 20000, Attributes: 32, TextLen: 256 << 10}
}

func (l Limits) withDefaults() Limits {
	d := DefaultLimits()
	for _, f := range []struct {
		have *int
		def  int
	}{{&l.Bytes, d.Bytes}, {&l.Depth, d.Depth}, {&l.Elements, d.Elements}, {&l.Attributes, d.Attributes}, {&l.TextLen, d.TextLen}} {
		if *f.have <= 0 {
			*f.have = f.def
		}
	}
	return l
}

// Option is one option of a request's OptionSet. Names may occur more than once.
type Option struct {
	Name, Type, Value string
	// MustComply says that the client wants no answer that does not heed it.
	MustComply bool
}

// Message is a decoded envelope. Texts are without the blanks around them. What is
// absent is empty; whether it may be is for the caller to say.
type Message struct {
	Encoding Encoding // to answer in
	// Addressing is the version of WS-Addressing, as its namespace; empty where no
	// header is of one.
	Addressing  string
	To          string
	Action      string
	MessageID   string
	RelatesTo   string
	ReplyTo     string // its address
	FaultTo     string // its address
	ResourceURI string
	Selectors   []wsman.Selector
	Options     []Option
	// MaxEnvelopeSize is the largest answer the client takes, in bytes of the
	// answer's encoding; 0 if it does not say.
	MaxEnvelopeSize int64
	// EnvelopePolicy is what shall become of events that are larger.
	EnvelopePolicy string
	// Timeout is w:OperationTimeout; 0 if it does not say.
	Timeout time.Duration
	Locale  string // xml:lang of w:Locale
	// LocaleRequired says that the client takes no other language.
	LocaleRequired bool
	// Fragment says that there is a w:FragmentTransfer header.
	Fragment bool
	// RequestEPR says that the answer shall name the instance it is about.
	RequestEPR bool
	// NotUnderstood lists headers with mustUnderstand that this package does not
	// read. A server faults on those that it does not know either.
	NotUnderstood []wsman.QName
	Header        *Element // s:Header, nil if there is none
	Body          *Element // first child of s:Body, nil if there is none
}

// Option finds an option by name, regardless of case and of a prefix before ':'.
func (m *Message) Option(name string) (Option, bool) {
	for _, o := range m.Options {
		if sameOption(o.Name, name) {
			return o, true
		}
	}
	return Option{}, false
}
