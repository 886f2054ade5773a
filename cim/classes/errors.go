package classes

import (
	"context"
	"errors"
	"fmt"

	"twinlun/blockdev"
	"twinlun/cim"
	"twinlun/replication"
	"twinlun/replication/job"
)

// deviceKinds says which return code a failure of the block layer is.
var deviceKinds = map[blockdev.Kind]replication.Kind{
	blockdev.KindInvalid:     replication.KindInvalid,
	blockdev.KindOutOfRange:  replication.KindInvalid,
	blockdev.KindNotFound:    replication.KindInvalid,
	blockdev.KindExists:      replication.KindInvalid,
	blockdev.KindBusy:        replication.KindInUse,
	blockdev.KindUnsupported: replication.KindNotSupported,
	blockdev.KindNoSpace:     replication.KindFailed,
	blockdev.KindReadOnly:    replication.KindFailed,
	blockdev.KindIO:          replication.KindFailed,
	blockdev.KindClosed:      replication.KindFailed,
}

// replyOf turns the failure of a method into a return code with a reason. What
// it does not know is an internal error: its detail is for the log only.
func replyOf(err error) (*cim.Reply, error) {
	if e, ok := errors.AsType[*replication.Error](err); ok {
		return &cim.Reply{Return: uint64(e.Kind), Reason: e.Error()}, nil
	}
	if e, ok := errors.AsType[*blockdev.Error](err); ok && e.Kind != blockdev.KindInternal {
		return &cim.Reply{Return: uint64(deviceKinds[e.Kind]), Reason: e.Error()}, nil
	}
	return nil, statusOf(err)
}

// notSupported is the reply of what is not carried out.
func notSupported(format string, a ...any) *cim.Reply {
	return &cim.Reply{Return: uint64(replication.KindNotSupported), Reason: fmt.Sprintf(format, a...)}
}

// statusOf turns the failure of reading an instance into a CIM error. nil stays nil.
func statusOf(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if _, ok := errors.AsType[*cim.Error](err); ok {
		return err
	}
	if missing(err) {
		return cim.Errorf(cim.StatusNotFound, "%v", err)
	}
	return cim.Internal(err)
}

// missing says whether a layer below found no such object.
func missing(err error) bool {
	if e, ok := errors.AsType[*replication.Error](err); ok {
		return e.Kind == replication.KindInvalid
	}
	return errors.Is(err, job.ErrNotFound) || blockdev.Is(err, blockdev.KindNotFound)
}
