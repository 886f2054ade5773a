package replication

import (
	"errors"
	"fmt"
)

// Kind says what sort of failure an Error is. The numbers are the return codes
// of CIM_ReplicationService.
type Kind uint32

// The kinds of failure.
const (
	KindNotSupported Kind = 1
	KindUnknown      Kind = 2
	KindTimeout      Kind = 3
	KindFailed       Kind = 4
	KindInvalid      Kind = 5
	KindInUse        Kind = 6
)

// Error is a refused or failed request.
type Error struct {
	Kind  Kind
	Param string // the CIM parameter at fault, or empty
	Msg   string // what is wrong with it, for people
	Err   error  // the cause below; may be nil
}

// Error is "Param: Msg: cause".
func (e *Error) Error() string {
	s := e.Msg
	if e.Param != "" {
		s = e.Param + ": " + s
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap gives the cause to errors.Is and errors.As.
func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an Error of a parameter.
func Errorf(k Kind, param, format string, args ...any) *Error {
	return &Error{Kind: k, Param: param, Msg: fmt.Sprintf(format, args...)}
}

// KindOf is the kind of the outermost Error in err's chain, and KindUnknown for
// every other error.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return KindUnknown
}
