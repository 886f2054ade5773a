package eventing

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"twinlun/cim"
	"twinlun/wsman"
)

// storeTime bounds what nobody waits for at the store.
const storeTime = 10 * time.Second

// Renew gives a subscription of the user, or to an admin any, a new time to end
// (DSP0226 section 10.5). Errors are *wsman.Fault, and those of the store.
func (m *Manager) Renew(ctx context.Context, who cim.Principal, id string, e Expiry) (*Status, error) {
	s, ok := m.find(who, id)
	if !ok {
		return nil, wsman.UnableToRenew("there is no such subscription: it has ended or expired")
	}
	now := m.config.Time()
	expires, err := m.grant(e, now)
	if err != nil {
		return nil, err
	}
	data, err := s.record(expires).encode()
	if err != nil {
		return nil, fmt.Errorf("storing a subscription: %w", err)
	}
	s.saving.Lock()
	defer s.saving.Unlock()
	if s.ctx.Err() != nil {
		return nil, wsman.UnableToRenew("the subscription has ended meanwhile")
	}
	if err := m.config.Store.Put(ctx, id, data); err != nil {
		return nil, fmt.Errorf("storing a subscription: %w", err)
	}
	s.setExpiry(expires)
	return s.status(now), nil
}

// Status says how a subscription of the user, or to an admin any, stands (DSP0226
// section 10.3). Errors are *wsman.Fault.
func (m *Manager) Status(who cim.Principal, id string) (*Status, error) {
	s, ok := m.find(who, id)
	if !ok {
		return nil, noSubscription()
	}
	return s.status(m.config.Time()), nil
}

// Unsubscribe ends a subscription of the user, or for an admin any (DSP0226 section
// 10.4). Errors are *wsman.Fault.
func (m *Manager) Unsubscribe(who cim.Principal, id string) error {
	s, ok := m.find(who, id)
	if !ok || !m.remove(s, endUnsubscribed) {
		return noSubscription()
	}
	return nil
}

func noSubscription() error {
	return wsman.InvalidEventMessage("there is no such subscription: it has ended or expired")
}

// Has says whether an id is that of a subscription, of whomever.
func (m *Manager) Has(id string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.subs[id] != nil
}

// find is a subscription that a user may see.
func (m *Manager) find(who cim.Principal, id string) (*subscription, bool) {
	m.mu.Lock()
	s := m.subs[id]
	m.mu.Unlock()
	if s == nil || s.user != who.Name && who.Role < cim.RoleAdmin {
		return nil, false
	}
	if !m.config.Time().Before(s.expiry()) {
		m.remove(s, endExpired)
		return nil, false
	}
	return s, true
}

// remove ends a subscription; false if it has ended already. What waits for it is
// lost.
func (m *Manager) remove(s *subscription, why endReason) bool {
	if !m.takeOut(s) {
		return false
	}
	s.cancel()
	m.forget(s)
	m.countDropped(dropEnded, s.waiting())
	m.metrics.ended.WithLabelValues(string(why)).Inc()
	m.config.Logger.Info("wsman: subscription ended", "subscription", s.id, "user", s.user, "why", string(why))
	return true
}

func (m *Manager) takeOut(s *subscription) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.subs[s.id] != s {
		return false
	}
	delete(m.subs, s.id)
	m.unreserveLocked(s.user)
	return true
}

// forget deletes the record of a subscription that has ended. One that stays for a
// failure is found again, and expires, after the next start.
func (m *Manager) forget(s *subscription) {
	s.cancel()
	s.saving.Lock()
	defer s.saving.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), storeTime)
	defer cancel()
	if err := m.config.Store.Delete(ctx, s.id); err != nil {
		m.config.Logger.Error("wsman: a subscription that has ended stays in the store", "subscription", s.id, "error", err)
	}
}

// restore takes up the subscriptions that the store has kept.
func (m *Manager) restore(ctx context.Context) error {
	all, err := m.config.Store.All(ctx)
	if err != nil {
		return fmt.Errorf("reading subscriptions: %w", err)
	}
	for id, data := range all {
		s, err := m.revive(id, data)
		if err == nil {
			m.byUser[s.user]++
			m.total++
			m.wanted.Store(true)
			m.subs[id] = s
			continue
		}
		m.config.Logger.Warn("wsman: a stored subscription ends", "subscription", id, "error", err)
		if err := m.config.Store.Delete(ctx, id); err != nil {
			return fmt.Errorf("deleting a subscription: %w", err)
		}
	}
	return nil
}

// revive makes a subscription of its record. What happened while the service was
// down is lost.
func (m *Manager) revive(id string, data []byte) (*subscription, error) {
	var r record
	switch err := json.Unmarshal(data, &r); {
	case err != nil:
		return nil, fmt.Errorf("the record: %w", err)
	case r.ID != id || r.Request.Mode != wsman.DeliveryPull && r.Request.NotifyTo == nil:
		return nil, fmt.Errorf("the record is not that of a subscription %s", id)
	case !m.config.Time().Before(r.Expires):
		return nil, fmt.Errorf("it has expired at %v", r.Expires)
	}
	filter, err := m.config.Queries.Filter(r.Request.Namespace, r.Request.Query)
	if err != nil {
		return nil, err
	}
	s := newSubscription(&r, filter)
	s.unsure = true
	return s, nil
}

func (s *subscription) setExpiry(t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expires = t
	s.signal()
}

func (s *subscription) status(now time.Time) *Status {
	t := s.expiry()
	return &Status{ID: s.id, ResourceURI: s.request.ResourceURI, Mode: s.request.Mode, Expires: t, Left: t.Sub(now)}
}
