package eventing

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"twinlun/cim"
	"twinlun/wsman"
)

// Subscribe begins a subscription for a user. It is stored when Subscribe returns.
// Errors are *wsman.Fault, and those of the Querier. Only operators and admins may
// have messages sent to an address: it makes this host connect to others.
func (m *Manager) Subscribe(ctx context.Context, who cim.Principal, r *Request) (*Status, error) {
	if err := m.mayReach(who, r.NotifyTo, r.EndTo); err != nil {
		return nil, err
	}
	r, err := r.own()
	if err != nil {
		return nil, err
	}
	filter, err := m.config.Queries.Filter(r.Namespace, r.Query)
	if err != nil {
		return nil, err
	}
	if c := filter.Class(); !c.Indication && !c.IsA("CIM_Indication") {
		return nil, wsman.CannotProcessEventFilter("the class %s is not one of indications", c.Name)
	}
	now := m.config.Time()
	expires, err := m.grant(r.Expires, now)
	if err != nil {
		return nil, err
	}
	id, err := m.newID()
	if err != nil {
		return nil, err
	}
	s := newSubscription(&record{ID: id, User: who.Name, Expires: expires, Request: *r}, filter)
	if err := m.admit(ctx, s, r.Bookmark); err != nil {
		return nil, err
	}
	m.config.Logger.Info("wsman: subscribed", "subscription", id, "user", who.Name, "mode", r.Mode, "query", r.Query.Text)
	return s.status(now), nil
}

// mayReach says whether a user may have messages sent to these endpoints.
func (m *Manager) mayReach(who cim.Principal, endpoints ...*Endpoint) error {
	for _, e := range endpoints {
		if e == nil {
			continue
		}
		if who.Role < cim.RoleOperator {
			return wsman.AccessDenied("only operators and admins may have events sent to an address; the mode Pull needs none")
		}
		if err := m.allowed(who.Name, e.Address); err != nil {
			return wsman.AccessDenied("events may not be sent to %.200s: %v", e.Address, err)
		}
	}
	return nil
}

func (m *Manager) allowed(user, address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return err
	}
	return m.config.Allow(user, u)
}

// grant is when a subscription ends that is to end as e says.
func (m *Manager) grant(e Expiry, now time.Time) (time.Time, error) {
	d := e.After
	switch {
	case !e.At.IsZero():
		if d = e.At.Sub(now); d <= 0 {
			return time.Time{}, wsman.SubscriptionExpiration("Expires is in the past")
		}
	case d == 0:
		d = m.config.Limits.DefaultExpires
	}
	return now.Add(min(max(d, m.config.Limits.MinExpires), m.config.Limits.MaxExpires)), nil
}

// newID is a fresh "uuid:..." of RFC 9562 version 4.
func (m *Manager) newID() (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(m.config.Rand, b[:]); err != nil {
		return "", fmt.Errorf("random numbers: %w", err)
	}
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	h := strings.ToUpper(hex.EncodeToString(b[:]))
	return "uuid:" + h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:], nil
}

// admit stores a subscription and begins it. Publish does not wait for the store.
func (m *Manager) admit(ctx context.Context, s *subscription, bookmark *string) error {
	if err := m.reserve(s.user, bookmark); err != nil {
		s.cancel()
		return err
	}
	data, err := s.record(s.expires).encode()
	if err == nil {
		err = m.config.Store.Put(ctx, s.id, data)
	}
	if err != nil {
		s.cancel()
		m.unreserve(s.user)
		return fmt.Errorf("storing a subscription: %w", err)
	}
	if err := m.insert(s, bookmark); err != nil {
		m.unreserve(s.user)
		m.forget(s)
		return err
	}
	return nil
}

// reserve takes a place for a subscription, and fails early where the bookmark will
// not do.
func (m *Manager) reserve(user string, bookmark *string) error {
	m.wanted.Store(true)
	m.mu.Lock()
	defer m.mu.Unlock()
	switch _, err := m.resumeLocked(bookmark); {
	case err != nil:
		return err
	case m.byUser[user] >= m.config.Limits.PerUser:
		return wsman.QuotaLimit("the user has %d subscriptions already, which is the most for one", m.config.Limits.PerUser)
	case m.total >= m.config.Limits.Subscriptions:
		return wsman.QuotaLimit("there are %d subscriptions already, which is the most in all", m.config.Limits.Subscriptions)
	}
	m.byUser[user]++
	m.total++
	return nil
}

func (m *Manager) unreserve(user string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.unreserveLocked(user)
}

func (m *Manager) unreserveLocked(user string) {
	m.total--
	if m.byUser[user]--; m.byUser[user] == 0 {
		delete(m.byUser, user)
	}
}

// insert begins a subscription that has a place: with what came after the bookmark,
// and without a gap before what comes next.
func (m *Manager) insert(s *subscription, bookmark *string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	from, err := m.resumeLocked(bookmark)
	if err != nil {
		return err
	}
	now := m.config.Time()
	for _, e := range m.history.after(from) {
		if s.wants(e.in) {
			m.countDropped(dropOverflow, s.offer(e, m.config.Limits, now))
		}
	}
	m.subs[s.id] = s
	m.startLocked(s)
	return nil
}
