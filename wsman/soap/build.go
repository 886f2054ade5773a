package soap

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/beevik/etree"
)

// builder makes the tree of a document that passed scan. It takes XML 1.0 without
// document type declarations and processing instructions, and checks that it is
// well-formed; prefixes need not be declared (see Is). Names, texts and values that need no change share
// the memory of the document. Comments are dropped.
type builder struct {
	size int    // of the document
	rest string // what is not taken yet
	root *Element
	top  *Element // the innermost open element
	err  error    // the first one; nothing is taken after it
	slab slab
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
		b.slab.text(b.top, s)
	}
}

// startTag takes a start tag or an empty-element tag, after its '<'.
func (b *builder) startTag() {
	name := b.name()
	var e *Element
	switch {
	case b.err != nil:
		return
	case b.top != nil:
		e = b.slab.element(b.top, name)
	case b.root != nil:
		b.fail("a second element")
		return
	default:
		e = b.slab.element(nil, name)
		b.root = e
	}
	e.Attr = b.slab.attributes()
	b.attributes(e)
	e.Attr = b.slab.keep(e.Attr)
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
