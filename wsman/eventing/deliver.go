package eventing

import (
	"context"
	"errors"
	"time"

	"twinlun/wsman"
)

const (
	// defaultRetries is how often a message is sent again that did not arrive, where
	// the subscriber does not say.
	defaultRetries = 5
	// firstRetry is the time before the first of them, where the subscriber does not
	// say; it doubles each time up to slowestRetry.
	firstRetry   = time.Second
	slowestRetry = time.Minute
)

// deliver sends to one subscriber until the subscription or ctx ends.
func (m *Manager) deliver(ctx context.Context, s *subscription) {
	for beat := m.config.Time(); m.awaitDue(ctx, s, beat); beat = m.config.Time() {
		p := s.take(s.batch(m.config.Limits))
		beating := p.empty()
		rest, err := m.fit(s, p, s.room(m.config.Limits))
		m.countDropped(dropOverflow, s.giveBack(rest, m.config.Limits))
		if err != nil {
			m.end(s, endFailed, wsman.EndCancelled, "an event is larger than MaxEnvelopeSize")
			return
		}
		if p.empty() && !beating {
			continue // all were too large, and the subscriber wants to hear nothing of it
		}
		msg := s.message(p)
		msg.bookmark = m.bookmark(s, p, rest)
		if err := m.send(ctx, s, msg); err != nil {
			m.undelivered(ctx, s, p, err)
			return
		}
		m.metrics.delivered.WithLabelValues(modeName(s.request.Mode)).Add(float64(len(p.events)))
	}
}

// undelivered ends a subscription whose subscriber cannot be reached. Where it is
// the service that ends, or the subscription, that is all.
func (m *Manager) undelivered(ctx context.Context, s *subscription, p *parcel, err error) {
	m.countDropped(dropEnded, len(p.events))
	if ctx.Err() != nil {
		return
	}
	m.config.Logger.Warn("wsman: events cannot be delivered", "subscription", s.id, "to", s.request.NotifyTo.Address, "error", err)
	m.end(s, endFailed, wsman.EndDeliveryFailure, "events could not be delivered")
}

// awaitDue waits until a message is to be sent: for what happened, or, where nothing
// did since beat, a heartbeat. It is false when the subscription or ctx ends.
func (m *Manager) awaitDue(ctx context.Context, s *subscription, beat time.Time) bool {
	for {
		now := m.config.Time()
		expiry := s.expiry()
		if !now.Before(expiry) {
			m.remove(s, endExpired)
			return false
		}
		if ctx.Err() != nil {
			return false
		}
		due := s.due(now, beat, m.config.Limits)
		if !due.IsZero() && !now.Before(due) {
			return true
		}
		until := expiry
		if !due.IsZero() && due.Before(expiry) {
			until = due
		}
		timer := time.NewTimer(until.Sub(now))
		select {
		case <-s.wake:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// due is when the next message is to be sent as things stand; zero: none.
func (s *subscription) due(now, beat time.Time, l Limits) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	batching := s.request.Mode == wsman.DeliveryEvents && s.request.MaxTime > 0 && s.queue.n < s.batchLimit(l)
	switch {
	case s.lossLocked() != 0:
		return now
	case s.queue.n > 0 && batching:
		return s.since.Add(s.request.MaxTime)
	case s.queue.n > 0:
		return now
	case s.request.Heartbeat > 0:
		return beat.Add(s.request.Heartbeat)
	}
	return time.Time{}
}

// batchLimit is how many events a message has at most.
func (s *subscription) batchLimit(l Limits) int {
	if s.request.MaxElements > 0 {
		return s.request.MaxElements
	}
	return l.Batch
}

// batch is how many events the next message may have. Where each has its own, a loss
// has too.
func (s *subscription) batch(l Limits) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.request.Mode == wsman.DeliveryEvents:
		return s.batchLimit(l)
	case s.lossLocked() != 0:
		return 0
	}
	return 1
}

func (s *subscription) room(l Limits) int {
	if n := s.request.room(); n > 0 {
		return n
	}
	return l.Envelope
}

// send sends a message, and again as often as the subscriber wants, until it has
// arrived.
func (m *Manager) send(ctx context.Context, s *subscription, msg *message) error {
	id, err := m.newID()
	if err != nil {
		return err
	}
	data := msg.encode(id)
	pause := firstRetry
	for try := 0; ; try++ {
		err := m.attempt(ctx, s.user, msg, id, data)
		if err == nil {
			return nil
		}
		m.metrics.failures.Inc()
		if errors.Is(err, errRefused) || try >= s.request.Retries || ctx.Err() != nil {
			return err
		}
		m.config.Logger.Info("wsman: events are delivered again", "subscription", s.id, "try", try+1, "error", err)
		if s.request.RetryEvery > 0 {
			pause = s.request.RetryEvery
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
		pause = min(2*pause, slowestRetry)
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
