package classes

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"twinlun/blockdev"
	"twinlun/cim"
	"twinlun/replication"
	"twinlun/replication/job"
	"twinlun/replication/setting"
)

// deviceFailure says which return code a failure of the block layer is, and
// whether its cause is something that a client can mend. Other causes name files
// and system calls; they are for the log.
type deviceFailure struct {
	kind replication.Kind
	tell bool
}

func deviceFailures() map[blockdev.Kind]deviceFailure {
	return map[blockdev.Kind]deviceFailure{
		blockdev.KindInvalid:     {replication.KindInvalid, true},
		blockdev.KindOutOfRange:  {replication.KindInvalid, true},
		blockdev.KindNotFound:    {replication.KindInvalid, true},
		blockdev.KindExists:      {replication.KindInvalid, true},
		blockdev.KindBusy:        {replication.KindInUse, true},
		blockdev.KindUnsupported: {replication.KindNotSupported, true},
		blockdev.KindNoSpace:     {replication.KindFailed, false},
		blockdev.KindReadOnly:    {replication.KindFailed, false},
		blockdev.KindIO:          {replication.KindFailed, false},
		blockdev.KindClosed:      {replication.KindFailed, false},
	}
}

// replyOf turns the failure of a method into a return code with a reason. What
// it does not know is an internal error: its detail is for the log only.
func replyOf(err error) (*cim.Reply, error) {
	if e, ok := errors.AsType[*replication.Error](err); ok {
		kind := e.Kind
		if kind == 0 {
			kind = replication.KindUnknown // 0 would be success
		}
		return &cim.Reply{Return: uint64(kind), Reason: reasonOf(e)}, nil
	}
	if e, ok := errors.AsType[*blockdev.Error](err); ok {
		if f, known := deviceFailures()[e.Kind]; known {
			return &cim.Reply{Return: uint64(f.kind), Reason: reasonOf(e)}, nil
		}
	}
	return nil, statusOf(err)
}

// reasonOf is what a client is told of a failure that it has a code for.
func reasonOf(err error) string {
	if e, ok := errors.AsType[*replication.Error](err); ok {
		return (&replication.Error{Param: e.Param, Msg: e.Msg}).Error()
	}
	if e, ok := errors.AsType[*blockdev.Error](err); ok && !deviceFailures()[e.Kind].tell {
		return (&blockdev.Error{Kind: e.Kind, Op: e.Op}).Error()
	}
	return err.Error()
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
		return cim.Errorf(cim.StatusNotFound, "%s", reasonOf(err))
	}
	return cim.Internal(err)
}

// writeStatus turns the failure of changing an instance into a CIM error, which
// begins with the property at fault. nil stays nil, and so does what was given up.
func writeStatus(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if e, ok := errors.AsType[*replication.Error](err); ok {
		return &cim.Error{Status: statusOfKind(e), Msg: reasonOf(e), Err: causeOf(e)}
	}
	for _, f := range []struct {
		err    error
		status cim.Status
	}{
		{setting.ErrExists, cim.StatusAlreadyExists},
		{setting.ErrFull, cim.StatusServerLimitsExceeded},
	} {
		if errors.Is(err, f.err) {
			return cim.Errorf(f.status, "%s", err)
		}
	}
	if errors.Is(err, job.ErrRunning) {
		return &cim.Error{Status: cim.StatusFailed, Msg: err.Error(), Err: cim.ErrInUse}
	}
	if e, ok := errors.AsType[*setting.InvalidError](err); ok {
		return cim.Errorf(cim.StatusInvalidParameter, "%s: %s", cmp.Or(settingProperties()[e.Field], e.Field), e.Msg)
	}
	return statusOf(err)
}

// causeOf is why a request to change something was refused or failed, for the log, and
// for those who tell what is in use from what failed.
func causeOf(e *replication.Error) error {
	if e.Kind == replication.KindInUse {
		return errors.Join(cim.ErrInUse, e.Err)
	}
	return e.Err
}

// settingProperties are the properties that show the fields of a setting.
func settingProperties() map[string]string {
	return map[string]string{"id": "InstanceID", "name": "ElementName", "description": "Description"}
}

// statusOfKind is the status of a request to change something that was refused or
// failed. What names the object itself, and not a property, is gone.
func statusOfKind(e *replication.Error) cim.Status {
	object := slices.Contains([]string{"ReplicationGroup", "Synchronization", "TheElement", "Volume"}, e.Param)
	switch {
	case e.Kind == replication.KindNotSupported:
		return cim.StatusNotSupported
	case e.Kind == replication.KindInvalid && object:
		return cim.StatusNotFound
	case e.Kind == replication.KindInvalid:
		return cim.StatusInvalidParameter
	}
	return cim.StatusFailed
}

// missing says whether a lookup found no such object.
func missing(err error) bool {
	if e, ok := errors.AsType[*cim.Error](err); ok {
		return e.Status == cim.StatusNotFound
	}
	if e, ok := errors.AsType[*replication.Error](err); ok {
		return e.Kind == replication.KindInvalid
	}
	return errors.Is(err, job.ErrNotFound) || errors.Is(err, setting.ErrNotFound) || blockdev.Is(err, blockdev.KindNotFound)
}
