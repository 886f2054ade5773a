// Package xpath evaluates the part of XPath 1.0 that WS-Management calls XPath
// Level 1 (DSP0226 annex D), and the operators and functions that filters need,
// over elements of a decoded message:
//
//	paths        a/b, /root/a, ../root, ., *, a[2], a[b='x'], a[@c], a/text(), a|b
//	in brackets  a number, or an expression
//	operators    or and = != < <= > >= |
//	functions    boolean contains count false last local-name name normalize-space
//	             not number position starts-with string string-length true
//
// A name without a prefix matches in every namespace, for that is what clients
// mean by it. In brackets paths go down only. So each step is at one depth of the
// document, and an evaluation visits each element at most once for each step.
package xpath

import (
	"fmt"

	"twinlun/wsman/soap"
)

// Limits of an expression.
const (
	maxLength = 2048 // bytes
	maxDepth  = 16   // of brackets
	maxTerms  = 256  // steps, literals, operators and calls
)

// Expr is a parsed expression. It is not changed any more and may be used from
// many goroutines.
type Expr struct {
	top term
	// text says that what is selected are texts.
	text bool
}

// SyntaxError says where an expression is wrong.
type SyntaxError struct {
	Offset int // in bytes
	Msg    string
}

// Error is the text for the client.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("character %d: %s", e.Offset+1, e.Msg)
}

// Parse reads an expression. namespace is what a prefix is bound to where the
// expression stands; a prefix that is not bound, and a nil namespace, match every
// namespace. The errors are *SyntaxError.
func Parse(text string, namespace func(prefix string) (uri string, ok bool)) (*Expr, error) {
	if len(text) > maxLength {
		return nil, &SyntaxError{Offset: maxLength, Msg: fmt.Sprintf("the expression is longer than %d bytes", maxLength)}
	}
	p := &parser{lexer: lexer{text: text}, namespace: namespace}
	p.next()
	top := p.or()
	if p.err == nil && p.tok.kind != tokEnd {
		p.failf("%s is not expected here", p.tok)
	}
	if p.err != nil {
		return nil, p.err
	}
	e := &Expr{top: top}
	e.text = textOnly(top)
	if !e.text && selectsText(top) {
		return nil, &SyntaxError{Msg: "elements and texts cannot be selected together"}
	}
	return e, nil
}

// Select is the elements, in the order of the document, that the expression
// selects when it starts at root, whose parent is the document; for the document
// stands root. text is true where it selects their text instead of themselves. An
// expression that is no path selects nothing.
func (e *Expr) Select(root *soap.Element) (found []*soap.Element, text bool) {
	if root == nil {
		return nil, e.text
	}
	set, ok := e.top.eval(start(root)).(nodes)
	if !ok {
		return nil, e.text
	}
	for _, n := range set {
		el := n.element
		if n.kind == document {
			el = root
		}
		if len(found) == 0 || found[len(found)-1] != el {
			found = append(found, el)
		}
	}
	return found, e.text
}

// Match says whether the expression selects anything, or is true.
func (e *Expr) Match(root *soap.Element) bool {
	return root != nil && truth(e.top.eval(start(root)))
}

// Child is the child of root that the expression names, whether there is one or
// not: by its name alone, or by its name and a position, which counts from 1 and is
// 0 where there is none. A prefix must be that of root's namespace. ok is false for
// every other expression.
func (e *Expr) Child(root *soap.Element) (local string, position int, ok bool) {
	p, isPath := e.top.(*path)
	if !isPath || root == nil {
		return "", 0, false
	}
	steps := p.steps
	if e.text {
		steps = steps[:len(steps)-1]
	}
	if len(steps) == 0 || steps[len(steps)-1].axis != child {
		return "", 0, false
	}
	last := steps[len(steps)-1]
	before := &path{absolute: p.absolute, steps: steps[:len(steps)-1]}
	if set := before.walk(start(root)); len(set) != 1 || set[0].element != root || last.local == "*" {
		return "", 0, false
	}
	if ns, _ := soap.Namespace(root); last.space != "" && last.space != ns {
		return "", 0, false
	}
	position, ok = last.position()
	return last.local, position, ok
}

// start is the context that an expression begins in.
func start(root *soap.Element) context {
	return context{node: node{element: root}, root: root, position: 1, size: 1}
}
