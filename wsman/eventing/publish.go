package eventing

import (
	"twinlun/cim"
)

// Publish gives an indication to all who subscribed to it. It does not wait for
// anybody. The instance must not be changed any more. Indications that are
// published one after the other reach every subscriber in that order.
func (m *Manager) Publish(in *cim.Instance) {
	if in == nil || in.Class == nil {
		return
	}
	e := &event{in: in, size: sizeOf(in)}
	now := m.config.Time()
	m.metrics.published.Inc()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.seq++
	e.seq = m.seq
	m.history.push(e)
	if n, last := m.history.trim(m.config.Limits.History, m.config.Limits.HistoryBytes); n > 0 {
		m.lost = last
	}
	for _, s := range m.subs {
		if s.wants(in) {
			m.countDropped(dropOverflow, s.offer(e, m.config.Limits, now))
		}
	}
}

// bookmark is the bookmark after a parcel, whose rest was not sent; empty where the
// subscriber wants none, or where there is none yet that leaves no loss behind which
// it was not told of.
func (m *Manager) bookmark(s *subscription, p *parcel, rest []*event) string {
	if !s.request.SendBookmarks {
		return ""
	}
	if len(rest) > 0 {
		return formatBookmark(m.epoch, rest[0].seq-1)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch told := s.lossLocked() == 0; {
	case told && s.queue.n == 0:
		return formatBookmark(m.epoch, m.seq) // what it did not want is behind it
	case len(p.events) > 0:
		return formatBookmark(m.epoch, p.events[len(p.events)-1].seq)
	case told:
		return formatBookmark(m.epoch, s.queue.at(0).seq-1)
	}
	return ""
}
