package classes

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/cim"
	"twinlun/replication"
	"twinlun/replication/job"
)

// errSecret is a failure that nobody knows.
var errSecret = errors.New("open /var/lib/secret: permission denied")

func TestReplyOf(t *testing.T) {
	wrapped := func(err error) error { return fmt.Errorf("while: %w", err) }
	for name, c := range map[string]struct {
		err    error
		code   uint64
		reason string
	}{
		"not supported": {replication.Errorf(replication.KindNotSupported, "Mode", "no"), 1, "Mode: no"},
		"unknown":       {replication.Errorf(replication.KindUnknown, "", "odd"), 2, "odd"},
		"timeout":       {replication.Errorf(replication.KindTimeout, "", "late"), 3, "late"},
		"failed":        {wrapped(replication.Errorf(replication.KindFailed, "TargetPool", "full")), 4, "TargetPool: full"},
		"invalid":       {replication.Errorf(replication.KindInvalid, "SyncType", "bad"), 5, "SyncType: bad"},
		"in use":        {replication.Errorf(replication.KindInUse, "", "busy"), 6, "busy"},
		"of a method":   {replication.Errorf(4097, "LUNames[0]", "bad"), 4097, "LUNames[0]: bad"},
		"no kind":       {&replication.Error{Msg: "m"}, 2, "m"},
		"with a cause":  {&replication.Error{Kind: replication.KindFailed, Param: "P", Msg: "m", Err: errSecret}, 4, "P: m"},

		"device invalid":     {blockdev.Errorf(blockdev.KindInvalid, "expose", "bad name"), 5, "expose: invalid request: bad name"},
		"device range":       {blockdev.Errorf(blockdev.KindOutOfRange, "read", "far"), 5, "read: out of range: far"},
		"device not found":   {blockdev.Errorf(blockdev.KindNotFound, "hide", "x"), 5, "hide: not found: x"},
		"device exists":      {wrapped(blockdev.Errorf(blockdev.KindExists, "expose", "x")), 5, "expose: exists: x"},
		"device busy":        {blockdev.Errorf(blockdev.KindBusy, "hide", "x"), 6, "hide: busy: x"},
		"device unsupported": {blockdev.Errorf(blockdev.KindUnsupported, "x", "y"), 1, "x: not supported: y"},
		"device full":        {blockdev.Wrap(blockdev.KindNoSpace, "expose", errSecret), 4, "expose: no space"},
		"device broken":      {blockdev.Wrap(blockdev.KindIO, "expose", errSecret), 4, "expose: I/O error"},
		"device read-only":   {blockdev.Wrap(blockdev.KindReadOnly, "expose", errSecret), 4, "expose: read-only"},
		"device closed":      {wrapped(blockdev.Wrap(blockdev.KindClosed, "expose", errSecret)), 4, "expose: closed"},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := replyOf(c.err)
			require.NoError(t, err)
			require.Equal(t, &cim.Reply{Return: c.code, Reason: c.reason}, r)
		})
	}
}

func TestStatusOf(t *testing.T) {
	require.NoError(t, statusOf(nil))
	denied := cim.Errorf(cim.StatusAccessDenied, "no")
	for name, c := range map[string]struct {
		err    error
		status cim.Status
		text   string
	}{
		"ours":            {denied, cim.StatusAccessDenied, "no"},
		"no volume":       {blockdev.Errorf(blockdev.KindNotFound, "get", "x"), cim.StatusNotFound, "get: not found: x"},
		"no relationship": {noSuch("relationship", "x"), cim.StatusNotFound, "there is no relationship x"},
		"no job":          {job.ErrNotFound, cim.StatusNotFound, job.ErrNotFound.Error()},
		"device internal": {blockdev.Wrap(blockdev.KindInternal, "get", errSecret), cim.StatusFailed, "internal error"},
		"device broken":   {blockdev.Wrap(blockdev.KindIO, "get", errSecret), cim.StatusFailed, "internal error"},
		"unknown":         {errSecret, cim.StatusFailed, "internal error"},
		"unknown, joined": {errors.Join(errSecret, errSecret), cim.StatusFailed, "internal error"},
	} {
		t.Run(name, func(t *testing.T) {
			err := statusOf(c.err)
			require.Equal(t, c.status, cim.StatusOf(err))
			require.Equal(t, c.text, err.Error())
			_, failed := replyOf(c.err)
			if c.status == cim.StatusFailed && !blockdev.Is(c.err, blockdev.KindIO) {
				require.Equal(t, "internal error", failed.Error())
				require.ErrorIs(t, failed, c.err, "the log needs it")
			}
		})
	}
	late := &replication.Error{Kind: replication.KindTimeout, Err: context.DeadlineExceeded}
	require.Equal(t, error(late), statusOf(late), "a time that is over is no failure of ours")
	require.Equal(t, error(late), writeStatus(late))
	for _, ended := range []error{context.Canceled, fmt.Errorf("read: %w", context.DeadlineExceeded)} {
		require.Equal(t, ended, statusOf(ended))
		_, err := replyOf(ended)
		require.Equal(t, ended, err)
	}
}

func TestMissing(t *testing.T) {
	for _, err := range []error{noSuch("group", "x"), job.ErrNotFound, notFound(nil), blockdev.Errorf(blockdev.KindNotFound, "x", "y")} {
		require.True(t, missing(err), "%v", err)
	}
	for _, err := range []error{nil, errSecret, job.ErrDone, cim.Errorf(cim.StatusFailed, "x"), replication.Errorf(replication.KindInUse, "", "x"), blockdev.Errorf(blockdev.KindBusy, "x", "y")} {
		require.False(t, missing(err), "%v", err)
	}
}
