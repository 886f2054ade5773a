package wscim

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"twinlun/cim"
)

// mofReader reads an instance in MOF: instance of CLASS { PROPERTY = VALUE; };
type mofReader struct {
	mofLexer
	reader reader
}

// embeddedMOF reads an embedded instance that came as MOF.
func (r reader) embeddedMOF(d decl, text string) (cim.Value, error) {
	m := &mofReader{mofLexer: mofLexer{text: text}, reader: r}
	m.next()
	in := m.instance(d)
	m.sign(";")
	if m.err == nil && m.tok.kind != mofEnd {
		m.failf("the instance ends before this")
	}
	if m.err != nil {
		return nil, m.err
	}
	return in, nil
}

// sign and word take the token at hand if it is that one.
func (m *mofReader) sign(s string) bool { return m.taken(m.tok.kind == mofSign && m.tok.text == s) }
func (m *mofReader) word(s string) bool {
	return m.taken(m.tok.kind == mofWord && strings.EqualFold(m.tok.text, s))
}

func (m *mofReader) taken(is bool) bool {
	if is {
		m.next()
	}
	return is
}

func (m *mofReader) want(what string, ok bool) {
	if !ok {
		m.failf("%s is missing", what)
	}
}

// fail makes an error of another part that of the place at hand.
func (m *mofReader) fail(err error) {
	if err != nil {
		m.failf("%v", err)
	}
}

// instance reads from "instance" to "}".
func (m *mofReader) instance(d decl) *cim.Instance {
	m.want(`"instance of", or XML,`, m.word("instance") && m.word("of"))
	c, err := m.reader.env.class(m.tok.text)
	if err == nil {
		err = checkEmbedded(c, d.embedded)
	}
	if m.fail(err); m.err != nil {
		return nil
	}
	m.next()
	m.want(`"{"`, m.sign("{"))
	in := cim.NewInstance(c)
	for m.err == nil && !m.sign("}") {
		m.assignment(in)
	}
	return in
}

// assignment reads PROPERTY = VALUE;
func (m *mofReader) assignment(in *cim.Instance) {
	p := in.Class.Property(m.tok.text)
	if m.tok.kind != mofWord || p == nil {
		m.failf("class %s has no property %q", in.Class.Name, clip(m.tok.text))
		return
	}
	m.next()
	m.want(`"="`, m.sign("="))
	at := m.tok
	v := m.value(ofProperty(p))
	if m.err != nil {
		return
	}
	if err := in.Set(p.Name, v); err != nil {
		m.tok = at
		m.fail(err)
	}
	m.want(`";"`, m.sign(";"))
}

// value reads a value or a list of them.
func (m *mofReader) value(d decl) cim.Value {
	switch {
	case m.tok.kind == mofSign && m.tok.text == "{" && !d.array:
		m.failf("property %s is no array", d.name)
		return nil
	case !m.sign("{"):
		return m.scalar(d)
	}
	list := []cim.Value{}
	for m.err == nil && !m.sign("}") {
		if len(list) > 0 {
			m.want(`","`, m.sign(","))
		}
		list = append(list, m.scalar(d))
	}
	return list
}

func (m *mofReader) scalar(d decl) cim.Value {
	switch {
	case m.err != nil || m.word("null"):
		return nil
	case d.embedded != "":
		return m.embedded(d)
	}
	v, err := m.literal(d)
	if err != nil {
		m.failf("property %s: %v", d.name, err)
		return nil
	}
	m.next()
	return v
}

// embedded reads an embedded instance, as it is or as a string that holds it.
func (m *mofReader) embedded(d decl) cim.Value {
	if m.reader.depth++; m.reader.depth > maxNesting {
		m.failf("instances are nested more than %d deep", maxNesting)
		return nil
	}
	defer func() { m.reader.depth-- }()
	if m.tok.kind != mofString {
		return m.instance(d)
	}
	v, err := m.reader.embeddedText(d, strings.TrimSpace(m.tok.text))
	if err != nil {
		m.fail(err)
		return nil
	}
	m.next()
	return v
}

// literal is the value of the token at hand.
func (m *mofReader) literal(d decl) (cim.Value, error) {
	k, text, t := m.tok.kind, m.tok.text, d.kind
	switch {
	case k == mofString && t == cim.Reference:
		return m.reference(d, text)
	case k == mofString && (t == cim.String || t == cim.Datetime), k == mofChar && t == cim.Char16, k == mofWord && t == cim.Boolean, k == mofNumber && t.Real():
		return cim.ParseText(t, text)
	case k == mofNumber && (t.Signed() || t.Unsigned()):
		return mofInteger(t, text)
	case k == mofEnd:
		return nil, errors.New("the value is missing")
	}
	return nil, fmt.Errorf("want %s, have %q", t, clip(text))
}

func (m *mofReader) reference(d decl, text string) (cim.Value, error) {
	p, err := m.reader.pathText(text)
	if err != nil {
		return nil, err
	}
	return p, m.reader.checkClass(p.Class, d.refClass)
}

// mofInteger reads decimal and hexadecimal numbers, octal ones after 0, and binary ones
// before b.
func mofInteger(t cim.Type, text string) (cim.Value, error) {
	digits := strings.TrimLeft(text, "+-")
	sign := text[:len(text)-len(digits)]
	base := 0
	switch {
	case len(sign) > 1:
		return nil, fmt.Errorf("want %s, have %q", t, clip(text))
	case len(digits) > 1 && digits[len(digits)-1]|0x20 == 'b' && strings.Trim(digits[:len(digits)-1], "01") == "":
		digits, base = digits[:len(digits)-1], 2
	case len(digits) > 1 && digits[0] == '0' && strings.Trim(digits, "01234567") == "":
		base = 8
	}
	if base > 0 {
		n, err := strconv.ParseUint(digits, base, 64)
		if err != nil {
			return nil, fmt.Errorf("%s is out of the range of %s", clip(text), t)
		}
		text = sign + strconv.FormatUint(n, 10)
	}
	return cim.ParseText(t, text)
}
