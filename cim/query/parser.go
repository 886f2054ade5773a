package query

import "strings"

// parser is a recursive-descent parser with one token of look-ahead. It keeps the
// first error, after which every token is the end of the text.
type parser struct {
	*faults
	lex   *lexer
	tok   token
	depth int
	terms int
}

func newParser(d dialect, text string) *parser {
	f := &faults{text: text}
	p := &parser{faults: f, lex: &lexer{faults: f, dialect: d}}
	if len(text) > MaxText {
		p.fail(0, "the query has %d bytes; at most %d are served", len(text), MaxText)
	}
	p.advance()
	return p
}

func (p *parser) advance() { p.tok = p.lex.next() }

// stop keeps an error and ends the text.
func (p *parser) stop(off int, format string, args ...any) {
	p.fail(off, format, args...)
	p.tok = token{off: off}
}

func (p *parser) unexpected(want string) { p.stop(p.tok.off, "want %s, have %s", want, p.tok) }

func (p *parser) is(m string) bool { return p.tok.kind == mark && p.tok.text == m }

// accept takes a mark if it is next.
func (p *parser) accept(m string) bool {
	if !p.is(m) {
		return false
	}
	p.advance()
	return true
}

func (p *parser) expect(m string) {
	if !p.accept(m) {
		p.unexpected(`"` + m + `"`)
	}
}

// isWord says whether the next token is this keyword, in any case.
func (p *parser) isWord(w string) bool {
	return p.tok.kind == word && strings.EqualFold(p.tok.text, w)
}

func (p *parser) acceptWord(w string) bool {
	if !p.isWord(w) {
		return false
	}
	p.advance()
	return true
}

func (p *parser) expectWord(w string) {
	if !p.acceptWord(w) {
		p.unexpected(w)
	}
}

func (p *parser) expectKind(k kind, what string) token {
	t := p.tok
	if t.kind != k {
		p.unexpected(what)
		return t
	}
	p.advance()
	return t
}

// enter counts what is inside one another, and term what there is in all.
func (p *parser) enter() {
	if p.depth++; p.depth > MaxDepth {
		p.stop(p.tok.off, "parentheses and NOT are nested deeper than %d", MaxDepth)
	}
}

func (p *parser) leave() { p.depth-- }

func (p *parser) term(off int) {
	if p.terms++; p.terms > MaxTerms {
		p.stop(off, "the query has more than %d terms", MaxTerms)
	}
}

// statement reads a whole select statement.
func (p *parser) statement() *statement {
	if p.isWord("ASSOCIATORS") || p.isWord("REFERENCES") {
		p.stop(p.tok.off, "%s OF is not served here: it is no filter", strings.ToUpper(p.tok.text))
	}
	p.expectWord("SELECT")
	s := &statement{list: p.list()}
	p.expectWord("FROM")
	s.class = p.class()
	s.alias = p.alias()
	p.refuseClause()
	if p.acceptWord("WHERE") {
		s.where = p.condition()
		p.refuseClause()
	}
	if p.tok.kind != eof {
		p.unexpected("the end of the query")
	}
	return s
}

// list reads the select list; nil for "*".
func (p *parser) list() []*path {
	if p.accept("*") {
		return nil
	}
	var list []*path
	for {
		if p.isWord("DISTINCT") {
			p.stop(p.tok.off, "DISTINCT is not served: instances are distinct")
		}
		list = append(list, p.selected())
		if !p.accept(",") {
			return list
		}
	}
}

// selected reads one entry of the select list.
func (p *parser) selected() *path {
	if p.tok.kind != word || p.isWord("FROM") {
		p.unexpected("a property or *")
		return &path{where: where(p.tok.off)}
	}
	s := p.path()
	switch {
	case p.is("("):
		p.stop(s.at(), "functions in the select list, such as %s, are not served", s)
	case p.isWord("AS"):
		p.stop(p.tok.off, "names after AS in the select list are not served")
	}
	return s
}

// class reads the class after FROM.
func (p *parser) class() token {
	t := p.expectKind(word, "the name of a class")
	switch {
	case p.err != nil:
	case strings.EqualFold(t.text, "meta_class"):
		p.stop(t.off, "meta_class is not served: queries select instances; classes are enumerated and read with GetClass")
	case strings.HasPrefix(t.text, "__"):
		p.stop(t.off, "%s is not served: events are indications here, as in SELECT * FROM CIM_InstModification WHERE SourceInstance ISA 'CIM_StorageVolume'", clip(t.text))
	case p.is(","):
		p.stop(p.tok.off, "joins are not served: name one class after FROM")
	}
	return t
}

// alias reads the name that CQL may give the class.
func (p *parser) alias() string {
	if !p.lex.dialect.cql || p.tok.kind != word || p.isWord("WHERE") || refusal(p.tok.text) != "" {
		return ""
	}
	p.acceptWord("AS")
	name := p.expectKind(word, "a name for the class").text
	if p.is(",") {
		p.stop(p.tok.off, "joins are not served: name one class after FROM")
	}
	return name
}

// refuseClause refuses the clauses that are not served by their names.
func (p *parser) refuseClause() {
	if p.tok.kind != word {
		return
	}
	if why := refusal(p.tok.text); why != "" {
		p.stop(p.tok.off, "%s is not served%s", strings.ToUpper(p.tok.text), why)
	}
}

// refusal says why a clause is not served; empty for other words.
func refusal(clause string) string {
	switch strings.ToUpper(clause) {
	case "WITHIN":
		return ": indications are sent as things happen, without polling; leave it out"
	case "GROUP", "HAVING", "ORDER", "FIRST", "UNION", "INNER", "JOIN", "WITH":
		return ": instances are selected with FROM and WHERE only"
	}
	return ""
}
