package eventing

import (
	"context"
	"errors"
	"sync"
	"time"

	"twinlun/cim"
	"twinlun/wsman"
)

// sweepEvery is how often subscriptions are looked at that have expired, or whose
// user is gone.
const sweepEvery = 5 * time.Second

// runner is one Run.
type runner struct {
	ctx context.Context
	wg  sync.WaitGroup // added to under Manager.mu while Manager.running is set
}

// Run sends events to those who do not pull, and ends what expires, until ctx ends.
// Then it waits for what is under way, lets every Pull that waits go, and, where
// subscriptions are not stored, tells their owners that they end. It may be called
// once.
func (m *Manager) Run(ctx context.Context) error {
	r, err := m.begin(ctx)
	if err != nil {
		return err
	}
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-tick.C:
			m.sweep()
		case <-ctx.Done():
		}
	}
	m.pause()
	r.wg.Wait()
	if m.config.forgets {
		m.farewell()
	}
	return nil
}

func (m *Manager) begin(ctx context.Context) (*runner, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	select {
	case <-m.done:
		return nil, errors.New("the event source has run already")
	default:
	}
	if m.running != nil {
		return nil, errors.New("the event source runs already")
	}
	m.running = &runner{ctx: ctx}
	for _, s := range m.subs {
		m.startLocked(s)
	}
	return m.running, nil
}

func (m *Manager) pause() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.running = nil
	close(m.done)
}

// startLocked begins to send to a subscriber, if that is to be done and Run runs.
func (m *Manager) startLocked(s *subscription) {
	if m.running == nil || s.request.Mode == wsman.DeliveryPull {
		return
	}
	m.goLocked(func(ctx context.Context) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(s.ctx, cancel)()
		m.deliver(ctx, s)
	})
}

// goLocked runs f in a goroutine that Run waits for.
func (m *Manager) goLocked(f func(context.Context)) {
	r := m.running
	r.wg.Go(func() { f(r.ctx) })
}

// sweep ends what has expired, or whose user is gone or may not do it any more.
func (m *Manager) sweep() {
	now := m.config.Time()
	for _, s := range m.all() {
		switch {
		case !now.Before(s.expiry()):
			m.remove(s, endExpired)
		case !m.entitled(s):
			m.end(s, endUser, wsman.EndCancelled, "the user may not subscribe to this any more")
		}
	}
}

// entitled says whether the user of a subscription may still have it.
func (m *Manager) entitled(s *subscription) bool {
	if m.config.Role == nil {
		return true
	}
	role, ok := m.config.Role(s.user)
	pushes := s.request.NotifyTo != nil || s.request.EndTo != nil
	return ok && (!pushes || role >= cim.RoleOperator)
}

func (m *Manager) all() []*subscription {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := make([]*subscription, 0, len(m.subs))
	for _, s := range m.subs {
		list = append(list, s)
	}
	return list
}

// end ends a subscription that its owner has not ended, and tells them.
func (m *Manager) end(s *subscription, why endReason, status, text string) {
	if !m.remove(s, why) {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.running != nil {
		m.goLocked(func(ctx context.Context) { m.sendEnd(ctx, s, status, text) })
	}
}

// farewell ends everything, because the service does.
func (m *Manager) farewell() {
	ctx, cancel := context.WithTimeout(context.Background(), m.config.Limits.Delivery)
	defer cancel()
	var wg sync.WaitGroup
	for _, s := range m.all() {
		if m.remove(s, endShutdown) {
			wg.Go(func() { m.sendEnd(ctx, s, wsman.EndShuttingDown, "the service ends") })
		}
	}
	wg.Wait()
}
