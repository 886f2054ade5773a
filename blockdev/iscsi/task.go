package iscsi

import (
	"sync"
	"time"

	"twinlun/blockdev/iscsi/pdu"
	"twinlun/blockdev/scsi"
)

// task is one SCSI command of a session, from its PDU to its response.
type task struct {
	itt       uint32
	lun       uint64 // as on the wire
	unit      scsi.Unit
	attr      pdu.Attribute
	immediate bool
	read      bool
	write     bool
	expected  int // Expected Data Transfer Length
	cmd       scsi.Command
	cdb       [16]byte
	ctx       taskContext
	bufs      *buffers

	out collector // Data-Out
	in  buffer    // Data-In

	// preset is the answer where the transport gives it itself.
	preset *scsi.Result
	result scsi.Result

	// Guarded by the session's lock.
	state    taskState
	counted  bool          // in order.live
	complete bool          // nothing more is to be received
	aborted  bool          // there is no response, or that of verdict
	cutShort bool          // aborted while the reader might be filling its buffer
	verdict  *scsi.Result  // what an aborted task answers
	gone     chan struct{} // closed when an aborted task has ended; nil until asked for
	reserved int           // bytes of the session's allowance
}

// taskState is where a task is in its life:
//
//	received -> queued -> ready -> running -> responding -> retired
//
// It is received until its CmdSN has its turn, queued while the task attributes
// hold it up, ready while data is missing. An aborted task is retired at once
// unless it runs, and then when it stops.
type taskState uint8

const (
	taskReceived taskState = iota
	taskQueued
	taskReady
	taskRunning
	taskResponding
	taskRetired
)

// alloc is the Command's Alloc. The first buffer is pooled.
func (t *task) alloc(n int) []byte {
	if t.in.p != nil {
		return make([]byte, n)
	}
	t.in = t.bufs.get(n)
	return t.in.p
}

// residual compares what the initiator expected with what the command needed.
func (t *task) residual() pdu.Residual {
	need := t.result.Transfer
	if len(t.result.DataIn) > need {
		need = len(t.result.DataIn)
	}
	switch {
	case need > t.expected:
		return pdu.Residual{Overflow: true, Count: uint32(need - t.expected)}
	case need < t.expected:
		return pdu.Residual{Underflow: true, Count: uint32(t.expected - need)}
	}
	return pdu.Residual{}
}

// senseSegment is the data segment of the response (RFC 7143 section 11.4.7).
func (t *task) senseSegment() []byte {
	n := len(t.result.Sense)
	if n == 0 {
		return nil
	}
	return append([]byte{byte(n >> 8), byte(n)}, t.result.Sense...)
}

// taskContext is the context of a command's execution. It is a type of its own
// because most commands never ask for Done: then it costs nothing.
type taskContext struct {
	mu   sync.Mutex
	err  error
	done chan struct{}
}

// Deadline is part of context.Context: there is none.
func (c *taskContext) Deadline() (time.Time, bool) { return time.Time{}, false }

// Value is part of context.Context: there are none.
func (c *taskContext) Value(any) any { return nil }

// Done is part of context.Context.
func (c *taskContext) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		c.done = make(chan struct{})
		if c.err != nil {
			close(c.done)
		}
	}
	return c.done
}

// Err is part of context.Context.
func (c *taskContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// cancel ends the context with err; later calls do nothing.
func (c *taskContext) cancel(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	c.err = err
	if c.done != nil {
		close(c.done)
	}
}
