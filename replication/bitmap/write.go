package bitmap

import (
	"context"
	"encoding/json"
	"fmt"

	"twinlun/blockdev"
	"twinlun/replication/store"
)

// Set makes the regions of [off, off+n) dirty. When it returns nil the store
// knows; after an error it may. It costs nothing when they are dirty already;
// those who wait at the same time share a transaction. A range beyond the device
// is KindOutOfRange.
func (l *Log) Set(ctx context.Context, off, n int64) error {
	if n == 0 {
		return nil
	}
	from, to := l.Regions(off, n)
	if off < 0 || n < 0 || to > l.len() {
		return blockdev.Errorf(blockdev.KindOutOfRange, "mark dirty", "range %d+%d", off, n)
	}
	if l.mark(from, to) {
		return nil
	}
	return l.write(ctx, func() bool { return l.holds(from, to) }, false)
}

// Mark makes the regions of [off, off+n) dirty in memory only: the store hears of
// it with the next Set, Seed or Sync. What lies beyond the device is ignored.
func (l *Log) Mark(off, n int64) {
	if off >= 0 && n > 0 {
		l.mark(l.Regions(off, n))
	}
}

// Seed stores what was marked and that the Log is seeded, in one transaction:
// from now on it tells all that may differ.
func (l *Log) Seed(ctx context.Context) error {
	return l.write(ctx, func() bool { return false }, true)
}

// Clear makes the regions [from, to) clean, in memory: the store hears of it
// with the next Set or Sync. It may be called only for regions that nobody is
// writing to.
func (l *Log) Clear(from, to int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dirty.Clear(from, to)
	l.touchLocked(from, to)
}

// Sync stores what Clear left to be stored.
func (l *Log) Sync(ctx context.Context) error {
	return l.write(ctx, l.same, false)
}

func (l *Log) len() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dirty.Len()
}

// mark makes regions dirty in memory and says whether the store knows already.
func (l *Log) mark(from, to int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dirty.Set(from, to)
	if l.stored.HasAll(from, to) {
		return true
	}
	l.touchLocked(from, to)
	return false
}

// touchLocked notes the pages of regions as to be stored.
func (l *Log) touchLocked(from, to int64) {
	for i := from / pageBits; i*pageBits < min(to, l.dirty.Len()); i++ {
		l.changed[i] = struct{}{}
	}
}

func (l *Log) headNow() head {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.head
}

func (l *Log) holds(from, to int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stored.HasAll(from, to)
}

func (l *Log) same() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.changed) == 0
}

// write stores all changed pages, unless done says, when it is this caller's
// turn, that another one did.
func (l *Log) write(ctx context.Context, done func() bool, seed bool) error {
	select {
	case l.writing <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-l.writing }()
	if done() {
		return nil
	}
	pages := l.take()
	old := l.headNow()
	h := head{Region: l.region, Seeded: seed || old.Seeded}
	err := l.store.Update(ctx, func(tx store.Tx) error { return l.put(tx, pages, old, h) })
	l.settle(pages, h, err)
	if err != nil {
		return fmt.Errorf("bitmap %s: %w", l.id, err)
	}
	return nil
}

// take is the content of the changed pages. What is clean in it does not count
// as stored any more: a Set of it must wait for a transaction of its own.
func (l *Log) take() map[int64][]byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	pages := make(map[int64][]byte, len(l.changed))
	for i := range l.changed {
		pages[i] = l.dirty.page(i)
		l.stored.andPage(i, pages[i])
	}
	clear(l.changed)
	return pages
}

func (l *Log) put(tx store.Tx, pages map[int64][]byte, old, h head) error {
	if h != old {
		v, err := json.Marshal(h)
		if err != nil {
			return err
		}
		if err := tx.Put(bucket, l.headKey(), v); err != nil {
			return err
		}
	}
	for i, p := range pages {
		if err := l.putPage(tx, i, p); err != nil {
			return err
		}
	}
	return nil
}

// putPage stores a page; one with nothing in it is not there.
func (l *Log) putPage(tx store.Tx, i int64, p []byte) error {
	if p == nil {
		return tx.Delete(bucket, l.pageKey(i))
	}
	return tx.Put(bucket, l.pageKey(i), p)
}

// settle takes over what was stored. After a failure the store holds the old or
// the new page: only what is in both counts, and that is what take has left.
func (l *Log) settle(pages map[int64][]byte, h head, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, p := range pages {
		if err != nil {
			l.changed[i] = struct{}{}
			continue
		}
		l.stored.orPage(i, p)
	}
	if err == nil {
		l.head = h
	}
}
