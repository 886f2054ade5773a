// Package xpath evaluates the part of XPath 1.0 that WS-Management calls XPath
// Level 1 (DSP0226 annex D.2), over elements of a decoded message.
package xpath

import (
	"fmt"

	"twinlun/wsman/soap"
)

// Expr is a parsed expression. It is not changed any more and may be used from
// many goroutines.
type Expr struct{}

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
// expression stands; a prefix that is not bound matches every namespace.
func Parse(text string, namespace func(prefix string) (uri string, ok bool)) (*Expr, error) {
	return nil, &SyntaxError{Msg: "not understood"}
}

// Select is the elements, in the order of the document, that the expression
// selects when it starts at root, whose parent is the document. text is true where
// it selects their text instead of themselves.
func (e *Expr) Select(root *soap.Element) (found []*soap.Element, text bool) { return nil, false }

// Match says whether the expression selects anything, or is true.
func (e *Expr) Match(root *soap.Element) bool { return false }
