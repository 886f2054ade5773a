package iscsi

import (
	"bytes"
	"net"
	"net/netip"
	"slices"
	"strconv"

	"twinlun/blockdev/iscsi/pdu"
)

// textExchange is a text request and its answer, which may both take several
// PDUs (RFC 7143 section 11.10).
type textExchange struct {
	in  pdu.TextBuffer
	out []byte // not sent yet
	ttt uint32 // of the exchange that goes on, if open
	// open says that the initiator has to come back with ttt, for more of
	// the answer or with more of the request.
	open bool
}

// readText takes a Text Request.
func (s *session) readText(h *pdu.Header) (delivery, error) {
	var r pdu.Text
	r.Decode(h)
	if !s.text.in.Room(h.DataLen()) || r.ITT == pdu.NoTag {
		s.reject(h, pdu.RejectResources)
		return nil, s.rd.Discard()
	}
	data, err := s.data(h)
	header := *h // the reader goes on to use its own
	return deliverFunc(func(s *session) { s.exchangeText(&header, &r, data) }), err
}

func (s *session) exchangeText(h *pdu.Header, r *pdu.Text, data []byte) {
	x := &s.text
	switch {
	case r.TTT == pdu.NoTag:
		*x = textExchange{in: pdu.TextBuffer{Max: x.in.Max}, ttt: x.ttt}
	case !x.open || r.TTT != x.ttt:
		s.reject(h, pdu.RejectProtocol)
		return
	}
	if len(x.out) == 0 {
		keys, err := x.in.Add(data, r.Continue)
		if err != nil {
			s.reject(h, pdu.RejectProtocol)
			return
		}
		x.out = s.answerText(keys).Append(nil)
	}
	s.sendText(h, r)
}

// sendText sends as much of the answer as the initiator takes at once.
func (s *session) sendText(h *pdu.Header, r *pdu.Text) {
	x := &s.text
	n := min(len(x.out), s.params.sendSegment)
	if !s.reserve(n) {
		s.reject(h, pdu.RejectResources)
		return
	}
	a := &textAnswer{text: pdu.Text{IsResponse: true, LUN: r.LUN, ITT: r.ITT, TTT: pdu.NoTag}, data: bytes.Clone(x.out[:n])}
	x.out = x.out[n:]
	a.text.Continue = len(x.out) > 0
	x.open = a.text.Continue || r.Continue || !r.Final
	a.text.Final = !x.open
	if x.open {
		x.ttt = (x.ttt + 1) &^ (1 << 31) // never NoTag
		a.text.TTT = x.ttt
	}
	s.out.push(a)
}

// textAnswer is a Text Response on its way.
type textAnswer struct {
	unowned
	text pdu.Text
	data []byte
}

func (a *textAnswer) send(s *session, w *pdu.Writer) error {
	defer s.unreserve(len(a.data))
	a.text.Sequence = s.sequence(true)
	return write(w, &a.text, a.data)
}

// answerText answers the keys of full feature phase. Of the operational ones
// none can be changed any more.
func (s *session) answerText(keys pdu.Keys) (answers pdu.Keys) {
	for _, k := range keys {
		rule, known := keyRules[k.Name]
		switch {
		case k.Name == "SendTargets":
			answers = append(answers, s.sendTargets(k.Value)...)
		case !known:
			answers = append(answers, pdu.Key{Name: k.Name, Value: answerNotUnderstood})
		case rule.answer != nil:
			answers = append(answers, pdu.Key{Name: k.Name, Value: answerReject})
		}
	}
	return answers
}

// sendTargets is RFC 7143 appendix C: All in discovery sessions only, one name,
// or nothing for the target of the session itself.
func (s *session) sendTargets(which string) (answers pdu.Keys) {
	if (which == "All") != (s.node == nil) && (which == "All" || which == "") {
		return pdu.Keys{{Name: "SendTargets", Value: answerReject}}
	}
	names := s.srv.visible(s.nexus.Initiator)
	slices.Sort(names)
	address := targetAddress(s.nc.LocalAddr())
	for _, name := range names {
		if which != "All" && fold(name) != fold(which) && (which != "" || name != s.info.Target) {
			continue
		}
		answers = append(answers, pdu.Key{Name: "TargetName", Value: name},
			pdu.Key{Name: "TargetAddress", Value: address})
	}
	return answers
}

// targetAddress is a TargetAddress value (RFC 7143 section 13.8): address, port
// and portal group. A zone means something on this host only.
func targetAddress(a net.Addr) string {
	text := a.String()
	if ap, err := netip.ParseAddrPort(text); err == nil {
		text = netip.AddrPortFrom(ap.Addr().Unmap().WithZone(""), ap.Port()).String()
	}
	return text + "," + strconv.Itoa(portalGroup)
}
