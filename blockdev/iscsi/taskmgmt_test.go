package iscsi

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev/iscsi/pdu"
	"twinlun/blockdev/scsi"
)

func (w *wire) manage(r pdu.TaskRequest) {
	w.t.Helper()
	r.CmdSN = w.cmdSN
	if !r.Immediate {
		w.cmdSN++
	}
	w.write(&r, nil)
}

func (w *wire) managed(itt uint32) pdu.TaskResult {
	w.t.Helper()
	h, _ := w.expect(pdu.OpTaskResp)
	var r pdu.TaskResponse
	r.Decode(&h)
	require.Equal(w.t, itt, r.ITT)
	return r.Result
}

// holdReads makes reads wait until they are cancelled and then until let go.
func holdReads(u *fakeUnit) (letGo chan struct{}, cancelled *atomic.Int32) {
	letGo, cancelled = make(chan struct{}), new(atomic.Int32)
	u.setHold(func(ctx context.Context, cdb []byte) error {
		if cdb[0] != 0x28 {
			return nil
		}
		<-ctx.Done()
		cancelled.Add(1)
		<-letGo
		return ctx.Err()
	})
	return letGo, cancelled
}

func read10(itt uint32) (pdu.Command, []byte) {
	return pdu.Command{Final: true, Read: true, Attr: pdu.Simple, ITT: itt, Expected: 512}, rw10(0x28, 0, 1)
}

// A task management function is answered when the tasks have really ended, and
// these say nothing; what is not affected goes on meanwhile.
func TestAbortRunning(t *testing.T) {
	for _, c := range []struct {
		f      pdu.TaskFunction
		tasks  int
		resets int
	}{
		{pdu.AbortTask, 1, 0}, {pdu.AbortTaskSet, 3, 0}, {pdu.ClearTaskSet, 3, 0}, {pdu.LogicalUnitReset, 3, 1}, {pdu.TargetWarmReset, 3, 1},
	} {
		u := newFakeUnit(100)
		letGo, cancelled := holdReads(u)
		w := start(t, Config{}, oneDisk(u)).connect().enter(1)
		for i := range c.tasks {
			w.command(first(read10(uint32(10+i))), rw10(0x28, 0, 1), nil)
		}
		eventually(t, func() bool { n, _, _ := u.count(); return n == c.tasks }, "commands do not run")
		w.manage(pdu.TaskRequest{Immediate: true, Function: c.f, ITT: 99, RefITT: 10, RefCmdSN: 1})
		eventually(t, func() bool { return cancelled.Load() == int32(c.tasks) }, "commands are not cancelled")
		w.command(pdu.Command{Final: true, ITT: 50}, make([]byte, 6), nil)
		_, _ = w.response(50)
		_, _, resets := u.count()
		require.Zero(t, resets, "before the tasks have ended")
		close(letGo)
		require.Equal(t, pdu.TaskComplete, w.managed(99))
		_, _, resets = u.count()
		require.Equal(t, c.resets, resets)
		w.command(pdu.Command{Final: true, ITT: 51}, make([]byte, 6), nil)
		r, _ := w.response(51)
		require.EqualValues(t, uint32(c.tasks+3), r.ExpCmdSN)
		require.EqualValues(t, uint32(c.tasks+2+128), r.MaxCmdSN, "aborted tasks give their place back")
	}
}

func first(c pdu.Command, _ []byte) pdu.Command { return c }

func TestAbortWaitingForData(t *testing.T) {
	u := newFakeUnit(100)
	w := start(t, Config{}, oneDisk(u)).connect().enter(1)
	c, cdb := write10(5, 1, 512)
	w.command(c, cdb, nil)
	r := w.r2t()
	w.manage(pdu.TaskRequest{Immediate: true, Function: pdu.AbortTask, ITT: 99, RefITT: 5, RefCmdSN: 1})
	require.Equal(t, pdu.TaskComplete, w.managed(99))
	w.dataOut(5, r.TTT, 0, 0, make([]byte, 512), true) // late
	w.command(pdu.Command{Final: true, ITT: 5}, make([]byte, 6), nil)
	_, _ = w.response(5)
	require.Empty(t, u.executed())
}

func TestAbortInLine(t *testing.T) {
	u := newFakeUnit(100)
	letGo, _ := holdReads(u)
	w := start(t, Config{}, oneDisk(u)).connect().enter(1)
	w.command(first(read10(10)), rw10(0x28, 0, 1), nil)
	for i := range uint32(3) {
		c, cdb := write10(20+i, 1, 512)
		c.Attr = pdu.Ordered
		w.command(c, cdb, make([]byte, 512))
	}
	w.manage(pdu.TaskRequest{Immediate: true, Function: pdu.AbortTask, ITT: 99, RefITT: 21})
	require.Equal(t, pdu.TaskComplete, w.managed(99))
	w.manage(pdu.TaskRequest{Immediate: true, Function: pdu.AbortTask, ITT: 98, RefITT: 10})
	close(letGo)
	seen := map[uint32]bool{}
	for range 3 {
		h, _ := w.read()
		seen[h.ITT()] = true
	}
	require.Equal(t, map[uint32]bool{98: true, 20: true, 22: true}, seen)
	require.Len(t, u.executed(), 2)
}

func TestTaskManagementAnswers(t *testing.T) {
	w := start(t, Config{}, oneDisk(newFakeUnit(100))).connect().enter(1)
	lun7 := scsi.EncodeLUN(7)
	for i, c := range []struct {
		req  pdu.TaskRequest
		want pdu.TaskResult
	}{
		{pdu.TaskRequest{Function: pdu.AbortTask, RefITT: 77, RefCmdSN: 0}, pdu.TaskNotFound},
		{pdu.TaskRequest{Function: pdu.AbortTask, LUN: lun7, RefITT: 77}, pdu.TaskNoLUN},
		{pdu.TaskRequest{Function: pdu.AbortTaskSet, LUN: lun7}, pdu.TaskNoLUN},
		{pdu.TaskRequest{Function: pdu.AbortTaskSet, LUN: 0xffff << 48}, pdu.TaskNoLUN},
		{pdu.TaskRequest{Function: pdu.ClearTaskSet, LUN: lun7}, pdu.TaskNoLUN},
		{pdu.TaskRequest{Function: pdu.LogicalUnitReset, LUN: lun7}, pdu.TaskNoLUN},
		{pdu.TaskRequest{Function: pdu.AbortTaskSet}, pdu.TaskComplete},
		{pdu.TaskRequest{Function: pdu.ClearACA}, pdu.TaskUnsupported},
		{pdu.TaskRequest{Function: pdu.TargetColdReset}, pdu.TaskUnsupported},
		{pdu.TaskRequest{Function: pdu.TaskReassign}, pdu.TaskNoReassign},
		{pdu.TaskRequest{Function: 100}, pdu.TaskUnsupported},
	} {
		c.req.ITT = uint32(i)
		w.manage(c.req)
		require.Equal(t, c.want, w.managed(c.req.ITT), "%+v", c.req)
	}
}

// An ABORT TASK for a command that has not come makes its CmdSN count as come.
func TestAbortOfWhatHasNotCome(t *testing.T) {
	u := newFakeUnit(100)
	w := start(t, Config{}, oneDisk(u)).connect().enter(1)
	w.cmdSN = 2
	c, cdb := write10(12, 1, 512)
	w.command(c, cdb, make([]byte, 512)) // waits for CmdSN 1
	w.manage(pdu.TaskRequest{Immediate: true, Function: pdu.AbortTask, ITT: 99, RefITT: 11, RefCmdSN: 1})
	h, _ := w.read()
	g, _ := w.read()
	require.ElementsMatch(t, []pdu.Opcode{pdu.OpTaskResp, pdu.OpResponse}, []pdu.Opcode{h.Opcode(), g.Opcode()})
	require.Len(t, u.executed(), 1)
}

// A reset ends the commands of other initiators with TASK ABORTED.
func TestResetReachesOthers(t *testing.T) {
	u := newFakeUnit(100)
	letGo, cancelled := holdReads(u)
	close(letGo)
	h := start(t, Config{}, oneDisk(u))
	victim, other := h.connect().enter(1, "InitialR2T=Yes"), h.connect().enter(2)
	victim.command(first(read10(10)), rw10(0x28, 0, 1), nil)
	eventually(t, func() bool { n, _, _ := u.count(); return n == 1 }, "the command does not run")
	c, cdb := write10(11, 1, 512)
	victim.command(c, cdb, nil)
	victim.r2t()
	other.manage(pdu.TaskRequest{Function: pdu.LogicalUnitReset, ITT: 99})
	require.Equal(t, pdu.TaskComplete, other.managed(99))
	require.EqualValues(t, 1, cancelled.Load())
	seen := map[uint32]bool{}
	for range 2 {
		hd, _ := victim.expect(pdu.OpResponse)
		var r pdu.Response
		r.Decode(&hd)
		require.EqualValues(t, scsi.StatusTaskAborted, r.Status)
		seen[r.ITT] = true
	}
	require.Len(t, seen, 2)
}

func TestTaskContext(t *testing.T) {
	var c taskContext
	require.NoError(t, c.Err())
	child, stop := context.WithCancel(&c)
	defer stop()
	done := c.Done()
	c.cancel(errTaskAborted)
	c.cancel(context.Canceled)
	<-done
	<-child.Done()
	<-c.Done()
	require.ErrorIs(t, c.Err(), errTaskAborted)
	var late taskContext
	late.cancel(errTaskAborted)
	<-late.Done()
	_, ok := late.Deadline()
	require.False(t, ok)
	require.Nil(t, late.Value(1))
}

// A command that waits for its turn can be ended by another initiator; it must
// not run when its turn comes.
func TestResetBeforeTurn(t *testing.T) {
	u := newFakeUnit(100)
	h := start(t, Config{}, oneDisk(u))
	victim, other := h.connect().enter(1), h.connect().enter(2)
	victim.cmdSN = 2
	c, cdb := write10(12, 1, 512)
	victim.command(c, cdb, make([]byte, 512))
	victim.write(&pdu.NopOut{Immediate: true, ITT: 1, TTT: pdu.NoTag, CmdSN: 3}, nil)
	victim.expect(pdu.OpNopIn) // so it has come
	other.manage(pdu.TaskRequest{Function: pdu.LogicalUnitReset, ITT: 99})
	require.Equal(t, pdu.TaskComplete, other.managed(99))
	r, _ := victim.response(12)
	require.EqualValues(t, scsi.StatusTaskAborted, r.Status)
	victim.cmdSN = 1
	victim.command(pdu.Command{Final: true, ITT: 11}, make([]byte, 6), nil)
	r, _ = victim.response(11)
	require.EqualValues(t, 3, r.ExpCmdSN)
	require.Empty(t, u.executed())
}

// Requests that wait for the same command that does not end do not pile up.
func TestTooManyTaskRequests(t *testing.T) {
	u := newFakeUnit(100)
	letGo, _ := holdReads(u)
	w := start(t, Config{Limits: Limits{Immediate: 2}}, oneDisk(u)).connect().enter(1)
	w.command(first(read10(10)), rw10(0x28, 0, 1), nil)
	eventually(t, func() bool { n, _, _ := u.count(); return n == 1 }, "the command does not run")
	for i := range uint32(3) {
		w.manage(pdu.TaskRequest{Immediate: true, Function: pdu.AbortTaskSet, ITT: 90 + i})
	}
	require.Equal(t, pdu.TaskRejected, w.managed(92))
	for i := range uint32(2) {
		w.write(&pdu.LogoutRequest{Immediate: true, ITT: 80 + i, CmdSN: w.cmdSN}, nil)
	}
	close(letGo)
	seen := map[uint32]bool{}
	for !seen[80] {
		h, _ := w.read()
		seen[h.ITT()] = true
	}
	require.False(t, seen[81])
	w.expectEnd()
}
