package query

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"twinlun/cim"
)

// Error is what is wrong with a statement, and where.
type Error struct {
	Line, Column int // from 1; columns in characters
	Msg          string
}

// Error is the message with its place in front.
func (e *Error) Error() string { return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Msg) }

// faults keeps the first error of a text.
type faults struct {
	text string
	err  error
}

// fail keeps an error at an offset of the text, if it is the first.
func (f *faults) fail(off int, format string, args ...any) {
	f.failAs(cim.StatusInvalidQuery, off, format, args...)
}

func (f *faults) failAs(s cim.Status, off int, format string, args ...any) {
	if f.err == nil {
		f.err = cim.Errorf(s, "%w", errorAt(f.text, off, fmt.Sprintf(format, args...)))
	}
}

func errorAt(text string, off int, msg string) *Error {
	before := text[:min(off, len(text))]
	start := strings.LastIndexByte(before, '\n') + 1
	return &Error{
		Line:   strings.Count(before, "\n") + 1,
		Column: utf8.RuneCountInString(before[start:]) + 1,
		Msg:    msg,
	}
}

// clip keeps messages short.
func clip(s string) string {
	const most = 64
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}
