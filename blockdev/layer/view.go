package layer

import (
	"math"
	"sort"
	"sync/atomic"
)

// View is what shows through a stack of frozen layers. Its methods may be called
// at the same time, also while Fill and Sink move blocks within the stack.
type View struct {
	layers   []*Layer // nearest first
	grounded bool     // the last one stands on nothing
	cache    atomic.Pointer[viewCache]
}

// NewView is the view through layers, nearest first; grounded says that the last
// one stands on nothing. A view of no layers shows zeros if it is grounded.
func NewView(layers []*Layer, grounded bool) *View {
	v := &View{layers: layers, grounded: grounded && len(layers) > 0}
	v.cache.Store(newViewCache(0))
	return v
}

// owner of a run of blocks: the number of a layer, or one of these.
const (
	ownerZero = math.MaxUint16     // zeros
	ownerNone = math.MaxUint16 - 1 // what stands below the view
	maxLayers = math.MaxUint16 - 2
)

// cacheDepth is the number of layers from which on answers are remembered.
const cacheDepth = 3

// owner says who has a block, and for how many blocks from it on, at most limit,
// that is so at least.
func (v *View) owner(block, limit int64) (int, int64) {
	if len(v.layers) < cacheDepth {
		return v.search(block, limit)
	}
	c, i := v.cache.Load(), int(block/leafBlocks)
	if i >= len(c.leaves) {
		c = v.growCache(c, i+1)
	}
	r := c.leaves[i].Load()
	if r == nil {
		r = v.resolve(i)
		c.leaves[i].Store(r)
		if c.runs.Add(int64(len(r.start))) > maxCachedRuns {
			v.cache.CompareAndSwap(c, newViewCache(len(c.leaves)))
		}
	}
	owner, n := r.find(int(block % leafBlocks))
	return owner, min(int64(n), limit)
}

// search asks the layers from the nearest down.
func (v *View) search(block, limit int64) (int, int64) {
	asked := v.layers
	if v.grounded {
		asked = asked[:len(asked)-1]
	}
	for i, l := range asked {
		st, n := l.blocks.run(block, limit)
		switch limit = n; st {
		case data:
			return i, limit
		case zero:
			return ownerZero, limit
		}
	}
	if v.grounded {
		return len(asked), limit
	}
	return ownerNone, limit
}

// viewCache remembers who owns what, leaf by leaf.
type viewCache struct {
	leaves []atomic.Pointer[runs]
	runs   atomic.Int64
}

// maxCachedRuns bounds a view's cache; beyond it, it is forgotten and begins anew.
// Four bytes each.
const maxCachedRuns = 4 << 20

func newViewCache(n int) *viewCache { return &viewCache{leaves: make([]atomic.Pointer[runs], n)} }

// growCache makes room for n leaves at least: for all of the largest layer.
func (v *View) growCache(old *viewCache, n int) *viewCache {
	for _, l := range v.layers {
		n = max(n, int(blocksOf(l.Size())/leafBlocks)+1)
	}
	c := newViewCache(n)
	if v.cache.CompareAndSwap(old, c) {
		return c
	}
	if now := v.cache.Load(); len(now.leaves) >= n {
		return now
	}
	return c
}

// runs are the owners of a leaf's blocks: owner[i] has those from start[i] on.
type runs struct{ start, owner []uint16 }

// resolve finds the owners of leaf i.
func (v *View) resolve(i int) *runs {
	r := &runs{}
	for in := int64(0); in < leafBlocks; {
		owner, n := v.search(int64(i)*leafBlocks+in, leafBlocks-in)
		if last := len(r.owner) - 1; last < 0 || r.owner[last] != uint16(owner) {
			r.start = append(r.start, uint16(in))
			r.owner = append(r.owner, uint16(owner))
		}
		in += n
	}
	return r
}

// find is the owner of block in of the leaf and how far that goes.
func (r *runs) find(in int) (owner, n int) {
	i := sort.Search(len(r.start), func(i int) bool { return int(r.start[i]) > in }) - 1
	end := leafBlocks
	if i+1 < len(r.start) {
		end = int(r.start[i+1])
	}
	return int(r.owner[i]), end - in
}

// piece is a range that one layer has, or that reads as zeros (from is nil).
type piece struct {
	from   *Layer
	off, n int64
	below  bool // nothing in the view has it: what stands below shows
}

// pieces calls fn for what the view shows in [off, off+n), in order. Neighbours
// with the same owner come as one piece.
func (v *View) pieces(off, n int64, fn func(piece) error) error {
	var cur piece
	for end := off + n; off < end; {
		block := off / blockSize
		owner, count := v.owner(block, blocksOf(end)-block)
		to := min(end, (block+count)*blockSize)
		p := piece{off: off, n: to - off, below: owner == ownerNone}
		if owner < maxLayers {
			p.from = v.layers[owner]
		}
		off = to
		if cur.n > 0 && cur.from == p.from && cur.below == p.below {
			cur.n += p.n
			continue
		}
		if cur.n > 0 {
			if err := fn(cur); err != nil {
				return err
			}
		}
		cur = p
	}
	if cur.n > 0 {
		return fn(cur)
	}
	return nil
}

// readAt reads what the view shows.
func (v *View) readAt(p []byte, off int64) error {
	return v.pieces(off, int64(len(p)), func(pc piece) error {
		part := p[pc.off-off:][:pc.n]
		if pc.from == nil {
			clear(part)
			return nil
		}
		return pc.from.readAt(part, pc.off)
	})
}
