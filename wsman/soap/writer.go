package soap

import (
	"cmp"
	"strconv"
	"unicode/utf8"

	"twinlun/wsman"
)

// Writer builds XML front to back in one buffer that it reuses: elements are
// started and ended, text and attribute values are escaped, and characters that
// XML 1.0 cannot carry become U+FFFD. It does not check that prefixes are
// declared or that names are names. There is never an XML declaration. It is for
// one goroutine; the zero value is ready.
type Writer struct {
	buf   []byte
	stack []span // the open elements, outermost first
	open  bool   // the last start tag can still get attributes
	// addressing is the version of WS-Addressing that the prefix a stands for.
	addressing string
}

// span is where in the buffer the qualified name of an open element is.
type span struct{ from, to int32 }

// Reset empties the writer and keeps its memory.
func (w *Writer) Reset() {
	w.buf, w.stack, w.open, w.addressing = w.buf[:0], w.stack[:0], false, ""
}

// Bytes is what was written, valid until the next write or Reset. Elements that
// are still open are not closed.
func (w *Writer) Bytes() []byte {
	w.closeTag()
	return w.buf
}

// Len is the length of Bytes.
func (w *Writer) Len() int {
	w.closeTag()
	return len(w.buf)
}

// Cap is how much memory the writer holds on to.
func (w *Writer) Cap() int { return cap(w.buf) }

// Mark is a place to go back to.
type Mark struct{ size, depth int }

// Mark remembers the present place.
func (w *Writer) Mark() Mark {
	w.closeTag()
	return Mark{size: len(w.buf), depth: len(w.stack)}
}

// Rewind takes back everything since the mark, which must have been made within an
// element that is still open.
func (w *Writer) Rewind(m Mark) {
	w.buf, w.stack, w.open = w.buf[:m.size], w.stack[:m.depth], false
}

// Start begins an element. An empty prefix leaves the name bare.
func (w *Writer) Start(prefix, local string) {
	w.closeTag()
	w.buf = append(w.buf, '<')
	from := len(w.buf)
	w.name(prefix, local)
	w.stack = append(w.stack, span{int32(from), int32(len(w.buf))})
	w.open = true
}

// Namespace declares a prefix on the element just started; an empty prefix
// declares the default namespace.
func (w *Writer) Namespace(prefix, uri string) {
	if prefix == "" {
		w.Attr("", "xmlns", uri)
		return
	}
	w.Attr("xmlns", prefix, uri)
}

// Attr gives the element just started an attribute. It does nothing once the
// element has content.
func (w *Writer) Attr(prefix, local, value string) {
	if !w.open {
		return
	}
	w.buf = append(w.buf, ' ')
	w.name(prefix, local)
	w.buf = append(w.buf, '=', '"')
	w.escape(value, true)
	w.buf = append(w.buf, '"')
}

// Text writes character data.
func (w *Writer) Text(s string) {
	w.closeTag()
	w.escape(s, false)
}

// Raw writes XML that is finished: whole elements, tags that belong together, or text
// that is escaped.
func (w *Writer) Raw(xml string) {
	w.closeTag()
	w.buf = append(w.buf, xml...)
}

// Uint writes a number as text.
func (w *Writer) Uint(v uint64) {
	w.closeTag()
	w.buf = strconv.AppendUint(w.buf, v, 10)
}

// Int writes a number as text.
func (w *Writer) Int(v int64) {
	w.closeTag()
	w.buf = strconv.AppendInt(w.buf, v, 10)
}

// End ends the innermost open element; without one it does nothing.
func (w *Writer) End() {
	if len(w.stack) == 0 {
		return
	}
	top := w.stack[len(w.stack)-1]
	w.stack = w.stack[:len(w.stack)-1]
	if w.open {
		w.buf = append(w.buf, '/', '>')
		w.open = false
		return
	}
	w.buf = append(w.buf, '<', '/')
	w.buf = append(w.buf, w.buf[top.from:top.to]...)
	w.buf = append(w.buf, '>')
}

// Element writes an element that holds text.
func (w *Writer) Element(prefix, local, text string) {
	w.Start(prefix, local)
	if text != "" {
		w.Text(text)
	}
	w.End()
}

// Nil writes an element that holds NULL. The prefix xsi must be declared.
func (w *Writer) Nil(prefix, local string) {
	w.closeTag()
	w.buf = append(w.buf, '<')
	w.name(prefix, local)
	w.buf = append(w.buf, ` xsi:nil="true"/>`...)
}

func (w *Writer) closeTag() {
	if w.open {
		w.buf = append(w.buf, '>')
		w.open = false
	}
}

func (w *Writer) name(prefix, local string) {
	if prefix != "" {
		w.buf = append(w.buf, prefix...)
		w.buf = append(w.buf, ':')
	}
	w.buf = append(w.buf, local...)
}

// plain says whether a byte stands for itself everywhere.
func plain(c byte) bool {
	const markup = 1<<'<' | 1<<'>' | 1<<'&' | 1<<'"' // all of them below 64
	return c >= 0x20 && c < utf8.RuneSelf && (c >= 64 || markup>>c&1 == 0)
}

// escape writes s as text, or as an attribute value.
func (w *Writer) escape(s string, attr bool) {
	from := 0
	for i := 0; i < len(s); {
		if plain(s[i]) {
			i++
			continue
		}
		size, with := escapeAt(s[i:], attr)
		if with != "" {
			w.buf = append(w.buf, s[from:i]...)
			w.buf = append(w.buf, with...)
			from = i + size
		}
		i += size
	}
	w.buf = append(w.buf, s[from:]...)
}

// escapeAt says how many bytes the first character of s has and what stands for
// it, empty if it stands for itself.
func escapeAt(s string, attr bool) (size int, with string) {
	switch c := s[0]; {
	case c == '<':
		return 1, "&lt;"
	case c == '>':
		return 1, "&gt;"
	case c == '&':
		return 1, "&amp;"
	case c == '"' && attr:
		return 1, "&quot;"
	case c == '\r':
		return 1, "&#xD;"
	case c == '\n' && attr:
		return 1, "&#xA;"
	case c == '\t' && attr:
		return 1, "&#x9;"
	case c == '"', c == '\n', c == '\t':
		return 1, ""
	case c < 0x20:
		return 1, replacement
	}
	r, size := utf8.DecodeRuneInString(s)
	if r == utf8.RuneError && size == 1 || r == 0xFFFE || r == 0xFFFF {
		return size, replacement
	}
	return size, ""
}

// replacement stands for what XML cannot carry.
const replacement = "\uFFFD"

// anonymous is what an empty address means, and what the anonymous address is in
// the version of WS-Addressing that is written.
func (w *Writer) anonymous(address string) string {
	if address == "" || wsman.IsAnonymous(address) {
		return wsman.AnonymousOf(w.addressing)
	}
	return address
}

// Addressing is the namespace of the version of WS-Addressing that is written, which
// the prefix a stands for.
func (w *Writer) Addressing() string { return cmp.Or(w.addressing, wsman.NSAddressing) }

// raw writes what is XML already.
func (w *Writer) raw(xml []byte) {
	w.closeTag()
	w.buf = append(w.buf, xml...)
}
