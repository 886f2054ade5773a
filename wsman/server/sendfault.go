package server

import (
	"net/http"
	"strings"

	"twinlun/wsman"
	"twinlun/wsman/soap"
)

// brevity is how much of a fault is told.
type brevity struct {
	text    int  // bytes of each text
	details bool // CIM error and headers that were not understood
	echo    bool // header blocks that the client wants back
	relates bool
}

// brevities are tried in turn until a fault fits into the client's MaxEnvelopeSize:
// whatever is wrong, it is told in 8192 bytes (DSP0226 R6.2-4).
func brevities() [4]brevity {
	return [4]brevity{
		{text: 4096, details: true, echo: true, relates: true},
		{text: 512, details: true, relates: true},
		{text: 128, relates: true},
		{text: 128},
	}
}

// sendFault sends a fault in the encoding, the version of WS-Addressing and the
// size that the request allows.
func (s *Server) sendFault(rq *request, f *wsman.Fault, status int) {
	sw := s.writer()
	defer s.recycle(sw)
	id, err := s.newID()
	if err != nil {
		s.config.Logger.Error("wsman: message id", "error", err)
		s.sendText(rq.out, http.StatusInternalServerError, "internal error")
		return
	}
	enc, limit := rq.encoding(), s.maxFault(rq)
	var data []byte
	for _, b := range brevities() {
		sw.Reset()
		h := soap.ResponseHeader{MessageID: id, Addressing: rq.addressing()}
		if b.relates {
			h.RelatesTo = rq.relatesTo()
		}
		if b.echo {
			h.Echo = rq.faultEcho()
		}
		soap.WriteFault(sw, h, shorten(f, b), s.config.Machine)
		if data = enc.Encode(sw.Bytes()); len(data) <= limit {
			break
		}
	}
	s.send(rq.out, status, enc.ContentType(), data)
}

// maxFault is the size that a fault may have.
func (s *Server) maxFault(rq *request) int {
	if rq.msg == nil || rq.msg.MaxEnvelopeSize == 0 {
		return s.config.Limits.Answer
	}
	return int(min(max(rq.msg.MaxEnvelopeSize, minEnvelope), int64(s.config.Limits.Answer)))
}

// shorten is a fault that says no more than b allows.
func shorten(f *wsman.Fault, b brevity) *wsman.Fault {
	c := *f
	c.Reason = clip(f.Reason, b.text)
	switch {
	case !b.details:
		c.CIM, c.NotUnderstood = nil, nil
	case f.CIM != nil:
		e := *f.CIM
		e.Msg = clip(e.Msg, b.text)
		c.CIM = &e
	}
	return &c
}

// clip cuts a text to so many bytes, between characters, and shows that it did.
func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}
