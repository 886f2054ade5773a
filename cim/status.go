package cim

import (
	"errors"
	"fmt"
)

// Status is a CIM status code (DSP0200 section 5.2, CIM_Error.CIMStatusCode).
type Status uint32

// The status codes.
const (
	StatusFailed                    Status = 1
	StatusAccessDenied              Status = 2
	StatusInvalidNamespace          Status = 3
	StatusInvalidParameter          Status = 4
	StatusInvalidClass              Status = 5
	StatusNotFound                  Status = 6
	StatusNotSupported              Status = 7
	StatusClassHasChildren          Status = 8
	StatusClassHasInstances         Status = 9
	StatusInvalidSuperclass         Status = 10
	StatusAlreadyExists             Status = 11
	StatusNoSuchProperty            Status = 12
	StatusTypeMismatch              Status = 13
	StatusQueryLanguageNotSupported Status = 14
	StatusInvalidQuery              Status = 15
	StatusMethodNotAvailable        Status = 16
	StatusMethodNotFound            Status = 17
	StatusNamespaceNotEmpty         Status = 20
	StatusInvalidEnumerationContext Status = 21
	StatusInvalidOperationTimeout   Status = 22
	StatusPullHasBeenAbandoned      Status = 23
	StatusPullCannotBeAbandoned     Status = 24
	StatusFilteredEnumNotSupported  Status = 25
	StatusContinuationNotSupported  Status = 26
	StatusServerLimitsExceeded      Status = 27
	StatusServerIsShuttingDown      Status = 28
)

// statusNames are the symbolic names of DSP0200 section 5.2.
var statusNames = [...]string{
	StatusFailed:                    "CIM_ERR_FAILED",
	StatusAccessDenied:              "CIM_ERR_ACCESS_DENIED",
	StatusInvalidNamespace:          "CIM_ERR_INVALID_NAMESPACE",
	StatusInvalidParameter:          "CIM_ERR_INVALID_PARAMETER",
	StatusInvalidClass:              "CIM_ERR_INVALID_CLASS",
	StatusNotFound:                  "CIM_ERR_NOT_FOUND",
	StatusNotSupported:              "CIM_ERR_NOT_SUPPORTED",
	StatusClassHasChildren:          "CIM_ERR_CLASS_HAS_CHILDREN",
	StatusClassHasInstances:         "CIM_ERR_CLASS_HAS_INSTANCES",
	StatusInvalidSuperclass:         "CIM_ERR_INVALID_SUPERCLASS",
	StatusAlreadyExists:             "CIM_ERR_ALREADY_EXISTS",
	StatusNoSuchProperty:            "CIM_ERR_NO_SUCH_PROPERTY",
	StatusTypeMismatch:              "CIM_ERR_TYPE_MISMATCH",
	StatusQueryLanguageNotSupported: "CIM_ERR_QUERY_LANGUAGE_NOT_SUPPORTED",
	StatusInvalidQuery:              "CIM_ERR_INVALID_QUERY",
	StatusMethodNotAvailable:        "CIM_ERR_METHOD_NOT_AVAILABLE",
	StatusMethodNotFound:            "CIM_ERR_METHOD_NOT_FOUND",
	StatusNamespaceNotEmpty:         "CIM_ERR_NAMESPACE_NOT_EMPTY",
	StatusInvalidEnumerationContext: "CIM_ERR_INVALID_ENUMERATION_CONTEXT",
	StatusInvalidOperationTimeout:   "CIM_ERR_INVALID_OPERATION_TIMEOUT",
	StatusPullHasBeenAbandoned:      "CIM_ERR_PULL_HAS_BEEN_ABANDONED",
	StatusPullCannotBeAbandoned:     "CIM_ERR_PULL_CANNOT_BE_ABANDONED",
	StatusFilteredEnumNotSupported:  "CIM_ERR_FILTERED_ENUMERATION_NOT_SUPPORTED",
	StatusContinuationNotSupported:  "CIM_ERR_CONTINUATION_ON_ERROR_NOT_SUPPORTED",
	StatusServerLimitsExceeded:      "CIM_ERR_SERVER_LIMITS_EXCEEDED",
	StatusServerIsShuttingDown:      "CIM_ERR_SERVER_IS_SHUTTING_DOWN",
}

// String is the symbolic name of the code, CIM_ERR_FAILED and so on, and the
// number of a code that has none.
func (s Status) String() string {
	if int64(s) < int64(len(statusNames)) && statusNames[s] != "" {
		return statusNames[s]
	}
	return fmt.Sprintf("CIM status %d", uint32(s))
}

// Error is a CIM operation that failed. Its text is for the client; a cause that
// is not is kept out of it (see Internal).
type Error struct {
	Status Status
	Msg    string
	Err    error // for the log
}

// ErrInUse is the cause of an Error where something else that is under way, or that
// depends on the object, excludes the operation: it may succeed later.
var ErrInUse = errors.New("in use")

// Error is the text for the client.
func (e *Error) Error() string { return e.Msg }

// Unwrap gives the cause to errors.Is and errors.As.
func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an Error; its whole text goes to the client.
func Errorf(s Status, format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	return &Error{Status: s, Msg: err.Error(), Err: errors.Unwrap(err)}
}

// Internal makes an Error for a cause that the client must not see.
func Internal(err error) error {
	return &Error{Status: StatusFailed, Msg: "internal error", Err: err}
}

// StatusOf is the status of the outermost Error in err's chain, and StatusFailed
// for every other error.
func StatusOf(err error) Status {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Status
	}
	return StatusFailed
}
