package replication

import (
	"context"
	"errors"
	"syscall"

	"twinlun/blockdev"
	"twinlun/blockdev/pool"
	"twinlun/replication/pairstate"
)

// kindOfPool says which return code a failure of a pool is.
func kindOfPool(k blockdev.Kind) (Kind, string) {
	switch k {
	case blockdev.KindInvalid, blockdev.KindOutOfRange:
		return KindInvalid, "the pool refuses it"
	case blockdev.KindNotFound:
		return KindInvalid, "the volume does not exist"
	case blockdev.KindExists:
		return KindInvalid, "the name is taken"
	case blockdev.KindBusy:
		return KindInUse, "the volume is in use"
	case blockdev.KindUnsupported:
		return KindNotSupported, "the pool cannot do it"
	case blockdev.KindNoSpace:
		return KindFailed, "there is no room in the pool"
	case blockdev.KindIO:
		return KindFailed, "an input or output error occurred"
	}
	return KindFailed, "an internal error occurred; the log tells more"
}

// failure turns what the layers below say into an *Error of a parameter, and
// logs what a user cannot make use of. Of a request that was given up the cause is
// kept, for not every caller has a return code for it. nil stays nil.
func (s *Service) failure(param string, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	if e, ok := errors.AsType[*pairstate.Error](err); ok {
		return refusedBy(e)
	}
	for _, given := range []error{context.DeadlineExceeded, context.Canceled} {
		if errors.Is(err, given) {
			return &Error{Kind: KindTimeout, Param: param, Msg: "the request was given up", Err: given}
		}
	}
	if e, ok := errors.AsType[*pool.LimitError](err); ok {
		return &Error{Kind: KindFailed, Param: param, Msg: e.Error(), Err: e}
	}
	if errors.Is(err, syscall.EFBIG) {
		return Errorf(KindInvalid, param, "the filesystem of the pool has no files of that size")
	}
	kind, msg := kindOfPool(blockdev.KindOf(err))
	s.log.Warn("a request failed", "parameter", param, "err", err)
	return Errorf(kind, param, "%s", msg)
}

// refusedBy is what a user is told when the state machine refuses an operation:
// a copy under way is in use, everything else is a state in which the operation
// fails.
func refusedBy(e *pairstate.Error) *Error {
	if e.NeedsForce || !e.State.Idle() {
		return Errorf(KindInUse, "Operation", "%v", e)
	}
	return Errorf(KindFailed, "Operation", "%v", e)
}

// refused makes an *Error of every failure of a method and counts it.
func (s *Service) refused(err error) error {
	if err == nil {
		return nil
	}
	err = s.failure("", err)
	s.metrics.refusal(KindOf(err))
	return err
}

// reasonOf is why a relationship is Broken, for people.
func reasonOf(err error) string {
	if e, ok := errors.AsType[*blockdev.Error](err); ok {
		return e.Op + ": " + e.Kind.String()
	}
	return "internal error"
}

// ownerKey is the context key of WithOwner.
type ownerKey struct{}

// WithOwner names the user on whose behalf a method is called: the owner of the
// jobs that it makes.
func WithOwner(ctx context.Context, user string) context.Context {
	return context.WithValue(ctx, ownerKey{}, user)
}

func ownerOf(ctx context.Context) string {
	user, _ := ctx.Value(ownerKey{}).(string)
	return user
}
