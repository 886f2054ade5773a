package crash

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
)

const sectorSize = 512

// bounds say, for each sector of a volume, what it may hold. Changes of a sector are
// numbered; a write puts its number into the sector.
type bounds struct {
	least   []uint32 // changes up to this one are there, or later ones
	sent    []uint32 // the last change
	zeroed  []uint32 // the last change that made it zeros
	base    []uint32 // what was found there when settled was the last change
	settled []uint32
}

func (b *bounds) clone() bounds {
	return bounds{slices.Clone(b.least), slices.Clone(b.sent), slices.Clone(b.zeroed), slices.Clone(b.base), slices.Clone(b.settled)}
}

// allows says whether sector s may hold what change v wrote; 0 is zeros.
func (b *bounds) allows(s int, v uint32) bool {
	if v == b.base[s] && b.least[s] <= b.settled[s] {
		return true
	}
	if v == 0 {
		v = b.zeroed[s]
	}
	return v > b.settled[s] && v >= b.least[s] && v <= b.sent[s]
}

// check returns the first sector of content that holds what it may not.
func (b *bounds) check(content []uint32) error {
	if len(content) != len(b.sent) {
		return fmt.Errorf("%d sectors, not %d", len(content), len(b.sent))
	}
	for s, v := range content {
		if !b.allows(s, v) {
			return fmt.Errorf("sector %d holds change %d; %d is certain, %d was the last, %d made it zeros; before %d it held %d",
				s, v, b.least[s], b.sent[s], b.zeroed[s], b.settled[s], b.base[s])
		}
	}
	return nil
}

// history is what a volume went through: the bounds of what it may hold after a crash.
type history struct {
	volume int

	mu sync.Mutex
	bounds
	acked []uint32 // the last change that was answered
	back  []uint32 // what it is being restored to; nil: it is not
}

func newHistory(volume, sectors int) *history {
	list := func() []uint32 { return make([]uint32, sectors) }
	return &history{volume: volume, bounds: bounds{list(), list(), list(), list(), list()}, acked: list()}
}

// size is that of the volume in sectors.
func (h *history) size() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.sent)
}

// begin numbers a change of n sectors from the first on, and returns what a write of
// it writes: nil for zeros.
func (h *history) begin(first, n int, zeros bool) []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := make([]byte, n*sectorSize)
	for i := range n {
		s := first + i
		h.sent[s]++
		if zeros {
			h.zeroed[s] = h.sent[s]
		}
		stamp(p[i*sectorSize:(i+1)*sectorSize], h.volume, s, h.sent[s])
	}
	if zeros {
		return nil
	}
	return p
}

// end notes that a change was answered. One that is durable needs no flush.
func (h *history) end(first, n int, durable bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := first; s < first+n; s++ {
		if h.acked[s] = h.sent[s]; durable {
			h.least[s] = h.sent[s]
		}
	}
}

// answered is a copy of what was answered so far: what a flush covers, or a snapshot.
func (h *history) answered() []uint32 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.acked)
}

// flushed notes that a flush was answered.
func (h *history) flushed(covered []uint32) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s, v := range covered {
		h.least[s] = max(h.least[s], v)
	}
}

// since are the bounds of a snapshot that is ready now and was asked for when covered
// had been answered.
func (h *history) since(covered []uint32) bounds {
	h.mu.Lock()
	defer h.mu.Unlock()
	b := h.clone()
	b.least = covered
	return b
}

// exact says whether sector s holds what was written last, and nothing is under way.
func (h *history) exact(s int, v uint32) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.sent[s] == h.settled[s]:
		return v == h.base[s]
	case h.zeroed[s] == h.sent[s]:
		return v == 0
	}
	return v == h.sent[s]
}

// restoring notes that the volume is to hold something else as a whole; restored, that
// it does.
func (h *history) restoring(content []uint32) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.back = content
}

func (h *history) restored() {
	h.mu.Lock()
	content := h.back
	h.back = nil
	h.mu.Unlock()
	h.settle(content)
}

// verify checks what was found after a crash, perhaps of a restore.
func (h *history) verify(content []uint32) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	back := h.back
	if h.back = nil; back != nil && slices.Equal(back, content) {
		return nil
	}
	return h.check(content)
}

// settle takes what was found as the truth. Nothing is under way.
func (h *history) settle(content []uint32) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.base, h.settled = slices.Clone(content), slices.Clone(h.sent)
}

// stamp fills a sector with its place and the number of a change.
func stamp(p []byte, volume, sector int, change uint32) {
	for off := 0; off < len(p); off += 16 {
		binary.LittleEndian.PutUint64(p[off:], uint64(change))
		binary.LittleEndian.PutUint64(p[off+8:], uint64(volume)<<32|uint64(sector))
	}
}

// changes reads what was stamped: the change that wrote each sector, from the first
// on, 0 for zeros. Sectors must be whole and in their place.
func changes(p []byte, volume, first int) ([]uint32, error) {
	out, want := make([]uint32, len(p)/sectorSize), make([]byte, sectorSize)
	for i := range out {
		s := p[i*sectorSize : (i+1)*sectorSize]
		out[i] = binary.LittleEndian.Uint32(s)
		if stamp(want, volume, first+i, out[i]); out[i] == 0 {
			clear(want)
		}
		if !bytes.Equal(s, want) {
			return nil, fmt.Errorf("sector %d is torn, or holds what was never written to it: %x", first+i, s[:32])
		}
	}
	return out, nil
}
