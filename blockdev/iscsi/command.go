package iscsi

import (
	"errors"

	"twinlun/blockdev/iscsi/pdu"
	"twinlun/blockdev/scsi"
)

// readCommand takes a SCSI Command PDU. What is wrong with the command itself is
// answered like a command that failed; its delivery then waits for its turn like
// any other.
func (s *session) readCommand(h *pdu.Header) (delivery, error) {
	var c pdu.Command
	c.Decode(h)
	if s.node == nil || !c.Write && h.DataLen() > 0 {
		s.reject(h, pdu.RejectProtocol)
		return nil, s.rd.Discard()
	}
	t := s.newTask(&c)
	if reason := s.admit(t); reason != 0 {
		s.reject(h, reason)
		return nil, s.rd.Discard()
	}
	if t.preset == nil {
		t.preset = s.judge(t, h)
	}
	if t.preset != nil || !t.write {
		s.completed(t)
		return t, s.rd.Discard()
	}
	return t, s.readImmediate(t, &c, h)
}

func (s *session) newTask(c *pdu.Command) *task {
	t := &task{
		itt: c.ITT, lun: c.LUN, attr: c.Attr, immediate: c.Immediate,
		read: c.Read, write: c.Write, expected: int(c.Expected), cdb: c.CDB, bufs: s.srv.bufs,
	}
	if !c.Read && !c.Write {
		t.expected = 0
	}
	t.cmd = scsi.Command{CDB: t.cdb[:cdbLen(c.CDB[0])], Nexus: s.nexus, Alloc: t.alloc}
	if t.read {
		t.cmd.Expected = t.expected
	}
	if lun, ok := scsi.DecodeLUN(c.LUN); ok {
		t.unit = s.node.units[lun]
	}
	return t
}

// cdbLen is the length of a CDB by its group code (SPC-5 section 4.2.5.1).
func cdbLen(opcode byte) int {
	switch opcode >> 5 {
	case 0:
		return 6
	case 1, 2:
		return 10
	case 5:
		return 12
	}
	return 16
}

// admit enters t in the list of tasks; a reason means that it cannot be.
func (s *session) admit(t *task) pdu.RejectReason {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.mu.tasks[t.itt] != nil:
		return pdu.RejectTaskInUse
	case t.itt == pdu.NoTag:
		return pdu.RejectInvalidField
	case t.immediate && s.mu.immediate >= s.srv.cfg.Limits.Immediate:
		return pdu.RejectImmediate
	}
	if t.immediate {
		s.mu.immediate++
	}
	s.mu.tasks[t.itt] = t
	s.reserveLocked(t)
	return 0
}

// reserveLocked takes the task's data from the session's allowance, or presets
// the answer that makes the initiator try again later.
func (s *session) reserveLocked(t *task) {
	switch l := &s.srv.cfg.Limits; {
	case t.expected > l.TransferBytes:
		t.preset = illegal(ascInvalidField)
	case s.mu.bytes > 0 && s.mu.bytes+t.expected > l.SessionBytes:
		t.preset = &scsi.Result{Status: scsi.StatusTaskSetFull}
	default:
		t.reserved = t.expected
		s.mu.bytes += t.reserved
	}
}

// reserve takes n bytes from the session's allowance, for what is neither a task
// nor small; false if they are not there.
func (s *session) reserve(n int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.bytes > 0 && s.mu.bytes+n > s.srv.cfg.Limits.SessionBytes {
		return false
	}
	s.mu.bytes += n
	return true
}

func (s *session) unreserve(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.bytes -= n
}

// judge gives the answer to commands that do not reach a unit.
func (s *session) judge(t *task, h *pdu.Header) *scsi.Result {
	switch {
	case h.AHSLen() > 0, t.read && t.write:
		return illegal(ascInvalidOpcode) // long CDBs and bidirectional commands
	case t.unit == nil:
		r := scsi.ExecuteAbsent(&t.cmd, s.node.luns)
		return &r
	}
	if r, ok := scsi.ExecuteTarget(&t.cmd, s.node.luns); ok {
		return &r
	}
	return nil
}

// readImmediate takes the data that comes with a write, and asks for the rest.
func (s *session) readImmediate(t *task, c *pdu.Command, h *pdu.Header) error {
	t.out.buf = s.srv.bufs.get(t.expected)
	dst, f := t.out.immediate(h.DataLen(), !c.Final, &s.params)
	if f != faultNone {
		s.failData(t, f)
		return s.rd.Discard()
	}
	if err := s.rd.Data(dst); err != nil {
		return err
	}
	s.progress(t)
	return nil
}

// readDataOut takes a Data-Out PDU. Data of a task that is not, or no longer,
// waiting for it is dropped.
func (s *session) readDataOut(h *pdu.Header) (delivery, error) {
	var d pdu.DataOut
	d.Decode(h)
	t := s.collecting(d.ITT)
	if t == nil {
		return nil, s.rd.Discard()
	}
	dst, f := t.out.accept(&d, h.DataLen())
	if f != faultNone {
		s.failData(t, f)
		return nil, s.rd.Discard()
	}
	if err := s.rd.Data(dst); err != nil {
		return nil, err
	}
	s.progress(t)
	return nil, nil
}

// collecting finds the task of that tag if it waits for data.
func (s *session) collecting(itt uint32) *task {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.mu.tasks[itt]
	if t == nil || t.complete {
		return nil
	}
	return t
}

// progress goes on with a write when data has come.
func (s *session) progress(t *task) {
	if t.out.complete() {
		t.cmd.DataOut = t.out.buf.p
		s.completed(t)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.aborted {
		return
	}
	for {
		b, sn, ok := t.out.ask(s.nextTTT)
		if !ok {
			return
		}
		if s.nextTTT++; s.nextTTT == pdu.NoTag {
			s.nextTTT = 0
		}
		s.out.push(&solicitation{lun: t.lun, itt: t.itt, burst: b, sn: sn})
	}
}

// failData ends a task whose data is not as it must be. What still comes of it
// is dropped, because the task is complete.
func (s *session) failData(t *task, f fault) {
	s.log.Warn("iscsi: bad data", "itt", t.itt, "fault", int(f))
	t.preset = transportFault(f)
	s.completed(t)
}

// errTaskAborted is what a cancelled command finds in its context.
var errTaskAborted = errors.New("iscsi: task aborted")
