package blockdev

import (
	"errors"
	"fmt"
)

// Kind says what sort of failure an Error is; callers decide by it, never by
// the text.
type Kind uint8

// The kinds of failure of the block layer.
const (
	KindInternal    Kind = iota // a defect of ours, or a cause nobody classified
	KindInvalid                 // the request makes no sense
	KindOutOfRange              // outside of the device
	KindReadOnly                // the device refuses writes
	KindNoSpace                 // the pool or the filesystem below is full
	KindIO                      // the medium failed
	KindNotFound                // no such volume, layer, target
	KindExists                  // the name or the identifier is taken
	KindBusy                    // in use in a way that forbids the request
	KindClosed                  // the handle, volume or server has been closed
	KindUnsupported             // this implementation cannot do it
)

var kindNames = [...]string{
	"internal error", "invalid request", "out of range", "read-only", "no space", "I/O error",
	"not found", "exists", "busy", "closed", "not supported",
}

// String names the kind for messages.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind %d", k)
}

// Error is a failure of the block layer: what was tried, what sort of failure it
// is, and the cause.
type Error struct {
	Kind Kind
	Op   string // what was tried, such as "write" or "create volume db01"
	Err  error  // the cause; may be nil
}

// Error is "op: kind: cause".
func (e *Error) Error() string {
	if e.Err == nil {
		return e.Op + ": " + e.Kind.String()
	}
	return e.Op + ": " + e.Kind.String() + ": " + e.Err.Error()
}

// Unwrap gives the cause to errors.Is and errors.As.
func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an Error whose cause is the formatted text; %w works as in
// fmt.Errorf.
func Errorf(k Kind, op, format string, args ...any) error {
	return &Error{Kind: k, Op: op, Err: fmt.Errorf(format, args...)}
}

// Wrap makes an Error of a cause. A nil cause stays nil.
func Wrap(k Kind, op string, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Kind: k, Op: op, Err: err}
}

// KindOf is the kind of the outermost Error in err's chain, and KindInternal
// for every other error.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return KindInternal
}

// Is says whether err is a failure of kind k.
func Is(err error, k Kind) bool { return err != nil && KindOf(err) == k }
