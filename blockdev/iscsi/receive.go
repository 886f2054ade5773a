package iscsi

import (
	"errors"

	"twinlun/blockdev/iscsi/pdu"
)

// delivery is a request that has come and waits for its turn.
type delivery interface {
	// deliver does what was asked for. The reader calls it in CmdSN order.
	deliver(s *session)
}

// deliverFunc makes a delivery of a function.
type deliverFunc func(s *session)

func (f deliverFunc) deliver(s *session) { f(s) }

// receiver handles one type of PDU.
type receiver struct {
	// sequenced PDUs have a CmdSN that counts unless they are immediate.
	sequenced bool
	// read takes the PDU off the connection. A nil delivery means that
	// nothing remains to be done. An error ends the session.
	read func(s *session, h *pdu.Header) (delivery, error)
}

// receivers is what an initiator may send in full feature phase.
var receivers = map[pdu.Opcode]receiver{
	pdu.OpNopOut:    {sequenced: true, read: (*session).readNop},
	pdu.OpCommand:   {sequenced: true, read: (*session).readCommand},
	pdu.OpTaskReq:   {sequenced: true, read: (*session).readTaskRequest},
	pdu.OpTextReq:   {sequenced: true, read: (*session).readText},
	pdu.OpLogoutReq: {sequenced: true, read: (*session).readLogout},
	pdu.OpDataOut:   {read: (*session).readDataOut},
	pdu.OpSNACK:     {read: rejectWith(pdu.RejectSNACK)},
}

// handle takes one PDU whose header has been read.
func (s *session) handle(h *pdu.Header) error {
	s.out.waitRoom()
	r, ok := receivers[h.Opcode()]
	switch {
	case !ok:
		r.read = rejectWith(pdu.RejectUnsupported)
	case r.sequenced && !h.Immediate() && !s.expected(h.CmdSN()):
		return s.rd.Discard() // RFC 7143 section 4.2.2.1: silently
	}
	d, err := r.read(s, h)
	if errors.Is(err, pdu.ErrDataDigest) {
		s.reject(h, pdu.RejectDataDigest)
	}
	if err != nil {
		return err
	}
	if r.sequenced && !h.Immediate() {
		s.inOrder(h.CmdSN(), d)
	} else if d != nil {
		d.deliver(s)
	}
	return nil
}

// expected says whether sn is in the window and has not come before.
func (s *session) expected(sn uint32) bool {
	if pdu.Before(sn, s.expCmdSN.Load()) || pdu.Before(s.maxCmdSN.Load(), sn) {
		return false
	}
	_, dup := s.held[sn]
	return !dup
}

// inOrder delivers d when all before it have been, and those that waited for it.
func (s *session) inOrder(sn uint32, d delivery) {
	if sn != s.expCmdSN.Load() {
		s.held[sn] = d
		return
	}
	s.turn(sn, d)
	for len(s.held) > 0 {
		sn++
		d, ok := s.held[sn]
		if !ok {
			return
		}
		delete(s.held, sn)
		s.turn(sn, d)
	}
}

func (s *session) turn(sn uint32, d delivery) {
	s.expCmdSN.Store(sn + 1)
	if _, isTask := d.(*task); !isTask {
		s.credit() // a task gives its place back when it ends
	}
	if d != nil {
		d.deliver(s)
	}
}

// credit opens the command window by one.
func (s *session) credit() { s.maxCmdSN.Add(1) }

// data reads the data segment of h, which the header's length bounds.
func (s *session) data(h *pdu.Header) ([]byte, error) {
	if h.DataLen() == 0 {
		return nil, nil
	}
	p := make([]byte, h.DataLen())
	return p, s.rd.Data(p)
}

// reject sends h back.
func (s *session) reject(h *pdu.Header, reason pdu.RejectReason) {
	s.out.push(&rejection{reason: reason, header: *h})
}

func rejectWith(reason pdu.RejectReason) func(*session, *pdu.Header) (delivery, error) {
	return func(s *session, h *pdu.Header) (delivery, error) {
		s.reject(h, reason)
		return nil, s.rd.Discard()
	}
}
