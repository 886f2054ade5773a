package soap

import (
	"bytes"

	"twinlun/wsman"
)

// scanner goes over XML text once, without building anything, and stops where a
// limit is passed or where there is what SOAP does not allow. It finds where tags
// and attribute values begin and end; whether the XML is well-formed is left to
// the parser after it.
type scanner struct {
	rest  []byte
	limit Limits
	depth int
	nodes int
	start bool // nothing was taken yet
}

// scan checks text against the limits in one pass. The error is a *wsman.Fault.
func scan(text []byte, l Limits) error {
	s := &scanner{rest: text, limit: l, start: true}
	for len(s.rest) > 0 {
		if err := s.next(); err != nil {
			return err
		}
		s.start = false
	}
	return nil
}

// next takes the text up to the next markup, and the markup.
func (s *scanner) next() error {
	i := bytes.IndexByte(s.rest, '<')
	if i < 0 {
		i = len(s.rest)
	}
	if err := s.checkText(i); err != nil {
		return err
	}
	s.rest = s.rest[i:]
	switch {
	case len(s.rest) == 0:
		return nil
	case bytes.HasPrefix(s.rest, []byte("<!--")):
		return s.section("<!--", "-->")
	case bytes.HasPrefix(s.rest, []byte("<![CDATA[")):
		return s.section("<![CDATA[", "]]>")
	case bytes.HasPrefix(s.rest, []byte("<!")):
		return malformed("a document type declaration is not allowed")
	case bytes.HasPrefix(s.rest, []byte("<?")):
		return s.instruction()
	case bytes.HasPrefix(s.rest, []byte("</")):
		if s.depth--; s.depth < 0 {
			return malformed("an end tag without its start tag")
		}
		s.nodes-- // counted when it was opened
		return s.skip("</", ">")
	default:
		return s.startTag()
	}
}

func (s *scanner) checkText(n int) error {
	if n > s.limit.TextLen {
		return wsman.EncodingLimit("", "a text has more than %d bytes", s.limit.TextLen)
	}
	return nil
}

// section takes markup that has a text in it.
func (s *scanner) section(opening, closing string) error {
	n, err := s.until(opening, closing)
	if err != nil {
		return err
	}
	return s.checkText(n)
}

// skip takes markup whatever is in it.
func (s *scanner) skip(opening, closing string) error {
	_, err := s.until(opening, closing)
	return err
}

// until takes markup from its opening to its closing and gives the length between.
func (s *scanner) until(opening, closing string) (int, error) {
	n := bytes.Index(s.rest[len(opening):], []byte(closing))
	if n < 0 {
		return 0, malformed("the XML ends within %s", opening)
	}
	s.rest = s.rest[len(opening)+n+len(closing):]
	return n, s.count()
}

// count counts what the tree will have a node for: elements, comments, CDATA.
func (s *scanner) count() error {
	s.nodes++
	if s.nodes > s.limit.Elements {
		return wsman.EncodingLimit("", "the message has more than %d elements", s.limit.Elements)
	}
	return nil
}

// instruction takes a processing instruction, of which only the XML declaration at
// the very beginning is allowed.
func (s *scanner) instruction() error {
	declaration := s.start && bytes.HasPrefix(s.rest, []byte("<?xml")) && len(s.rest) > 5 && isSpace(s.rest[5])
	if !declaration {
		return malformed("a processing instruction is not allowed")
	}
	return s.skip("<?", "?>")
}

// maxName is the longest name of an element or attribute. Names are repeated in
// answers.
const maxName = 1024

// startTag takes a start tag or an empty-element tag.
func (s *scanner) startTag() error {
	attrs, name := 0, 1 // where the last name may have begun
	for i := 1; i < len(s.rest); i++ {
		if i-name > maxName {
			return wsman.EncodingLimit("", "a name has more than %d bytes", maxName)
		}
		switch c := s.rest[i]; c {
		case ' ', '\t', '\r', '\n', '=', '/':
			name = i + 1
		case '"', '\'':
			n := bytes.IndexByte(s.rest[i+1:], c)
			if n < 0 {
				return malformed("the XML ends within an attribute")
			}
			if attrs++; attrs > s.limit.Attributes {
				return wsman.EncodingLimit("", "an element has more than %d attributes", s.limit.Attributes)
			}
			if err := s.checkText(n); err != nil {
				return err
			}
			i += n + 1
			name = i + 1
		case '<':
			return malformed("a tag within a tag")
		case '>':
			empty := s.rest[i-1] == '/'
			s.rest = s.rest[i+1:]
			return s.enter(empty)
		}
	}
	return malformed("the XML ends within a tag")
}

// enter counts an element and its depth.
func (s *scanner) enter(empty bool) error {
	if s.depth++; s.depth > s.limit.Depth {
		return wsman.EncodingLimit("", "elements are nested more than %d deep", s.limit.Depth)
	}
	if empty {
		s.depth--
	}
	return s.count()
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }
