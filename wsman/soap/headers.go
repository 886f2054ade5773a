package soap

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"twinlun/wsman"
)

// headerReader fills a message from its header blocks and keeps the first error.
type headerReader struct {
	m    *Message
	seen uint32 // the headers that were there, a bit for each
	err  error
}

func (h *headerReader) fail(err error) {
	if h.err == nil {
		h.err = err
	}
}

// The headers that may be there once (DSP0226 R13.1-9), as bits.
const (
	headerTo = 1 << iota
	headerAction
	headerMessageID
	headerReplyTo
	headerFaultTo
	headerFrom
	headerResourceURI
	headerSelectorSet
	headerOptionSet
	headerMaxEnvelopeSize
	headerOperationTimeout
	headerLocale
	headerFragment
	headerRequestEPR
	headerItemsCount
	headerIdentifier
)

// once fails where the header was there before.
func (h *headerReader) once(bit uint32, e *Element) bool {
	if h.seen&bit != 0 {
		h.fail(wsman.InvalidHeader("", "the header %s is there twice", e.Tag))
		return false
	}
	h.seen |= bit
	return true
}

// read takes one header block. One for another role is none of ours (SOAP 1.2 part
// 1 section 2.2).
func (h *headerReader) read(e *Element) {
	if !isForUs(e) {
		return
	}
	ns, declared := Namespace(e)
	known := false
	if h.isAddressing(ns, declared) {
		known = h.readAddressing(e)
	}
	if ns == wsman.NSWSMan || !declared {
		known = h.readManagement(e) || known
	}
	switch ns {
	case wsman.NSMicrosoft:
		known = isMicrosoft(e.Tag)
	case wsman.NSTwinlun:
		known = true
	case wsman.NSEventing, wsman.NSEnumeration:
		known = e.Tag == "Identifier" && h.once(headerIdentifier, e)
	}
	if !known && mustUnderstand(e) {
		h.misunderstood(wsman.QName{Space: ns, Local: e.Tag})
	}
}

// isAddressing says whether a header is of WS-Addressing: of the version that the
// first such header of the message had.
func (h *headerReader) isAddressing(ns string, declared bool) bool {
	if h.m.Addressing == "" && (ns == wsman.NSAddressing || ns == wsman.NSAddressing10) {
		h.m.Addressing = ns
	}
	return !declared || ns != "" && ns == h.m.Addressing
}

// Of the headers that are not understood so many are named, and none whose name is
// longer than this. All are counted.
const (
	maxMisunderstood     = 8
	maxMisunderstoodName = 256
)

func (h *headerReader) misunderstood(name wsman.QName) {
	if len(h.m.NotUnderstood) > 0 && (len(h.m.NotUnderstood) == maxMisunderstood || len(name.Space)+len(name.Local) > maxMisunderstoodName) {
		return
	}
	h.m.NotUnderstood = append(h.m.NotUnderstood, name)
}

// readAddressing takes a header of WS-Addressing; false if it is none.
func (h *headerReader) readAddressing(e *Element) bool {
	switch e.Tag {
	case "To":
		h.uri(&h.m.To, headerTo, e)
	case "Action":
		h.uri(&h.m.Action, headerAction, e)
	case "MessageID":
		h.uri(&h.m.MessageID, headerMessageID, e)
	case "RelatesTo":
		h.m.RelatesTo = Text(e)
	case "ReplyTo":
		h.endpoint(&h.m.ReplyTo, headerReplyTo, e)
	case "FaultTo":
		h.endpoint(&h.m.FaultTo, headerFaultTo, e)
	case "From":
		h.once(headerFrom, e)
	default:
		return false
	}
	return true
}

// maxURI is the longest URI in a header (DSP0226 R13.1-2).
const maxURI = 2048

// uri takes a header that occurs once and may not be empty. What is longer than a
// URI may be is left out: it would be repeated in the answer.
func (h *headerReader) uri(into *string, bit uint32, e *Element) {
	if !h.once(bit, e) {
		return
	}
	switch v := Text(e); {
	case v == "":
		h.fail(wsman.InvalidHeader("", "the header %s is empty", e.Tag))
	case len(v) > maxURI:
		h.fail(wsman.EncodingLimit(wsman.DetailURILimit, "the header %s has more than %d bytes", e.Tag, maxURI))
	default:
		*into = v
	}
}

// endpoint takes the address of an endpoint reference, which it must have.
func (h *headerReader) endpoint(into *string, bit uint32, e *Element) {
	if !h.once(bit, e) {
		return
	}
	if *into = ChildText(e, h.m.Addressing, "Address"); *into == "" {
		h.fail(wsman.InvalidHeader("", "the header %s has no address", e.Tag))
	}
}

// readManagement takes a header of WS-Management; false if it is none.
func (h *headerReader) readManagement(e *Element) bool {
	switch e.Tag {
	case "ResourceURI":
		h.uri(&h.m.ResourceURI, headerResourceURI, e)
	case "SelectorSet":
		h.readSelectors(e)
	case "OptionSet":
		h.readOptions(e)
	case "MaxEnvelopeSize":
		h.readSize(e)
	case "OperationTimeout":
		h.readTimeout(e)
	case "Locale":
		h.readLocale(e)
	case "FragmentTransfer":
		h.m.Fragment = h.once(headerFragment, e) || h.m.Fragment
	case "RequestEPR":
		h.m.RequestEPR = h.once(headerRequestEPR, e) || h.m.RequestEPR
	case "RequestTotalItemsCountEstimate":
		h.once(headerItemsCount, e)
	default:
		return false
	}
	return true
}

func (h *headerReader) readSelectors(e *Element) {
	if !h.once(headerSelectorSet, e) {
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
	if !h.once(headerOptionSet, e) {
		return
	}
	for o := range Children(e) {
		if !Is(o, wsman.NSWSMan, "Option") {
			continue
		}
		if len(h.m.Options) == maxOptions {
			h.fail(wsman.EncodingLimit(wsman.DetailOptionLimit, "there are more than %d options", maxOptions))
			return
		}
		h.m.Options = append(h.m.Options, readOption(o))
	}
}

func readOption(e *Element) Option {
	name, _ := Attr(e, "", "Name")
	kind, _ := Attr(e, "", "Type")
	must, _ := Attr(e, "", "MustComply")
	return Option{Name: strings.TrimSpace(name), Type: strings.TrimSpace(kind), Value: Text(e), MustComply: truth(must)}
}

func (h *headerReader) readSize(e *Element) {
	if !h.once(headerMaxEnvelopeSize, e) {
		return
	}
	h.m.EnvelopePolicy, _ = Attr(e, "", "Policy")
	n, err := strconv.ParseInt(Text(e), 10, 64)
	if n <= 0 || err != nil && !errors.Is(err, strconv.ErrRange) {
		h.fail(wsman.InvalidHeader("", "MaxEnvelopeSize is not a positive number"))
		return
	}
	h.m.MaxEnvelopeSize = n // the largest there is, for what is larger
}

func (h *headerReader) readTimeout(e *Element) {
	if !h.once(headerOperationTimeout, e) {
		return
	}
	d, ok := ParseTimeout(Text(e))
	if !ok || d == 0 {
		h.fail(wsman.InvalidHeader(wsman.DetailInvalidTimeout, "OperationTimeout is not a positive duration"))
		return
	}
	h.m.Timeout = max(d, time.Nanosecond)
}

func (h *headerReader) readLocale(e *Element) {
	if !h.once(headerLocale, e) {
		return
	}
	h.m.Locale, _ = Attr(e, wsman.NSXML, "lang")
	h.m.LocaleRequired = mustUnderstand(e)
}

// isMicrosoft says whether a header of Windows clients asks for nothing that this
// service does not do: those that only say who asks, and DataLocale, since values
// are written in the forms of XML Schema whatever the locale.
func isMicrosoft(tag string) bool {
	switch tag {
	case "SessionId", "OperationID", "SequenceId", "ActivityId", "MachineID", "DataLocale":
		return true
	}
	return false
}

// The roles that a service has for every message (SOAP 1.2 part 1 section 2.2).
const (
	roleNext     = wsman.NSSOAP + "/role/next"
	roleReceiver = wsman.NSSOAP + "/role/ultimateReceiver"
)

// isForUs says whether a header block is for a role that a service has.
func isForUs(e *Element) bool {
	role, _ := Attr(e, wsman.NSSOAP, "role")
	switch strings.TrimSpace(role) {
	case "", roleNext, roleReceiver:
		return true
	}
	return false
}

// mustUnderstand says whether a header block must not be ignored.
func mustUnderstand(e *Element) bool {
	v, _ := Attr(e, wsman.NSSOAP, "mustUnderstand")
	return truth(v)
}
