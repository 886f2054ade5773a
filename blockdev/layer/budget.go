package layer

import (
	"errors"
	"sync"
	"sync/atomic"

	"twinlun/blockdev"
)

// Budget keeps volumes from taking the last of the space, which maps, merges and
// records need, so that a full pool can still be made durable and give space back.
// All methods may be called at the same time; those of a nil Budget allow everything.
type Budget struct {
	space   func() (total, free int64, err error)
	reserve int64
	left    atomic.Int64 // bytes that may be taken before space is asked again

	mu sync.Mutex
}

// budgetShare bounds what is given out between two looks at the space, in bytes:
// others may take it meanwhile.
const budgetShare = 64 << 20

// errReserve is the cause of a write that finds only the reserve left.
var errReserve = errors.New("what is left is reserved for what gives space back")

// NewBudget makes one that leaves reserve bytes of what space says is free.
func NewBudget(space func() (total, free int64, err error), reserve int64) *Budget {
	return &Budget{space: space, reserve: reserve}
}

// take asks for n bytes; KindNoSpace: they are not there.
func (b *Budget) take(n int64) error {
	if b == nil || b.left.Add(-n) >= 0 {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	_, free, err := b.space()
	if err != nil {
		return ioError("look for space", err)
	}
	room := free - b.reserve - n
	b.left.Store(min(max(0, room/2), budgetShare))
	if room < 0 {
		return blockdev.Wrap(blockdev.KindNoSpace, "write", errReserve)
	}
	return nil
}

// Spare says, as a KindNoSpace error, that nothing but the reserve is left.
func (b *Budget) Spare() error {
	if b == nil {
		return nil
	}
	_, free, err := b.space()
	if err != nil {
		return ioError("look for space", err)
	}
	if free <= b.reserve {
		return blockdev.Wrap(blockdev.KindNoSpace, "look for space", errReserve)
	}
	return nil
}

// SetBudget bounds the space that volumes take by writing to the layer; it comes
// before the first write. Copies between layers are not bounded.
func (l *Layer) SetBudget(b *Budget) { l.budget = b }

// afford says whether [off, off+n) can be written, whose blocks the layer has: what is
// in its file already needs no space. Not all of it need be there, also where the map
// says data: zeros may have been made by a hole while the layer was merged.
func (l *Layer) afford(off, n int64) error {
	if l.budget == nil {
		return nil
	}
	short := l.budget.take(n)
	if short == nil {
		return nil
	}
	holes, at := int64(0), off
	err := l.ranges(off, n, func(from, to int64) error {
		holes, at = holes+from-at, to
		return nil
	})
	if err == nil && holes == 0 && at == off+n {
		return nil
	}
	return short
}

// affordIn is afford of blocks that are all in state st.
func (l *Layer) affordIn(st state, off, n int64) error {
	if st == data {
		return l.afford(off, n)
	}
	return l.budget.take(n)
}
