package export

import (
	"context"
	"sync"
)

// keyLock is a lock for each volume.
type keyLock struct {
	mu   sync.Mutex
	held map[VolumeRef]chan struct{} // closed when given up
}

// lock waits until nobody else holds v's lock.
func (l *keyLock) lock(v VolumeRef) { _ = l.lockContext(context.Background(), v) }

// lockContext is lock that gives up when ctx ends.
func (l *keyLock) lockContext(ctx context.Context, v VolumeRef) error {
	for {
		l.mu.Lock()
		held, taken := l.held[v]
		if !taken {
			l.held[v] = make(chan struct{})
			l.mu.Unlock()
			return nil
		}
		l.mu.Unlock()
		select {
		case <-held:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// unlock gives up v's lock.
func (l *keyLock) unlock(v VolumeRef) {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.held[v])
	delete(l.held, v)
}
