package query

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// glyph is what a pattern of WQL wants of one character, or of any number of them.
type glyph struct {
	many   bool // %
	any    bool // _
	set    []span
	except bool // [^...]: none of set
	r      rune // itself, folded, where there is no set
}

// span is the characters from lo to hi.
type span struct{ lo, hi rune }

// wildcard compiles a pattern of WQL: % is any number of characters, _ one, [a-f]
// one of a set and [^a-f] one of no set; [%], [_] and [[] are the characters
// themselves. Letters match in either case. A match takes time in proportion to the
// lengths of pattern and text multiplied, at most.
func wildcard(pattern string) (func(string) bool, error) {
	var glyphs []glyph
	for rest := pattern; rest != ""; {
		g, n, err := readGlyph(rest)
		if err != nil {
			return nil, err
		}
		rest = rest[n:]
		if g.many && len(glyphs) > 0 && glyphs[len(glyphs)-1].many {
			continue
		}
		glyphs = append(glyphs, g)
	}
	return func(text string) bool { return matchGlyphs(glyphs, text) }, nil
}

func readGlyph(s string) (g glyph, n int, err error) {
	r, n := utf8.DecodeRuneInString(s)
	switch r {
	case '%':
		return glyph{many: true}, n, nil
	case '_':
		return glyph{any: true}, n, nil
	case '[':
		return readSet(s)
	}
	return glyph{r: folded(r)}, n, nil
}

func readSet(s string) (g glyph, n int, err error) {
	end := strings.IndexByte(s, ']')
	if end < 0 {
		return g, 0, errors.New("[ has no ]; the character itself is written [[]")
	}
	inner, except := strings.CutPrefix(s[1:end], "^")
	if except && inner == "" {
		inner, except = "^", false
	}
	set, err := readSpans([]rune(inner))
	return glyph{set: set, except: except}, end + 1, err
}

// readSpans reads characters and, with a hyphen between two, ranges of them.
func readSpans(rs []rune) ([]span, error) {
	if len(rs) == 0 {
		return nil, errors.New("[] has no characters")
	}
	var set []span
	for i := 0; i < len(rs); i++ {
		s := span{rs[i], rs[i]}
		if i+2 < len(rs) && rs[i+1] == '-' {
			s.hi = rs[i+2]
			i += 2
		}
		if s.lo > s.hi {
			return nil, errors.New("a range of characters ends before it begins")
		}
		set = append(set, s)
	}
	return set, nil
}

func (g *glyph) matches(r rune) bool {
	switch {
	case g.any:
		return true
	case g.set == nil:
		return r == g.r || folded(r) == g.r
	}
	return g.holds(r) != g.except
}

// holds says whether the set has the character in any case.
func (g *glyph) holds(r rune) bool {
	for f := unicode.SimpleFold(r); ; f = unicode.SimpleFold(f) {
		for _, s := range g.set {
			if s.lo <= f && f <= s.hi {
				return true
			}
		}
		if f == r {
			return false
		}
	}
}

// matchGlyphs lets each % take as little as it can. When what follows does not fit,
// only the last % takes one character more: those before it need never change.
func matchGlyphs(glyphs []glyph, text string) bool {
	at, back, resume := 0, -1, 0
	for i := 0; i < len(text) || at < len(glyphs); {
		if at < len(glyphs) && glyphs[at].many {
			back, resume = at, i
			if at++; at == len(glyphs) {
				return true
			}
			continue
		}
		if i < len(text) && at < len(glyphs) {
			if r, n := utf8.DecodeRuneInString(text[i:]); glyphs[at].matches(r) {
				at, i = at+1, i+n
				continue
			}
		}
		if back < 0 || i >= len(text) {
			return false
		}
		_, n := utf8.DecodeRuneInString(text[resume:])
		resume += n
		at, i = back+1, resume
	}
	return true
}
