package iscsi

import (
	"twinlun/blockdev/iscsi/pdu"
)

// write sends one control PDU.
func write(w *pdu.Writer, p interface{ Encode(*pdu.Header) }, data []byte) error {
	var h pdu.Header
	p.Encode(&h)
	return w.Write(&h, nil, data)
}

// unowned is the forget of what owns nothing.
type unowned struct{}

func (unowned) forget(*session) {}

// solicitation is an R2T on its way.
type solicitation struct {
	unowned
	lun   uint64
	itt   uint32
	burst burst
	sn    uint32
}

func (r *solicitation) send(s *session, w *pdu.Writer) error {
	return write(w, &pdu.R2T{
		LUN: r.lun, ITT: r.itt, TTT: r.burst.ttt, Sequence: s.sequence(false), R2TSN: r.sn,
		Offset: uint32(r.burst.next), Length: uint32(r.burst.end - r.burst.next),
	}, nil)
}

// rejection is a Reject PDU on its way.
type rejection struct {
	unowned
	reason pdu.RejectReason
	header pdu.Header
}

func (r *rejection) send(s *session, w *pdu.Writer) error {
	return write(w, &pdu.Reject{Reason: r.reason, Sequence: s.sequence(true)}, r.header[:])
}

// asyncNotice is an asynchronous message of the session's end.
type asyncNotice struct {
	unowned
	event pdu.AsyncEvent
}

func (a asyncNotice) send(s *session, w *pdu.Writer) error {
	return write(w, &pdu.Async{Event: a.event, Sequence: s.sequence(true)}, nil)
}

// pingTTT is the target task tag of our pings; the initiator gives it back.
const pingTTT = 1

// ping is a NOP-In that wants an answer.
type ping struct{ unowned }

func (ping) send(s *session, w *pdu.Writer) error {
	return write(w, &pdu.NopIn{ITT: pdu.NoTag, TTT: pingTTT, Sequence: s.sequence(false)}, nil)
}

// pong is the answer to an initiator's ping.
type pong struct {
	unowned
	lun  uint64
	itt  uint32
	data []byte
}

func (p *pong) send(s *session, w *pdu.Writer) error {
	defer s.unreserve(len(p.data))
	return write(w, &pdu.NopIn{LUN: p.lun, ITT: p.itt, TTT: pdu.NoTag, Sequence: s.sequence(true)},
		p.data[:min(len(p.data), s.params.sendSegment)])
}

func (p *pong) deliver(s *session) { s.out.push(p) }

// readNop takes a NOP-Out: a ping, or the answer to ours, for which it is enough
// to have come. Its data counts until it has been sent back.
func (s *session) readNop(h *pdu.Header) (delivery, error) {
	var n pdu.NopOut
	n.Decode(h)
	if n.ITT == pdu.NoTag {
		return nil, s.rd.Discard()
	}
	if !s.reserve(h.DataLen()) {
		s.reject(h, pdu.RejectResources)
		return nil, s.rd.Discard()
	}
	data, err := s.data(h)
	return &pong{lun: n.LUN, itt: n.ITT, data: data}, err
}

// readLogout takes a Logout Request. Nothing of the session runs any more when
// it is answered; then the session ends.
func (s *session) readLogout(h *pdu.Header) (delivery, error) {
	var r pdu.LogoutRequest
	r.Decode(h)
	return deliverFunc(func(s *session) {
		if result := s.mayLogout(&r); result != pdu.LogoutDone {
			s.out.push(&farewell{itt: r.ITT, result: result})
			return
		}
		if s.leaving {
			return // the answer to the first is on its way
		}
		s.leaving = true
		running := s.abort(func(*task) bool { return true }, nil)
		s.work.Go(func() { s.leave(r.ITT, running) })
	}), s.rd.Discard()
}

func (s *session) leave(itt uint32, running []<-chan struct{}) {
	for _, gone := range running {
		<-gone
	}
	s.out.push(&farewell{itt: itt})
	s.stop("logout")
}

func (s *session) mayLogout(r *pdu.LogoutRequest) pdu.LogoutResult {
	switch {
	case r.Reason == pdu.LogoutSession:
		return pdu.LogoutDone
	case r.Reason == pdu.LogoutRecovery:
		return pdu.LogoutNoRecovery
	case r.Reason != pdu.LogoutConnection:
		return pdu.LogoutFailed
	case r.CID != s.cid:
		return pdu.LogoutNoCID
	}
	return pdu.LogoutDone
}

// farewell is a Logout Response on its way.
type farewell struct {
	unowned
	itt    uint32
	result pdu.LogoutResult
}

func (f *farewell) send(s *session, w *pdu.Writer) error {
	return write(w, &pdu.LogoutResponse{Result: f.result, ITT: f.itt, Sequence: s.sequence(true)}, nil)
}
