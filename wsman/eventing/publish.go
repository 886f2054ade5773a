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

// positionLocked is the last event that a subscription has behind it: it was
// delivered, dropped or not wanted.
func (m *Manager) positionLocked(s *subscription) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.queue.n > 0 {
		return s.queue.at(0).seq - 1
	}
	return m.seq
}

// bookmark is the bookmark after these events, which were just taken from the
// queue; empty where the subscriber wants none.
func (m *Manager) bookmark(s *subscription, rest []*event) string {
	if !s.request.SendBookmarks {
		return ""
	}
	if len(rest) > 0 {
		return formatBookmark(m.epoch, rest[0].seq-1)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return formatBookmark(m.epoch, m.positionLocked(s))
}
