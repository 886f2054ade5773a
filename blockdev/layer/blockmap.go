package layer

import (
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"
)

// state says where the content of a block is. The values are chosen so that every
// change that can happen only sets bits: absent -> zero -> data. Whoever marks a
// block at the same time as another does, the further of the two stays.
type state uint8

const (
	absent state = 0 // read the parent
	zero   state = 1 // reads as zeros whatever the files hold
	data   state = 3 // read the data file
)

const (
	wordBlocks = 32                     // two bits each
	leafWords  = 63                     // and one for the checksum, see mapfile.go
	leafBlocks = leafWords * wordBlocks // 2016 blocks, 7.875 MiB of volume
	everyBlock = 0x5555555555555555     // bit 0 of each block of a word
)

// leaf holds the states of leafBlocks blocks.
type leaf struct {
	words [leafWords]atomic.Uint64

	dirty, saving bool // it is in the list of that name; blockMap.mu guards them
}

// blockMap holds the state of every block of a layer. States are read without a
// lock and without waiting. What has been marked and not yet saved is remembered
// by leaf.
type blockMap struct {
	leaves atomic.Pointer[[]atomic.Pointer[leaf]] // a nil leaf is all absent

	mu     sync.Mutex // for growing, marking, and:
	dirty  []int      // leaves, in no order, each once
	saving []int      // taken by a flush that is still running
}

func newBlockMap(blocks int64) *blockMap {
	m := &blockMap{}
	m.grow(blocks)
	return m
}

// grow makes room for blocks blocks. It never shrinks.
func (m *blockMap) grow(blocks int64) {
	n := int((blocks + leafBlocks - 1) / leafBlocks)
	m.mu.Lock()
	defer m.mu.Unlock()
	old := m.leaves.Load()
	if old != nil && len(*old) >= n {
		return
	}
	grown := make([]atomic.Pointer[leaf], n)
	if old != nil {
		for i := range *old {
			grown[i].Store((*old)[i].Load())
		}
	}
	m.leaves.Store(&grown)
}

// leaf is the i-th leaf, or nil if all its blocks are absent.
func (m *blockMap) leaf(i int) *leaf {
	leaves := *m.leaves.Load()
	if i >= len(leaves) {
		return nil
	}
	return leaves[i].Load()
}

// needLeafLocked is the i-th leaf, which it makes where there is none.
func (m *blockMap) needLeafLocked(i int) *leaf {
	leaves := *m.leaves.Load()
	l := leaves[i].Load()
	if l == nil {
		l = new(leaf)
		leaves[i].Store(l)
	}
	return l
}

// run is the state of a block and how many blocks from it on, at most limit, are
// in the same state. The answer may be shorter than what is true.
func (m *blockMap) run(block, limit int64) (state, int64) {
	i, in := int(block/leafBlocks), int(block%leafBlocks)
	l := m.leaf(i)
	if l == nil {
		return absent, m.emptyLeaves(i, block, limit)
	}
	word := l.words[in/wordBlocks].Load() >> (2 * (in % wordBlocks))
	st := state(word & 3)
	n := int64(0)
	for w, left := in/wordBlocks, wordBlocks-in%wordBlocks; ; left = wordBlocks {
		same := min(bits.TrailingZeros64(word^everyBlock*uint64(st))/2, left)
		n += int64(same)
		if w++; same < left || w == leafWords || n >= limit {
			return st, min(n, limit)
		}
		word = l.words[w].Load()
	}
}

// emptyLeaves counts the blocks from block to the end of the row of nil leaves
// that begins with leaf i.
func (m *blockMap) emptyLeaves(i int, block, limit int64) int64 {
	for i++; int64(i)*leafBlocks-block < limit && m.leaf(i) == nil; i++ {
		if i >= len(*m.leaves.Load()) {
			return limit
		}
	}
	return min(limit, int64(i)*leafBlocks-block)
}

// all says whether n blocks from block on are in state st.
func (m *blockMap) all(block, n int64, st state) bool {
	for n > 0 {
		got, run := m.run(block, n)
		if got != st {
			return false
		}
		block, n = block+run, n-run
	}
	return true
}

// mark moves n blocks from block on to st, except those that are further already.
func (m *blockMap) mark(block, n int64, st state) {
	for n > 0 {
		i, in := int(block/leafBlocks), block%leafBlocks
		part := min(n, leafBlocks-in)
		m.markIn(i, int(in), int(part), st)
		block, n = block+part, n-part
	}
}

// markIn does it in leaf i. A state and that it is not saved yet become known
// together: who sees a block that another has just marked may flush, and must not miss
// it.
func (m *blockMap) markIn(i, in, n int, st state) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if l := m.needLeafLocked(i); l.mark(in, n, st) {
		m.soilLocked(i, l)
	}
}

// soilLocked remembers that a leaf must be saved.
func (m *blockMap) soilLocked(i int, l *leaf) {
	if !l.dirty {
		l.dirty = true
		m.dirty = append(m.dirty, i)
	}
}

// clean says whether every state is durable.
func (m *blockMap) clean() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.dirty) == 0 && len(m.saving) == 0
}

// mark says whether it changed anything.
func (l *leaf) mark(in, n int, st state) (changed bool) {
	for n > 0 {
		at := in % wordBlocks
		part := min(n, wordBlocks-at)
		mask := ^uint64(0) >> (64 - 2*part) << (2 * at) & (everyBlock * uint64(st))
		if l.words[in/wordBlocks].Or(mask)&mask != mask {
			changed = true
		}
		in, n = in+part, n-part
	}
	return changed
}

// unsaved says whether a state in the n blocks from block on is not yet durable.
func (m *blockMap) unsaved(block, n int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := int(block / leafBlocks); int64(i)*leafBlocks < block+n; i++ {
		if l := m.leaf(i); l != nil && (l.dirty || l.saving) {
			return true
		}
	}
	return false
}

// take hands out the leaves that must be saved, in order. The caller ends with saved,
// and does not take again before.
func (m *blockMap) take() []int {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.saving, m.dirty = m.dirty, nil
	slices.Sort(m.saving)
	for _, i := range m.saving {
		l := m.leaf(i)
		l.dirty, l.saving = false, true
	}
	return m.saving
}

// saved ends what take began; if it failed, the leaves are dirty again.
func (m *blockMap) saved(ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, i := range m.saving {
		l := m.leaf(i)
		l.saving = false
		if !ok {
			m.soilLocked(i, l)
		}
	}
	m.saving = nil
}
