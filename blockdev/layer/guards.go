package layer

import (
	"sync"
	"sync/atomic"
)

const (
	guardSize  = 64 << 10 // bytes of a volume that one guard stands for
	guardCount = 128
)

// guards keep reads from seeing a write half-way within a sector, which some
// filesystems allow (ext4 copies into a page that is being read). Writes share a
// guard. A read looks whether one came by meanwhile, and only then reads again,
// alone.
type guards [guardCount]guard

type guard struct {
	mu           sync.RWMutex // writers share it
	begun, ended atomic.Uint32
}

// rows gives the guards of [off, off+n) as two rows of indices, in the one order in
// which they are locked.
func rows(off, n int64) (rows [2][2]int) {
	first := off / guardSize
	count := int((off+n-1)/guardSize - first + 1)
	if count >= guardCount {
		return [2][2]int{{0, guardCount}}
	}
	start := int(first % guardCount)
	if over := start + count - guardCount; over > 0 {
		return [2][2]int{{0, over}, {start, guardCount}}
	}
	return [2][2]int{{start, start + count}}
}

// beginWrite is called before a range is written.
func (g *guards) beginWrite(off, n int64) {
	for _, row := range rows(off, n) {
		for i := row[0]; i < row[1]; i++ {
			g[i].mu.RLock()
			g[i].begun.Add(1)
		}
	}
}

// endWrite is called after it was.
func (g *guards) endWrite(off, n int64) {
	for _, row := range rows(off, n) {
		for i := row[0]; i < row[1]; i++ {
			g[i].ended.Add(1)
			g[i].mu.RUnlock()
		}
	}
}

// writes counts the writes that have begun in a range; quiet says that all have
// ended.
func (g *guards) writes(off, n int64) (sum uint32, quiet bool) {
	quiet = true
	for _, row := range rows(off, n) {
		for i := row[0]; i < row[1]; i++ {
			ended := g[i].ended.Load()
			begun := g[i].begun.Load()
			sum += begun
			quiet = quiet && ended == begun
		}
	}
	return sum, quiet
}

// read runs fn such that no write of the range runs with it.
func (g *guards) read(off, n int64, fn func() error) error {
	if before, quiet := g.writes(off, n); quiet {
		err := fn()
		if after, _ := g.writes(off, n); err != nil || after == before {
			return err
		}
	}
	g.lock(off, n, (*sync.RWMutex).Lock)
	defer g.lock(off, n, (*sync.RWMutex).Unlock)
	return fn()
}

func (g *guards) lock(off, n int64, op func(*sync.RWMutex)) {
	for _, row := range rows(off, n) {
		for i := row[0]; i < row[1]; i++ {
			op(&g[i].mu)
		}
	}
}
