package layer

import (
	"math/bits"
	"sync"
)

const (
	stripeSize  = 1 << 20 // bytes of a layer that one lock stands for
	stripeCount = 64
)

// stripes lock ranges of a layer against those who bring whole blocks into it.
// Blocks that the layer has are read and written without them. Whoever writes
// whole blocks that it does not have shares; whoever first reads the rest of the
// block from below excludes, and so does Fill. Several ranges share a lock; all
// are taken in one order.
type stripes [stripeCount]sync.RWMutex

// stripesOf is the set of locks for [off, off+n).
func stripesOf(off, n int64) uint64 {
	first, count := off/stripeSize, (off+n-1)/stripeSize-off/stripeSize+1
	if count >= stripeCount {
		return ^uint64(0)
	}
	return bits.RotateLeft64(1<<count-1, int(first%stripeCount))
}

func (s *stripes) lock(set uint64, exclusive bool) {
	for ; set != 0; set &= set - 1 {
		if mu := &s[bits.TrailingZeros64(set)]; exclusive {
			mu.Lock()
		} else {
			mu.RLock()
		}
	}
}

func (s *stripes) unlock(set uint64, exclusive bool) {
	for ; set != 0; set &= set - 1 {
		if mu := &s[bits.TrailingZeros64(set)]; exclusive {
			mu.Unlock()
		} else {
			mu.RUnlock()
		}
	}
}
