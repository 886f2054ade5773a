package soap

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/beevik/etree"
)

// builder makes the tree of a document that passed scan. It takes XML 1.0 with
// namespaces, without document type declarations and processing instructions, and
// checks that it is well-formed. Names, texts and values that need no change share
// the memory of the document. Comments are dropped.
type builder struct {
	size int    // of the document
	rest string // what is not taken yet
	root *Element
	top  *Element // the innermost open element
	err  error    // the first one; nothing is taken after it
}

// build makes the tree. The error says what is wrong, for the log.
func build(text []byte) (*Element, error) {
	b := &builder{size: len(text), rest: string(text)}
	b.checkCharacters()
	b.declaration()
	for b.rest != "" && b.err == nil {
		b.next()
	}
	if b.top != nil {
		b.fail("an element is not closed")
	}
	if b.root == nil {
		b.fail("there is no element")
	}
	return b.root, b.err
}

func (b *builder) fail(what string) {
	if b.err == nil {
		b.err = fmt.Errorf("XML at byte %d: %s", b.size-len(b.rest), what)
	}
}

// checkCharacters refuses what is no character of XML 1.0 (section 2.2).
func (b *builder) checkCharacters() {
	if !utf8.ValidString(b.rest) || strings.Contains(b.rest, "\uFFFE") || strings.Contains(b.rest, "\uFFFF") {
		b.fail("a character is not allowed")
		return
	}
	for i := 0; i < len(b.rest); i++ {
		if c := b.rest[i]; c < 0x20 && !isSpace(c) {
			b.fail("a control character")
			return
		}
	}
}

// declaration takes the XML declaration, if there is one.
func (b *builder) declaration() {
	b.skipSpace()
	if !strings.HasPrefix(b.rest, "<?xml") {
		return
	}
	b.rest = b.rest[len("<?xml"):]
	e := etree.NewElement("xml")
	b.attributes(e)
	if !b.take("?>") || e.SelectAttrValue("version", "") != "1.0" {
		b.fail("the XML declaration")
	}
}

// next takes the text up to the next markup, and the markup.
func (b *builder) next() {
	i := strings.IndexByte(b.rest, '<')
	if i < 0 {
		i = len(b.rest)
	}
	b.text(b.rest[:i])
	b.rest = b.rest[i:]
	switch {
	case b.rest == "" || b.err != nil:
	case b.take("<!--"):
		if text := b.until("-->"); strings.Contains(text, "--") || strings.HasSuffix(text, "-") {
			b.fail("two hyphens in a comment")
		}
	case b.take("<![CDATA["):
		b.data(b.until("]]>"))
	case b.take("</"):
		b.endTag()
	case b.take("<"):
		b.startTag()
	}
}

// take takes s if it is next.
func (b *builder) take(s string) bool {
	rest, ok := strings.CutPrefix(b.rest, s)
	b.rest = rest
	return ok
}

// until takes everything up to s, and s.
func (b *builder) until(s string) string {
	text, rest, ok := strings.Cut(b.rest, s)
	if !ok {
		b.fail("the end is missing: " + s)
	}
	b.rest = rest
	return text
}

func (b *builder) skipSpace() (skipped bool) {
	n := 0
	for n < len(b.rest) && isSpace(b.rest[n]) {
		n++
	}
	b.rest = b.rest[n:]
	return n > 0
}

// text takes character data with references in it.
func (b *builder) text(s string) {
	if b.top == nil {
		if strings.Trim(s, " \t\r\n") != "" {
			b.fail("text outside of the element")
		}
		return
	}
	if strings.Contains(s, "]]>") {
		b.fail("]]> in text")
	}
	b.add(b.resolve(normalize(s)))
}

// data takes character data that stands for itself.
func (b *builder) data(s string) {
	if b.top == nil {
		b.fail("CDATA outside of the element")
		return
	}
	b.add(normalize(s))
}

func (b *builder) add(s string) {
	if s != "" && b.err == nil {
		b.top.CreateText(s)
	}
}

// normalize makes every end of line a line feed (XML 1.0 section 2.11).
func normalize(s string) string {
	if strings.IndexByte(s, '\r') < 0 {
		return s
	}
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
}

// resolve replaces references to characters.
func (b *builder) resolve(s string) string {
	i := strings.IndexByte(s, '&')
	if i < 0 {
		return s
	}
	var out strings.Builder
	for ; i >= 0; i = strings.IndexByte(s, '&') {
		out.WriteString(s[:i])
		name, rest, ok := strings.Cut(s[i+1:], ";")
		r := reference(name)
		if !ok || r < 0 {
			b.fail("a reference to nothing")
			return ""
		}
		out.WriteRune(r)
		s = rest
	}
	out.WriteString(s)
	return out.String()
}

// reference is the character that a reference stands for, negative if it is none.
func reference(name string) rune {
	switch name {
	case "lt":
		return '<'
	case "gt":
		return '>'
	case "amp":
		return '&'
	case "quot":
		return '"'
	case "apos":
		return '\''
	}
	digits, ok := strings.CutPrefix(name, "#")
	if !ok {
		return -1
	}
	base := 10
	if hex, isHex := strings.CutPrefix(digits, "x"); isHex {
		digits, base = hex, 16
	}
	n, err := strconv.ParseUint(digits, base, 32)
	r := rune(n)
	if err != nil || n > unicode.MaxRune || !utf8.ValidRune(r) || r < 0x20 && !isSpace(byte(r)) || r == 0xFFFE || r == 0xFFFF {
		return -1
	}
	return r
}

// startTag takes a start tag or an empty-element tag, after its '<'.
func (b *builder) startTag() {
	name := b.name()
	var e *Element
	switch {
	case b.err != nil:
		return
	case b.top != nil:
		e = b.top.CreateElement(name)
	case b.root != nil:
		b.fail("a second element")
		return
	default:
		e = etree.NewElement(name)
		b.root = e
	}
	b.attributes(e)
	switch {
	case b.take("/>"):
	case b.take(">"):
		b.top = e
	default:
		b.fail("a tag is not closed")
	}
}

func (b *builder) endTag() {
	name := b.name()
	b.skipSpace()
	if b.top == nil || !sameName(b.top, name) || !b.take(">") {
		b.fail("an end tag without its start tag")
		return
	}
	b.top = b.top.Parent()
}

// sameName compares an element's qualified name.
func sameName(e *Element, name string) bool {
	if e.Space == "" {
		return e.Tag == name
	}
	n := len(e.Space)
	return len(name) == n+1+len(e.Tag) && name[:n] == e.Space && name[n] == ':' && name[n+1:] == e.Tag
}

// attributes takes the attributes of a tag.
func (b *builder) attributes(e *Element) {
	for b.skipSpace() && b.err == nil {
		if b.rest == "" || strings.IndexByte("/>?", b.rest[0]) >= 0 {
			return
		}
		name := b.name()
		b.skipSpace()
		if !b.take("=") {
			b.fail("an attribute without a value")
			return
		}
		b.skipSpace()
		value := b.value()
		if n := len(e.Attr); b.err == nil {
			e.CreateAttr(name, value)
			if len(e.Attr) == n {
				b.fail("an attribute is there twice")
			}
		}
	}
}

// value takes a value in quotes and normalizes it (XML 1.0 section 3.3.3).
func (b *builder) value() string {
	quote := `"`
	if !b.take(quote) {
		if quote = `'`; !b.take(quote) {
			b.fail("a value without quotes")
			return ""
		}
	}
	s := b.until(quote)
	if strings.IndexByte(s, '<') >= 0 {
		b.fail("< in a value")
	}
	if strings.ContainsAny(s, "\t\n\r") {
		s = strings.Map(blank, normalize(s))
	}
	return b.resolve(s)
}

// blank makes white space a blank.
func blank(r rune) rune {
	if r < utf8.RuneSelf && isSpace(byte(r)) {
		return ' '
	}
	return r
}

// name takes a qualified name (Namespaces in XML 1.0 section 4).
func (b *builder) name() string {
	n, start, colons := 0, true, 0
	for n < len(b.rest) {
		r, size := utf8.DecodeRuneInString(b.rest[n:])
		switch {
		case r == ':' && !start && colons == 0:
			colons, start = 1, true
		case isNameRune(r, start):
			start = false
		default:
			size = 0
		}
		if size == 0 {
			break
		}
		n += size
	}
	name := b.rest[:n]
	if start {
		b.fail("a name is missing")
	}
	b.rest = b.rest[n:]
	return name
}

// isNameRune says whether a name can have r, or begin with it.
func isNameRune(r rune, start bool) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', r == '_':
		return true
	case '0' <= r && r <= '9', r == '-', r == '.':
		return !start
	case r < utf8.RuneSelf:
		return false
	}
	return unicode.IsLetter(r) || !start && (unicode.IsDigit(r) || unicode.IsMark(r))
}
