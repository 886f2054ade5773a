// Package mof reads Managed Object Format (DSP0004 annex A, MOF 2.x): the text
// of qualifier and class declarations becomes a linked cim.Schema. What is wrong
// with the text is reported with file, line and column.
package mof

import "fmt"

// Pos is a place in a MOF text. Lines and columns count from 1, columns in bytes.
type Pos struct {
	File      string
	Line, Col int
}

// At is the place itself; every declaration has it by embedding Pos.
func (p Pos) At() Pos { return p }

// String is file:line:column.
func (p Pos) String() string { return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col) }

// Error is a fault of a MOF text. Parse and Load join several with errors.Join.
type Error struct {
	Pos
	Msg string
}

// Error is file:line:column: message.
func (e *Error) Error() string { return e.Pos.String() + ": " + e.Msg }

func errorf(at Pos, format string, args ...any) *Error {
	return &Error{Pos: at, Msg: fmt.Sprintf(format, args...)}
}
