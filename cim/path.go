package cim

import "strings"

// String is the path as a WBEM URI (DSP0004 section 8.4, DSP0207):
//
//	//host/root/cimv2:CIM_Class.Name="a",Number=1
//
// without the parts that the path does not have. Texts, datetimes and references
// are in quotes. Keys are in the order of the path.
func (p *Path) String() string {
	if p == nil {
		return ""
	}
	var b strings.Builder
	if p.Host != "" {
		b.WriteString("//" + p.Host + "/")
	}
	if p.Namespace != "" || p.Host != "" {
		b.WriteString(p.Namespace + ":")
	}
	b.WriteString(p.Class)
	sep := "."
	for _, k := range p.Keys {
		b.WriteString(sep + k.Name + "=" + keyText(k.Value))
		sep = ","
	}
	return b.String()
}

func keyText(v Value) string {
	switch v.(type) {
	case string, DateTime, *Path:
		return quoteKey(FormatText(v))
	default:
		return FormatText(v)
	}
}

func quoteKey(s string) string {
	if !strings.ContainsAny(s, `\"`) {
		return `"` + s + `"`
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// Equal says whether both name the same object by the same words: names of
// hosts, namespaces, classes and keys regardless of case, values exactly, keys
// in any order. A path that names a superclass is another path: the classes are
// compared as given. A nil path equals only a nil path.
func (p *Path) Equal(q *Path) bool {
	if p == nil || q == nil {
		return p == q
	}
	return len(p.Keys) == len(q.Keys) &&
		strings.EqualFold(p.Class, q.Class) &&
		strings.EqualFold(p.Namespace, q.Namespace) &&
		strings.EqualFold(p.Host, q.Host) &&
		p.hasKeysOf(q) && q.hasKeysOf(p)
}

func (p *Path) hasKeysOf(q *Path) bool {
	for _, k := range q.Keys {
		if v := p.Key(k.Name); v == nil || !Equal(v, k.Value) {
			return false
		}
	}
	return true
}

// Equal says whether two values are the same. Instances are the same when their
// class and all their properties are. NULL equals NULL; NaN equals nothing.
func Equal(a, b Value) bool {
	switch x := a.(type) {
	case DateTime:
		y, ok := b.(DateTime)
		return ok && x.Equal(y)
	case *Path:
		y, ok := b.(*Path)
		return ok && x.Equal(y)
	case *Instance:
		y, ok := b.(*Instance)
		return ok && x.sameAs(y)
	case []Value:
		y, ok := b.([]Value)
		return ok && equalLists(x, y)
	}
	if _, isList := b.([]Value); isList {
		return false
	}
	return a == b
}

func equalLists(a, b []Value) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !Equal(a[i], b[i]) {
			return false
		}
	}
	return true
}

func (in *Instance) sameAs(other *Instance) bool {
	if in == nil || other == nil {
		return in == other
	}
	return in.Class == other.Class && equalLists(in.values, other.values)
}

// PathIn is the path that the instance has in a namespace: its class and the
// values of its keys. It fails, with StatusInvalidParameter, where a key is NULL.
func (in *Instance) PathIn(namespace string) (*Path, error) {
	p := &Path{Namespace: CanonicalNamespace(namespace), Class: in.Class.Name, Keys: make([]Key, 0, len(in.Class.Keys))}
	for _, k := range in.Class.Keys {
		v := in.values[k.Index]
		if v == nil {
			return nil, Errorf(StatusInvalidParameter, "key %s of %s is NULL", k.Name, in.Class.Name)
		}
		p.Keys = append(p.Keys, Key{Name: k.Name, Value: v})
	}
	return p, nil
}
