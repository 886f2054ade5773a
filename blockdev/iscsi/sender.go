package iscsi

import (
	"runtime"
	"time"

	"twinlun/blockdev/iscsi/pdu"
	"twinlun/blockdev/scsi"
)

// send is the sender: it writes what is in the outbox until that is closed and empty.
// After a failure it goes on to empty it.
func (s *session) send() {
	defer close(s.out.drained)
	for s.out.await() {
		s.drain()
	}
}

// drain sends what is in the outbox until nothing is left, for a caller who may.
func (s *session) drain() {
	for yielded := false; ; {
		switch {
		case s.out.take():
			yielded = false
			s.sendBatch()
		case !yielded:
			// Commands that are about to finish share the system call.
			yielded = true
			runtime.Gosched()
		default:
			s.flush()
			if s.out.release() {
				return
			}
			yielded = false
		}
	}
}

// sendAloneLocked answers t, for a caller who has seized the outbox. The lock is released
// meanwhile.
func (s *session) sendAloneLocked(t *task) {
	s.leaveLocked(t)
	t.state = taskResponding
	s.mu.Unlock()
	defer s.mu.Lock()
	s.out.batch = append(s.out.batch[:0], t)
	s.sendBatch()
	s.flush()
	if !s.out.release() {
		s.drain()
	}
}

// sendBatch writes what take took; what fails ends the session.
func (s *session) sendBatch() {
	s.limitWrite()
	for i, x := range s.out.batch {
		if err := x.send(s, s.out.w); err != nil {
			s.fail(err, s.out.batch[i+1:])
			break
		}
	}
	clear(s.out.batch)
}

func (s *session) flush() {
	if s.out.w.Buffered() == 0 {
		return
	}
	s.limitWrite()
	if err := s.out.w.Flush(); err != nil {
		s.fail(err, nil)
	}
}

// fail ends the session when its peer takes nothing any more. The connection is
// closed at once, so that later writes fail at once, too.
func (s *session) fail(err error, rest []outgoing) {
	s.stop("send: " + err.Error())
	_ = s.nc.Close()
	for _, x := range rest {
		x.forget(s)
	}
}

// limitWrite bounds the time of the writes to come.
func (s *session) limitWrite() {
	_ = s.nc.SetWriteDeadline(time.Now().Add(s.srv.cfg.Limits.WriteTimeout))
	if s.stopping() {
		_ = s.nc.SetWriteDeadline(time.Now().Add(lastWords))
	}
}

// sequence is what a PDU tells of the session's numbers. A PDU that has a status
// of its own uses up a StatSN.
func (s *session) sequence(status bool) pdu.Sequence {
	q := pdu.Sequence{StatSN: s.statSN, ExpCmdSN: s.expCmdSN.Load(), MaxCmdSN: s.maxCmdSN.Load()}
	if status {
		s.statSN++
	}
	return q
}

// send answers a command: its data in pieces that the initiator takes, and its
// status, on the last piece if there is no sense data.
func (t *task) send(s *session, w *pdu.Writer) error {
	defer s.recycle(t)
	s.retire(t)
	collapse := t.result.Status == scsi.StatusGood && len(t.result.DataIn) > 0
	pieces, err := t.sendData(s, w, collapse)
	if err != nil || collapse {
		return err
	}
	r := pdu.Response{
		Status: byte(t.result.Status), ITT: t.itt, Sequence: s.sequence(true),
		ExpDataSN: pieces, Residual: t.residual(),
	}
	return write(w, &r, t.senseSegment())
}

// longPiece is from where a piece of data is given a time limit of its own,
// because it may be written at once.
const longPiece = 16 << 10

// sendData sends the Data-In PDUs and says how many they were.
func (t *task) sendData(s *session, w *pdu.Writer, collapse bool) (uint32, error) {
	data, burst := t.result.DataIn, 0
	d := pdu.DataIn{LUN: t.lun, ITT: t.itt}
	for off := 0; off < len(data); d.DataSN++ {
		n := min(len(data)-off, s.params.sendSegment, s.params.maxBurst-burst)
		last := off+n == len(data)
		burst += n
		if d.Final = last || burst == s.params.maxBurst; d.Final {
			burst = 0
		}
		d.Offset = uint32(off)
		if d.HasStatus = last && collapse; d.HasStatus {
			d.Status, d.Residual = byte(t.result.Status), t.residual()
		}
		d.Sequence = s.sequence(d.HasStatus)
		if !d.HasStatus {
			d.StatSN = 0
		}
		if n >= longPiece {
			s.limitWrite()
		}
		if err := write(w, &d, data[off:off+n]); err != nil {
			return d.DataSN, err
		}
		off += n
	}
	return d.DataSN, nil
}

func (t *task) forget(s *session) {
	s.retire(t)
	s.recycle(t)
}
