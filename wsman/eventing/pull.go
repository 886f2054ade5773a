package eventing

import (
	"context"
	"time"

	"twinlun/cim"
	"twinlun/wsman"
	"twinlun/wsman/soap"
	"twinlun/wsman/wscim"
)

// PullOptions are what one Pull asks for.
type PullOptions struct {
	Most int // events; at least 1
	// Wait is how long to wait for the first; less where heartbeats are due before.
	Wait time.Duration
}

// Batch is what a Pull got: it is empty where nothing happened in time. Done must be
// called once.
type Batch struct {
	m *Manager
	s *subscription
	p *parcel
	// rest are the events that were taken and do not go.
	rest []*event
}

// Pull waits for events of a subscription in Pull mode and takes them. Errors are
// *wsman.Fault, or that of ctx, with which nothing was taken.
func (m *Manager) Pull(ctx context.Context, who cim.Principal, id string, o PullOptions) (*Batch, error) {
	s, ok := m.find(who, id)
	if !ok || s.request.Mode != wsman.DeliveryPull {
		return nil, wsman.InvalidEnumerationContext("there is no such subscription in Pull mode: it has ended or expired")
	}
	if !s.occupy() {
		return nil, wsman.Concurrency("another Pull waits for events of this subscription")
	}
	wait := min(o.Wait, m.config.Limits.Wait)
	if s.request.Heartbeat > 0 {
		wait = min(wait, s.request.Heartbeat)
	}
	if err := m.await(ctx, s, wait); err != nil {
		s.leave()
		return nil, err
	}
	return &Batch{m: m, s: s, p: s.take(min(max(o.Most, 1), m.config.Limits.Batch))}, nil
}

// await waits until there is something to tell, or the time is over.
func (m *Manager) await(ctx context.Context, s *subscription, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		expiry := s.expiry().Sub(m.config.Time())
		if s.ctx.Err() != nil || expiry <= 0 {
			return wsman.InvalidEnumerationContext("the subscription has ended")
		}
		if s.hasSomething() {
			return nil
		}
		end := time.NewTimer(expiry)
		select {
		case <-s.wake:
			end.Stop()
			continue
		case <-s.ctx.Done():
			end.Stop()
			continue
		case <-end.C:
			continue
		case <-timer.C:
		case <-m.done:
		case <-ctx.Done():
			end.Stop()
			return context.Cause(ctx)
		}
		end.Stop()
		return nil
	}
}

func (s *subscription) occupy() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy {
		return false
	}
	s.busy = true
	return true
}

func (s *subscription) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy = false
}

// Fit leaves in the batch what fits into room bytes of XML, in UTF-8; the rest stays
// for the next Pull. An event that alone is too large is dropped where the
// subscriber wants it so, else it is an EncodingLimit fault and stays.
func (b *Batch) Fit(room int) error {
	if limit := b.s.request.room(); limit > 0 {
		room = min(room, limit)
	}
	rest, err := b.m.fit(b.s, b.p, room)
	b.rest = rest
	if err != nil {
		b.rest, b.p.events = b.p.events, nil
	}
	return err
}

// Len is how many events the batch has.
func (b *Batch) Len() int { return len(b.p.events) }

// Lost is how many events are missing before the first, -1 where that is not known.
func (b *Batch) Lost() int64 { return b.p.lost }

// Bookmark is the bookmark after the batch; empty where the subscriber wants none.
func (b *Batch) Bookmark() string { return b.m.bookmark(b.s, b.p, b.rest) }

// Write writes the instances of the events. The prefixes of soap.WriteEnvelope must
// be declared.
func (b *Batch) Write(w *soap.Writer) {
	for _, e := range b.p.events {
		b.s.writeEvent(w, e)
	}
}

// Done ends the Pull. Without sent everything stays for the next one.
func (b *Batch) Done(sent bool) {
	back := b.rest
	if !sent {
		back = append(b.p.events, back...)
		b.s.tellAgain(b.p)
	} else {
		b.m.metrics.delivered.WithLabelValues("Pull").Add(float64(len(b.p.events)))
	}
	b.m.countDropped(dropOverflow, b.s.giveBack(back, b.m.config.Limits))
	b.s.leave()
}

// writeEvent writes what the subscriber wants to see of an indication.
func (s *subscription) writeEvent(w *soap.Writer, e *event) {
	wscim.WriteInstance(w, s.request.Prefix, s.filter.Project(e.in), wscim.InstanceOptions{})
}

// room is how many bytes of UTF-8 a message may have; 0: it does not say. UTF-16 at
// most doubles them and puts a mark before.
func (r *Request) room() int {
	if r.UTF16 && r.Envelope > 0 {
		return (r.Envelope - 2) / 2
	}
	return r.Envelope
}

// fit takes from a parcel the events that do not fit into room bytes and returns
// them, oldest first. overhead of each event is what the modes put around it.
func (m *Manager) fit(s *subscription, p *parcel, room int) (rest []*event, err error) {
	const overhead, envelope = 128, 2048
	w, used := new(soap.Writer), envelope
	for i := 0; i < len(p.events); i++ {
		w.Reset()
		s.writeEvent(w, p.events[i])
		size := w.Len() + overhead
		switch {
		case used+size <= room:
			used += size
			continue
		case i > 0:
			rest = p.events[i:]
			p.events = p.events[:i:i]
			return rest, nil
		case s.request.Oversize == "":
			return nil, wsman.EncodingLimit(wsman.DetailMaxEnvelopeExceeded, "an event is larger than MaxEnvelopeSize")
		}
		m.dropLarge(s, p)
		i--
	}
	return nil, nil
}

// dropLarge drops the first event of a parcel, which is too large, and tells of it
// where the subscriber wants that.
func (m *Manager) dropLarge(s *subscription, p *parcel) {
	p.events = p.events[1:]
	m.countDropped(dropTooLarge, 1)
	if s.request.Oversize != Notify {
		return
	}
	p.dropped++
	if p.lost != unknownLoss {
		p.lost = p.dropped
	}
}
