package query

import (
	"errors"
	"fmt"
	"strings"

	"twinlun/cim"
)

// ParsePath reads an object path in the forms of Windows, `\\host\ns:Class.Key="v"`,
// and of DSP0207, //host/ns:Class.Key="v"; host and namespace may be missing, and so
// may the name of a sole key, Class="v". Values are in either kind of quotes with a
// backslash before a quote or a backslash, or plain. The class and the keys are those
// of the schema, the values coerced.
func ParsePath(s *cim.Schema, text string) (*cim.Path, error) {
	p, rest := cutNamespace(text)
	end := strings.IndexAny(rest, ".=")
	if end < 0 {
		end = len(rest)
	}
	class := s.Class(strings.TrimSpace(rest[:end]))
	if class == nil {
		return nil, fmt.Errorf("%q is not the path of an instance: there is no class %q", clip(text), clip(rest[:end]))
	}
	p.Class = class.Name
	r := &keyReader{schema: s, class: class, rest: rest[end:]}
	if err := r.read(); err != nil {
		return nil, fmt.Errorf("%q is not the path of an instance: %w", clip(text), err)
	}
	p.Keys = r.keys
	return p, nil
}

// cutNamespace takes host and namespace off the front of a path.
func cutNamespace(text string) (*cim.Path, string) {
	p := &cim.Path{}
	text = strings.TrimSpace(text)
	front := text
	if i := strings.IndexAny(text, `"'=`); i >= 0 {
		front = text[:i]
	}
	colon := strings.LastIndexByte(front, ':')
	if colon < 0 {
		return p, text
	}
	front = strings.ReplaceAll(front[:colon], `\`, "/")
	if _, after, ok := strings.Cut(front, "//"); ok {
		p.Host, front, _ = strings.Cut(after, "/")
	}
	p.Namespace = cim.CanonicalNamespace(front)
	return p, text[colon+1:]
}

// keyReader reads the keys of a path.
type keyReader struct {
	schema *cim.Schema
	class  *cim.Class
	rest   string // begins with . or =, or is empty
	keys   []cim.Key
}

func (r *keyReader) read() error {
	switch {
	case r.rest == "" || strings.TrimSpace(r.rest) == "=@":
	case r.rest[0] == '=':
		if len(r.class.Keys) != 1 {
			return fmt.Errorf("the keys of %s need their names", r.class.Name)
		}
		if err := r.value(r.class.Keys[0]); err != nil {
			return err
		}
	default:
		for len(r.rest) > 0 {
			if err := r.key(); err != nil {
				return err
			}
		}
	}
	if strings.TrimSpace(r.rest) != "" && len(r.keys) > 0 {
		return errors.New("something follows the keys")
	}
	return nil
}

// key reads a name and a value, after a point or a comma.
func (r *keyReader) key() error {
	name, _, ok := strings.Cut(r.rest[1:], "=")
	if !ok {
		return errors.New("a key has no value")
	}
	r.rest = r.rest[1+len(name):]
	p := r.class.Property(strings.TrimSpace(name))
	if p == nil || !p.Key {
		return fmt.Errorf("%q is not a key of %s", clip(name), r.class.Name)
	}
	if (&cim.Path{Keys: r.keys}).Key(p.Name) != nil {
		return fmt.Errorf("key %s is given twice", p.Name)
	}
	if err := r.value(p); err != nil {
		return err
	}
	if r.rest != "" && r.rest[0] != ',' {
		return fmt.Errorf("want a comma after key %s", p.Name)
	}
	return nil
}

// value reads what follows "=".
func (r *keyReader) value(p *cim.Property) error {
	text, rest, err := cutValue(strings.TrimLeft(r.rest[1:], " "), p.Type == cim.Reference)
	if err != nil {
		return fmt.Errorf("key %s: %w", p.Name, err)
	}
	r.rest = strings.TrimLeft(rest, " ")
	v, err := r.typed(p, text)
	if err != nil {
		return fmt.Errorf("key %s: %w", p.Name, err)
	}
	r.keys = append(r.keys, cim.Key{Name: p.Name, Value: v})
	return nil
}

func (r *keyReader) typed(p *cim.Property, text string) (cim.Value, error) {
	if p.Type == cim.Reference {
		return ParsePath(r.schema, text)
	}
	return cim.ParseText(p.Type, text)
}

// cutValue takes a value, in quotes or plain, off the front. Paths are always in
// quotes: what is in them is inside more and more backslashes, which bounds how deep
// they can be.
func cutValue(s string, quoted bool) (value, rest string, err error) {
	if s == "" || s[0] != '"' && s[0] != '\'' {
		if quoted {
			return "", "", errors.New("a reference is written in quotes")
		}
		value, _, _ = strings.Cut(s, ",")
		return strings.TrimSpace(value), s[len(value):], nil
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == s[0]:
			return b.String(), s[i+1:], nil
		case s[i] == '\\' && i+1 < len(s) && strings.IndexByte(`\"'`, s[i+1]) >= 0:
			i++
		}
		b.WriteByte(s[i])
	}
	return "", "", errors.New("a quote is not closed")
}

// samePath says whether two paths name the same instance. A host or namespace that
// one does not have is not compared, and a class may be a superclass of the other.
func (k comparer) samePath(a, b *cim.Path) bool {
	ca, cb := k.schema.Class(a.Class), k.schema.Class(b.Class)
	return (derives(ca, cb) || derives(cb, ca)) &&
		sameWhereGiven(a.Host, b.Host) &&
		sameWhereGiven(cim.CanonicalNamespace(a.Namespace), cim.CanonicalNamespace(b.Namespace)) &&
		len(a.Keys) == len(b.Keys) && k.sameKeys(a, b)
}

func sameWhereGiven(a, b string) bool { return a == "" || b == "" || sameName(a, b) }

func (k comparer) sameKeys(a, b *cim.Path) bool {
	for _, key := range a.Keys {
		if order, rel := k.order(key.Value, b.Key(key.Name)); rel == unrelated || order != 0 {
			return false
		}
	}
	return true
}
