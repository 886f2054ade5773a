package wscim

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"twinlun/cim"
	"twinlun/wsman"
	"twinlun/wsman/soap"
)

// maxNesting bounds embedded instances within embedded instances.
const maxNesting = 8

// reader turns elements into values. Its errors are for the client and do not name
// what is read; the caller does.
type reader struct {
	env   Env
	depth int
}

// value reads what is declared from all the elements of that name. An array of one
// NULL is a NULL array: there is no other way to write one.
func (r reader) value(d decl, es []*soap.Element) (cim.Value, error) {
	switch {
	case !d.array && len(es) > 1:
		return nil, errors.New("it is there more than once and is not an array")
	case !d.array:
		return r.scalar(d, es[0])
	case len(es) == 1 && isNullArray(es[0]):
		return nil, nil
	case d.octets && len(es) == 1 && !soap.IsNil(es[0]):
		return readOctets(es[0])
	}
	list := make([]cim.Value, len(es))
	for i, e := range es {
		v, err := r.scalar(d, e)
		if err != nil {
			return nil, fmt.Errorf("entry %d: %w", i+1, err)
		}
		list[i] = v
	}
	if len(list) == 1 && list[0] == nil {
		return nil, nil
	}
	return list, nil
}

// isNullArray says whether an element stands for a NULL array, in the manner of
// Windows (see InstanceOptions.PreciseArrays).
func isNullArray(e *soap.Element) bool {
	v, _ := soap.Attr(e, wsman.NSMicrosoft, "IsNullArray")
	return v == "1" || strings.EqualFold(v, "true")
}

// scalar reads one element. An empty one is NULL where the type has no empty text.
func (r reader) scalar(d decl, e *soap.Element) (cim.Value, error) {
	switch {
	case soap.IsNil(e):
		return nil, nil
	case d.embedded != "":
		return r.embedded(d, e)
	case d.kind == cim.Reference:
		return r.reference(d, e)
	case d.kind == cim.Datetime:
		return readDatetime(e)
	case soap.FirstChild(e) != nil:
		return nil, fmt.Errorf("it has elements where %s is declared", d.kind)
	case d.kind != cim.String && soap.Text(e) == "":
		return nil, nil
	}
	return parseScalar(d.kind, soap.RawText(e))
}

// parseScalar reads the text of a value. A char16 is a number, or one character
// that is not a digit. A string does not share the memory of the message, which it
// may outlive.
func parseScalar(t cim.Type, text string) (cim.Value, error) {
	if t == cim.String {
		return strings.Clone(text), nil
	}
	if t == cim.Char16 {
		if n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 16); err == nil {
			return n, nil
		}
	}
	return cim.ParseText(t, text)
}

// readDatetime reads a datetime in an element of its own - cim:Datetime,
// cim:Interval, cim:Date and others, whatever the name - or as text.
func readDatetime(e *soap.Element) (cim.Value, error) {
	if in := soap.FirstChild(e); in != nil {
		e = in
	}
	text := soap.Text(e)
	if text == "" {
		return nil, nil
	}
	return cim.ParseText(cim.Datetime, text)
}

// readOctets reads an OctetString that is one element: base64, or a number where
// the array has one entry.
func readOctets(e *soap.Element) (cim.Value, error) {
	text := strings.Join(strings.Fields(soap.Text(e)), "")
	if n, err := strconv.ParseUint(text, 10, 8); err == nil && !strings.Contains(soap.TypeName(e), "Base64") {
		return []cim.Value{n}, nil
	}
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, errors.New("it is not base64")
	}
	list := make([]cim.Value, len(data))
	for i, b := range data {
		list[i] = uint64(b)
	}
	return list, nil
}

// reference reads an endpoint reference, with or without its wrapper, or an
// instance that stands for one.
func (r reader) reference(d decl, e *soap.Element) (cim.Value, error) {
	var p *cim.Path
	var err error
	switch {
	case soap.IsEPR(e):
		p, err = r.endpoint(e)
	case soap.FirstChild(e) != nil || r.typeClass(e) != "":
		p, err = r.keysOf(d, e)
	case soap.Text(e) == "":
		return nil, nil
	default:
		return nil, errors.New("a reference must be an endpoint reference, not text")
	}
	if err != nil {
		return nil, err
	}
	return p, r.checkClass(p.Class, d.refClass)
}

func (r reader) endpoint(e *soap.Element) (*cim.Path, error) {
	epr, err := soap.ReadEPR(e)
	if err != nil {
		return nil, err
	}
	return EPRToPath(epr, r.env)
}

// checkClass says whether an instance of class can be where want is declared. The
// class may be a base class of want, for clients name instances by those.
func (r reader) checkClass(class, want string) error {
	have, err := r.env.class(class)
	if err != nil {
		return err
	}
	if want == "" || have.IsA(want) {
		return nil
	}
	if declared, err := r.env.class(want); err == nil && declared.IsA(have.Name) {
		return nil
	}
	return fmt.Errorf("%s is not a %s", have.Name, want)
}

// keysOf makes a path of an instance that was sent in place of a reference.
func (r reader) keysOf(d decl, e *soap.Element) (*cim.Path, error) {
	c, e, err := r.classOf(decl{embedded: d.refClass}, e)
	if err != nil {
		return nil, err
	}
	if len(c.Keys) == 0 {
		return nil, fmt.Errorf("an instance of %s has no keys to refer to it by", c.Name)
	}
	var set []wsman.Selector
	for _, k := range c.Keys {
		el := soap.Child(e, "", k.Name)
		if el == nil {
			return nil, fmt.Errorf("it has no %s, which is a key of %s", k.Name, c.Name)
		}
		s := wsman.Selector{Name: k.Name, Value: soap.RawText(el)}
		if soap.IsEPR(el) {
			epr, err := soap.ReadEPR(el)
			if err != nil {
				return nil, err
			}
			s.EPR = &epr
		}
		set = append(set, s)
	}
	return SelectorsToPath(wsman.Resource{Kind: wsman.KindClass, Class: c.Name}, set, r.env)
}
