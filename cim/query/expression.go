package query

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// expression compiles a pattern of CQL, a regular expression that the whole text
// must match (DSP0202 annex B). Served are . * + ? | ( ) [...] and, before any
// character that is meant itself, the backslash; ^ and $ at the ends change
// nothing. A match takes time in proportion to the lengths of pattern and text
// multiplied.
func expression(pattern string) (func(string) bool, error) {
	t := translation{rest: []rune(pattern)}
	for len(t.rest) > 0 {
		if err := t.next(); err != nil {
			return nil, err
		}
	}
	re, err := regexp.Compile("(?s)^(?:" + t.out.String() + ")$")
	if err != nil {
		return nil, fmt.Errorf("not a regular expression: %s", reason(err))
	}
	return re.MatchString, nil
}

// reason is what the regexp package says, without the expression.
func reason(err error) string {
	s := strings.TrimPrefix(err.Error(), "error parsing regexp: ")
	s, _, _ = strings.Cut(s, ": `")
	return s
}

// translation turns the regular expressions of CQL into those of Go.
type translation struct {
	rest    []rune
	out     strings.Builder
	begun   bool
	counted bool // the last was * + or ?
}

func (t *translation) next() error {
	r := t.rest[0]
	t.rest = t.rest[1:]
	counted := false
	switch r {
	case '*', '+', '?':
		if counted = true; t.counted {
			return fmt.Errorf("%c follows another count", r)
		}
		t.out.WriteRune(r)
	case '(':
		t.out.WriteString("(?:")
	case '.', '|', ')':
		t.out.WriteRune(r)
	case '[':
		if err := t.set(); err != nil {
			return err
		}
	case '{', '}':
		return errors.New("counts in braces are not served")
	case '^':
		if t.begun {
			return errors.New(`^ is served at the beginning only; the character itself is written \^`)
		}
	case '$':
		if len(t.rest) > 0 {
			return errors.New(`$ is served at the end only; the character itself is written \$`)
		}
	case '\\':
		if len(t.rest) == 0 {
			return errors.New("nothing follows the last backslash")
		}
		r, t.rest = t.rest[0], t.rest[1:]
		t.literal(r)
	default:
		t.literal(r)
	}
	t.counted, t.begun = counted, true
	return nil
}

func (t *translation) literal(r rune) { t.out.WriteString(regexp.QuoteMeta(string(r))) }

// set translates a set of characters; [ has been read.
func (t *translation) set() error {
	t.out.WriteByte('[')
	if len(t.rest) > 0 && t.rest[0] == '^' {
		t.out.WriteByte('^')
		t.rest = t.rest[1:]
	}
	for i, r := range t.rest {
		switch {
		case r == ']' && i > 0:
			t.out.WriteByte(']')
			t.rest = t.rest[i+1:]
			return nil
		case r == '-' && i > 0:
			t.out.WriteByte('-')
		default:
			t.out.WriteString(`\x{` + fmt.Sprintf("%x", r) + `}`)
		}
	}
	return errors.New("[ has no ]")
}
