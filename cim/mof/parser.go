package mof

import (
	"strings"

	"twinlun/cim"
)

// parser is a recursive-descent parser with one token of look-ahead. It keeps
// the first error, after which every token is the end of the text.
type parser struct {
	lex *lexer
	tok token
}

// Parse reads the declarations of one MOF text; file is its name in messages. It
// stops at the first error, an *Error. It does not look at what names mean: that
// is for Link.
func Parse(file string, text []byte) ([]Decl, error) {
	p := &parser{lex: newLexer(file, text)}
	p.advance()
	var decls []Decl
	for p.tok.kind != eof {
		if d := p.declaration(); d != nil {
			decls = append(decls, d)
		}
	}
	if p.lex.err != nil {
		return nil, p.lex.err
	}
	return decls, nil
}

func (p *parser) advance() { p.tok = p.lex.next() }

func (p *parser) fail(at Pos, format string, args ...any) {
	p.lex.fail(at, format, args...)
	p.tok = token{Pos: at}
}

func (p *parser) unexpected(want string) {
	p.fail(p.tok.Pos, "want %s, have %s", want, p.tok)
}

// is says whether the next token is this punctuation mark.
func (p *parser) is(mark string) bool { return p.tok.kind == punct && p.tok.text == mark }

// accept takes a punctuation mark if it is next.
func (p *parser) accept(mark string) bool {
	if !p.is(mark) {
		return false
	}
	p.advance()
	return true
}

func (p *parser) expect(mark string) {
	if !p.accept(mark) {
		p.unexpected(`"` + mark + `"`)
	}
}

// isWord says whether the next token is this keyword, in any case.
func (p *parser) isWord(word string) bool {
	return p.tok.kind == ident && strings.EqualFold(p.tok.text, word)
}

func (p *parser) expectWord(word string) {
	if !p.isWord(word) {
		p.unexpected(word)
		return
	}
	p.advance()
}

// name takes an identifier.
func (p *parser) name(what string) (string, Pos) {
	t := p.tok
	if t.kind != ident {
		p.unexpected(what)
		return "", t.Pos
	}
	p.advance()
	return t.text, t.Pos
}

// list reads items between marks, separated by commas; there may be none.
func (p *parser) list(open, end string, item func()) {
	p.expect(open)
	if p.accept(end) {
		return
	}
	for item(); p.accept(","); item() {
	}
	p.expect(end)
}

func (p *parser) declaration() Decl {
	switch {
	case p.is("#"):
		p.pragma()
		return nil
	case p.isWord("qualifier"):
		return p.qualifierDecl()
	case p.isWord("class"), p.is("["):
		return p.classDecl()
	default:
		p.unexpected("a class or qualifier declaration")
		return nil
	}
}

// pragma passes #pragma locale. Others would change what is read and are refused.
func (p *parser) pragma() {
	p.expect("#")
	p.expectWord("pragma")
	word, at := p.name("the name of a pragma")
	if p.tok.kind != eof && !strings.EqualFold(word, "locale") {
		p.fail(at, "#pragma %s is not supported: all files of the folder are read", word)
	}
	p.expect("(")
	if p.tok.kind != text {
		p.unexpected("a string")
	}
	p.advance()
	p.expect(")")
}

// intrinsic takes the name of an intrinsic type.
func (p *parser) intrinsic() cim.Type {
	t, ok := cim.TypeNamed(strings.ToLower(p.tok.text))
	if p.tok.kind != ident || !ok {
		p.unexpected("a type")
		return 0
	}
	p.advance()
	return t
}

// typeRef takes a type, or the name of a class and REF.
func (p *parser) typeRef() TypeRef {
	if t, ok := cim.TypeNamed(strings.ToLower(p.tok.text)); ok && p.tok.kind == ident {
		p.advance()
		return TypeRef{Type: t}
	}
	class, at := p.name("a type")
	if !p.isWord("REF") && p.tok.kind != eof {
		p.fail(at, "no such type: %s", class)
	}
	p.expectWord("REF")
	return TypeRef{Type: cim.Reference, RefClass: class}
}

// arrayMark takes [] or [N]; the size is not kept, because arrays of a fixed
// size differ from others only in what is stored in them.
func (p *parser) arrayMark() bool {
	if !p.accept("[") {
		return false
	}
	if p.tok.kind == number {
		p.advance()
	}
	p.expect("]")
	return true
}
