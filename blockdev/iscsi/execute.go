package iscsi

import (
	"time"

	"twinlun/blockdev/iscsi/pdu"
	"twinlun/blockdev/scsi"
)

// order decides which delivered tasks of a session may run (SAM-5 section 8.6):
// an ORDERED task runs when all before it have ended, and alone. It is guarded by
// the session's lock.
type order struct {
	live    int   // tasks that may run or do
	barrier *task // the ORDERED task among them
	line    []*task
}

// enter gives a delivered task its place; true if it may run at once.
func (o *order) enter(t *task) bool {
	if t.attr != pdu.HeadOfQueue && (len(o.line) > 0 || o.barrier != nil || t.attr == pdu.Ordered && o.live > 0) {
		o.line = append(o.line, t)
		t.state = taskQueued
		return false
	}
	o.begin(t)
	return true
}

func (o *order) begin(t *task) {
	o.live++
	t.counted = true
	t.state = taskReady
	if t.attr == pdu.Ordered {
		o.barrier = t
	}
}

// leave takes a task out, wherever it is, and returns those that may run now.
func (o *order) leave(t *task) (ready []*task) {
	if t.state == taskQueued {
		for i, q := range o.line {
			if q == t {
				o.line = append(o.line[:i], o.line[i+1:]...)
				break
			}
		}
	}
	if t.counted {
		t.counted = false
		o.live--
	}
	if o.barrier == t {
		o.barrier = nil
	}
	for len(o.line) > 0 && o.barrier == nil && (o.line[0].attr != pdu.Ordered || o.live == 0) {
		next := o.line[0]
		o.line = o.line[1:]
		o.begin(next)
		ready = append(ready, next)
	}
	return ready
}

// deliver is part of delivery.
func (t *task) deliver(s *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.state != taskReceived || !s.mu.order.enter(t) {
		return // aborted before its turn, or in line
	}
	s.startLocked(t)
}

// completed says that all data of t is there, or that none is waited for.
func (s *session) completed(t *task) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t.complete = true
	s.startLocked(t)
}

// startLocked runs t if nothing is in its way.
func (s *session) startLocked(t *task) {
	if t.state != taskReady || !t.complete || t.aborted || s.mu.closing {
		return
	}
	if t.preset != nil {
		t.result = *t.preset
		s.respondLocked(t)
		return
	}
	t.state = taskRunning
	if n := len(s.mu.idle); n > 0 {
		w := s.mu.idle[n-1]
		s.mu.idle = s.mu.idle[:n-1]
		w <- t
		return
	}
	w := make(worker, 1)
	w <- t
	s.work.Go(func() { s.toil(w) })
}

// worker is the mailbox of a goroutine that executes commands one after the
// other. There are as many as commands that run; some stay for the next ones,
// because a stack that has grown once is worth keeping.
type worker chan *task

// maxIdle is how many workers without work a session keeps.
const maxIdle = 32

func (s *session) toil(w worker) {
	for t := range w {
		res := s.execute(t)
		if !s.executed(t, res, w) {
			return
		}
	}
}

// restLocked keeps w for later; false if it has to end.
func (s *session) restLocked(w worker) bool {
	if s.mu.closing || len(s.mu.idle) >= maxIdle {
		return false
	}
	s.mu.idle = append(s.mu.idle, w)
	return true
}

// execute runs the command in its unit.
func (s *session) execute(t *task) scsi.Result {
	obs := s.srv.cfg.Observer
	var begun time.Time
	if obs != nil {
		begun = s.srv.cfg.Time()
	}
	res := t.unit.Execute(&t.ctx, &t.cmd)
	if len(res.DataIn) > t.cmd.Expected {
		res.DataIn = res.DataIn[:t.cmd.Expected]
	}
	if obs != nil {
		obs.CommandDone(CommandInfo{
			Target: s.info.Target, Opcode: t.cdb[0], Status: res.Status,
			In: len(res.DataIn), Out: len(t.cmd.DataOut), Took: s.srv.cfg.Time().Sub(begun),
		})
	}
	return res
}

// executed answers the command, or ends an aborted task. It says whether its worker
// goes on.
func (s *session) executed(t *task, res scsi.Result, w worker) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	t.result = res
	switch {
	case t.aborted:
		s.endAbortedLocked(t)
	case s.mu.order.live == 1 && s.out.seize():
		s.sendAloneLocked(t) // no other answer is near that could share the system call
	default:
		s.respondLocked(t)
	}
	return s.restLocked(w)
}

// respondLocked gives t to the sender and lets those run that waited for it.
func (s *session) respondLocked(t *task) {
	s.leaveLocked(t)
	t.state = taskResponding
	if !s.out.push(t) {
		s.retireLocked(t)
		s.recycle(t)
	}
}

func (s *session) leaveLocked(t *task) {
	for _, next := range s.mu.order.leave(t) {
		s.startLocked(next)
	}
}

// retire takes a task off the books: its tag, its bytes and its place in the
// window are free.
func (s *session) retire(t *task) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.retireLocked(t)
}

func (s *session) retireLocked(t *task) {
	if t.state == taskRetired {
		return
	}
	t.state = taskRetired
	delete(s.mu.tasks, t.itt)
	s.mu.bytes -= t.reserved
	t.reserved = 0
	if t.immediate {
		s.mu.immediate--
	} else {
		s.credit()
	}
}

// recycle gives back the buffers of a task that has ended, but not one that the
// reader may still fill.
func (s *session) recycle(t *task) {
	s.srv.bufs.put(t.in)
	t.in, t.result.DataIn = buffer{}, nil
	if !t.cutShort {
		s.srv.bufs.put(t.out.buf)
		t.out.buf, t.cmd.DataOut = buffer{}, nil
	}
}
