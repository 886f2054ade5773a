package server

import (
	"strings"

	"twinlun/cim"
	"twinlun/wsman"
	"twinlun/wsman/soap"
	"twinlun/wsman/wscim"
	"twinlun/wsman/xpath"
)

// fragment is the header w:FragmentTransfer: which part of an instance a request is
// about (DSP0226 section 7.7).
type fragment struct {
	header *soap.Element
	text   string
	expr   *xpath.Expr
}

// takesFragments says whether an action has a meaning for parts of an instance.
func takesFragments(action string) bool {
	switch action {
	case wsman.ActionGet, wsman.ActionPut, wsman.ActionCreate, wsman.ActionDelete:
		return true
	}
	return false
}

// readFragment reads the header, nil where there is none. The only language is XPath,
// in which the name of a property stands for it. A client that lets the service ignore
// the header is refused, as Windows does: it could not know what the answer is.
func readFragment(rq *request) (*fragment, error) {
	e := soap.Child(rq.msg.Header, wsman.NSWSMan, "FragmentTransfer")
	if e == nil {
		return nil, nil
	}
	if v, ok := soap.Attr(e, wsman.NSSOAP, "mustUnderstand"); ok && !isTrue(v) {
		return nil, wsman.InvalidHeader("", "FragmentTransfer must be understood")
	}
	dialect, _ := soap.Attr(e, "", "Dialect")
	if dialect != "" && !wsman.SameDialect(dialect, wsman.DialectXPath) {
		return nil, wsman.FragmentDialectNotSupported("the fragment dialect %.200q is not served, only %s", dialect, wsman.DialectXPath)
	}
	f := &fragment{header: e, text: soap.Text(e)}
	var err error
	if f.expr, err = xpath.Parse(f.text, anyClass(prefixesAt(e))); err != nil {
		return nil, wsman.CannotProcessFragment("the fragment expression is not understood: %v", err)
	}
	return f, nil
}

func isTrue(s string) bool {
	s = strings.TrimSpace(s)
	return s == "1" || strings.EqualFold(s, "true")
}

// prefixesAt finds what a prefix is bound to at an element.
func prefixesAt(e *soap.Element) func(prefix string) (uri string, ok bool) {
	return func(prefix string) (string, bool) {
		for up := e; up != nil; up = up.Parent() {
			for i := range up.Attr {
				if a := &up.Attr[i]; a.Space == "xmlns" && a.Key == prefix {
					return a.Value, true
				}
			}
		}
		return "", false
	}
}

// anyClass lets a prefix that is bound to the URI of a class match every namespace: a
// client that names an instance by a base class knows that class's URI, and the
// instance has another.
func anyClass(lookup func(string) (string, bool)) func(prefix string) (uri string, ok bool) {
	return func(prefix string) (string, bool) {
		uri, ok := lookup(prefix)
		if _, err := wsman.ParseResourceURI(uri); err == nil {
			return "", false
		}
		return uri, ok
	}
}

// echo repeats the header in the answer (DSP0226 R7.7-2), with the bindings of the
// prefixes in it.
func (f *fragment) echo(w *soap.Writer) {
	w.Start("w", "FragmentTransfer")
	w.Attr("s", "mustUnderstand", "true")
	if dialect, ok := soap.Attr(f.header, "", "Dialect"); ok {
		w.Attr("", "Dialect", dialect)
	}
	lookup, done := prefixesAt(f.header), map[string]bool{"w": true, "s": true}
	for _, word := range strings.FieldsFunc(f.text, notName) {
		prefix, _, ok := strings.Cut(word, ":")
		if uri, bound := lookup(prefix); ok && bound && !done[prefix] {
			done[prefix] = true
			w.Namespace(prefix, uri)
		}
	}
	w.Text(f.text)
	w.End()
}

// notName says whether a character cannot be in a prefixed name.
func notName(r rune) bool { return strings.ContainsRune(" \t\r\n/[]()@,|=!<>'\"*", r) }

// tree is an instance as the expression sees it.
func (f *fragment) tree(rq *request, in *cim.Instance) (*soap.Element, error) {
	return wscim.InstanceTree(rq.resource.Prefix, in, wscim.InstanceOptions{PreciseArrays: rq.preciseArrays()})
}

// get answers with the fragment of an instance. One that is not there is NULL.
func (f *fragment) get(rq *request, in *cim.Instance) (*answer, error) {
	tree, err := f.tree(rq, in)
	if err != nil {
		return nil, err
	}
	found, text := f.expr.Select(tree)
	return &answer{code: resultOK, header: f.echo, body: func(w *soap.Writer) error {
		wscim.WriteSelected(w, found, text)
		return nil
	}}, nil
}
