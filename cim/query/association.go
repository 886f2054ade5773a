package query

import (
	"strings"

	"twinlun/cim"
)

// IsAssociation says whether a query is one of the statements of WQL that
// ParseAssociation reads.
func IsAssociation(q cim.Query) bool {
	if d, err := dialectOf(q.Language); err != nil || d.cql || len(q.Text) > MaxText {
		return false
	}
	p := newParser(dialect{}, q.Text)
	return p.isWord("ASSOCIATORS") || p.isWord("REFERENCES")
}

// ParseAssociation reads ASSOCIATORS OF {path} and REFERENCES OF {path}, with WHERE
// and the keywords AssocClass, ResultClass, Role and ResultRole (MS-WMI section
// 2.2.1). The other keywords are StatusInvalidQuery, as is everything else that is
// wrong. The path has a namespace only where the text has.
func ParseAssociation(s *cim.Schema, text string) (cim.AssociationQuery, error) {
	p := newParser(dialect{name: "WQL"}, text)
	q := cim.AssociationQuery{References: p.isWord("REFERENCES")}
	if !p.acceptWord("ASSOCIATORS") && !p.acceptWord("REFERENCES") {
		p.unexpected("ASSOCIATORS or REFERENCES")
	}
	p.expectWord("OF")
	q.Object = p.object(s)
	if p.acceptWord("WHERE") {
		for given := map[string]bool{}; p.err == nil; {
			if p.restriction(&q, given); p.tok.kind == eof {
				break
			}
		}
	}
	if p.tok.kind != eof {
		p.unexpected("WHERE or the end of the query")
	}
	if p.err != nil {
		return cim.AssociationQuery{}, p.err
	}
	return q, nil
}

// object reads the path in braces.
func (p *parser) object(s *cim.Schema) *cim.Path {
	if !p.is("{") {
		p.unexpected(`"{"`)
		return nil
	}
	start := p.lex.off
	end := closingBrace(p.text[start:])
	if end < 0 {
		p.stop(p.tok.off, `"}" is missing`)
		return nil
	}
	path, err := ParsePath(s, p.text[start:start+end])
	if err != nil {
		p.stop(start, "%s", err)
		return nil
	}
	p.lex.off = start + end + 1
	p.advance()
	return path
}

// closingBrace finds the brace that ends a path, outside quotes; -1 if none does.
func closingBrace(s string) int {
	quote := byte(0)
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && quote != 0:
			i++
		case quote == 0 && c == '}':
			return i
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case c == quote:
			quote = 0
		}
	}
	return -1
}

// restriction reads one keyword and its value.
func (p *parser) restriction(q *cim.AssociationQuery, given map[string]bool) {
	t := p.expectKind(word, "AssocClass, ResultClass, Role or ResultRole")
	if p.err != nil {
		return
	}
	keyword := strings.ToUpper(t.text)
	into := target(q, keyword)
	switch {
	case into == nil:
		p.stop(t.off, "%s is not served in this statement", clip(t.text))
		return
	case given[keyword]:
		p.stop(t.off, "%s is given twice", clip(t.text))
		return
	}
	given[keyword] = true
	p.expect("=")
	if p.tok.kind != word && p.tok.kind != quoted {
		p.unexpected("a name")
		return
	}
	*into = p.tok.text
	p.advance()
}

// target is where the value of a keyword goes; nil where it is not served.
func target(q *cim.AssociationQuery, keyword string) *string {
	switch {
	case keyword == "RESULTCLASS":
		return &q.ResultClass
	case keyword == "ROLE":
		return &q.Role
	case keyword == "ASSOCCLASS" && !q.References:
		return &q.AssociationClass
	case keyword == "RESULTROLE" && !q.References:
		return &q.ResultRole
	}
	return nil
}
