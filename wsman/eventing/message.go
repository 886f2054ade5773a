package eventing

import (
	"strconv"

	"twinlun/wsman"
	"twinlun/wsman/soap"
)

// message is one that the service sends by itself.
type message struct {
	to       *Endpoint
	action   string
	ack      bool   // an acknowledgement must come back
	bookmark string // or empty
	utf16    bool
	user     *Credentials
	body     func(*soap.Writer)
}

// message is the message for a parcel: events, a loss, or where there is neither a
// heartbeat (DSP0226 sections 10.2.5, 10.2.8 and 10.9).
func (s *subscription) message(p *parcel) *message {
	msg := &message{
		to: s.request.NotifyTo, utf16: s.request.UTF16, user: s.request.Credentials,
		ack: s.request.Mode != wsman.DeliveryPush,
	}
	batched := s.request.Mode == wsman.DeliveryEvents
	switch {
	case batched:
		msg.action = wsman.ActionEvents
		if len(p.events) == 0 && p.lost == 0 {
			msg.action = wsman.ActionHeartbeat
		}
		msg.body = func(w *soap.Writer) { s.writeBatch(w, p) }
	case p.lost != 0:
		msg.action = wsman.ActionDroppedEvents
		msg.body = func(w *soap.Writer) { WriteDropped(w, p.lost) }
	case len(p.events) > 0:
		msg.action = wsman.ActionEvent
		msg.body = func(w *soap.Writer) { s.writeEvent(w, p.events[0]) }
	default:
		msg.action = wsman.ActionHeartbeat
	}
	return msg
}

// writeBatch writes w:Events (DSP0226 section 10.2.9.4).
func (s *subscription) writeBatch(w *soap.Writer, p *parcel) {
	w.Start("w", "Events")
	if p.lost != 0 {
		w.Start("w", "Event")
		w.Attr("", "Action", wsman.ActionDroppedEvents)
		WriteDropped(w, p.lost)
		w.End()
	}
	for _, e := range p.events {
		w.Start("w", "Event")
		w.Attr("", "Action", wsman.ActionEvent)
		s.writeEvent(w, e)
		w.End()
	}
	w.End()
}

// WriteDropped tells of a loss of n events, -1 where nobody knows how many (DSP0226
// section 10.9). The prefix w must be declared.
func WriteDropped(w *soap.Writer, n int64) {
	w.Start("w", "DroppedEvents")
	w.Attr("", "Action", wsman.ActionEvent)
	w.Text(strconv.FormatInt(n, 10))
	w.End()
}

// encode is the message as bytes.
func (msg *message) encode(id string) []byte {
	w := new(soap.Writer)
	h := soap.ResponseHeader{Action: msg.action, MessageID: id, To: msg.to.Address, Extra: msg.header}
	soap.WriteEnvelope(w, h, msg.body)
	return msg.encoding().Encode(w.Bytes())
}

func (msg *message) encoding() soap.Encoding {
	if msg.utf16 {
		return soap.UTF16LE
	}
	return soap.UTF8
}

func (msg *message) header(w *soap.Writer) {
	for i := range msg.to.Blocks {
		msg.to.Blocks[i].write(w)
	}
	if msg.ack {
		w.Start("a", "ReplyTo")
		w.Element("a", "Address", wsman.Anonymous)
		w.End()
		w.Element("w", "AckRequested", "")
	}
	if msg.bookmark != "" {
		w.Element("w", "Bookmark", msg.bookmark)
	}
}
