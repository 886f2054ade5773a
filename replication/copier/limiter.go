package copier

import (
	"context"
	"sync"
	"time"
)

// Limiter bounds how many bytes a second pass. Those who wait are served in the
// order of their coming. All methods may be called at the same time; a nil
// Limiter lets everything pass.
type Limiter struct {
	now func() time.Time

	mu   sync.Mutex
	rate int64     // bytes a second; < 1: no limit
	free time.Time // when what was let through is paid for
}

// burst is how far ahead of its rate a Limiter lets one through.
const burst = 100 * time.Millisecond

// NewLimiter makes a Limiter of a rate in bytes a second; 0 means no limit. The
// clock is needed.
func NewLimiter(rate int64, now func() time.Time) *Limiter {
	return &Limiter{rate: rate, now: now}
}

// SetRate changes the rate for those who come from now on.
func (l *Limiter) SetRate(rate int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rate = rate
}

// Wait returns when n bytes may pass, or ctx's error.
func (l *Limiter) Wait(ctx context.Context, n int64) error {
	if l == nil {
		return ctx.Err()
	}
	d := l.reserve(n)
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// reserve books n bytes and says how long to wait for them.
func (l *Limiter) reserve(n int64) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if l.rate < 1 || n < 1 {
		return 0
	}
	if l.free.Before(now) {
		l.free = now
	}
	wait := l.free.Sub(now) - burst
	l.free = l.free.Add(time.Duration(float64(n) / float64(l.rate) * float64(time.Second)))
	return wait
}
