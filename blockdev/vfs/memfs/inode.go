package memfs

import (
	"math/rand/v2"
	"slices"

	"twinlun/blockdev/vfs"
)

// blockSize is the unit of space, in bytes.
const blockSize = 4096

// content is one sector; nil is a sector of zeros. It is never changed.
type content []byte

// sector is one sector of a file: what is read now and what a power cut may leave.
type sector struct {
	now   content
	maybe []content // the first is durable
	doubt bool      // a Sync failed: no later one settles what maybe holds, before it is written anew
}

// inode is the content of a file, apart from its names.
type inode struct {
	size    int64
	maybe   []int64 // sizes that a power cut may leave, the first is durable
	sectors map[int64]*sector
	unsaved map[int64]*sector // those with more than one maybe
	blocks  map[int64]bool    // allocated
	linked  bool
	opens   int
}

func newInode() *inode {
	return &inode{
		maybe: []int64{0}, sectors: map[int64]*sector{},
		unsaved: map[int64]*sector{}, blocks: map[int64]bool{},
	}
}

func (n *inode) allocated() int64 { return int64(len(n.blocks)) * blockSize }

// set gives sector i a new content.
func (n *inode) set(i int64, c content) {
	s := n.sectors[i]
	if s == nil {
		if c == nil {
			return
		}
		s = &sector{maybe: []content{nil}}
		n.sectors[i] = s
	}
	s.now = c
	s.maybe = append(s.maybe, c)
	s.doubt = false // the next Sync is about this content, not about what was lost
	n.unsaved[i] = s
}

func (n *inode) get(i int64) content {
	if s := n.sectors[i]; s != nil {
		return s.now
	}
	return nil
}

// read copies [off, off+len(p)) into p.
func (n *inode) read(p []byte, off int64) {
	for len(p) > 0 {
		i, in := off/vfs.Sector, off%vfs.Sector
		part := min(int64(len(p)), vfs.Sector-in)
		if c := n.get(i); c != nil {
			copy(p[:part], c[in:])
		} else {
			clear(p[:part])
		}
		p, off = p[part:], off+part
	}
}

// write stores p, which lies within one sector.
func (n *inode) write(p []byte, off int64) {
	i, in := off/vfs.Sector, off%vfs.Sector
	c := make(content, vfs.Sector)
	copy(c, n.get(i))
	copy(c[in:], p)
	n.set(i, c)
}

// resize sets the size and forgets what lies beyond.
func (n *inode) resize(size int64) {
	for i, s := range n.sectors {
		if i*vfs.Sector >= size && s.now != nil {
			n.set(i, nil)
		}
	}
	n.size = size
	n.maybe = append(n.maybe, size)
}

// settle makes everything durable that no failed Sync has put in doubt.
func (n *inode) settle() {
	n.maybe = []int64{n.size}
	for i, s := range n.unsaved {
		if !s.doubt {
			s.maybe = []content{s.now}
			delete(n.unsaved, i)
		}
	}
}

// spoil is a Sync that failed: what was not durable stays in doubt.
func (n *inode) spoil() {
	for _, s := range n.unsaved {
		s.doubt = true
	}
}

// crash is the file as a power cut may leave it.
func (n *inode) crash(rng *rand.Rand) *inode {
	after := newInode()
	after.linked = true
	after.size = n.maybe[rng.IntN(len(n.maybe))]
	after.maybe = []int64{after.size}
	for _, i := range sortedKeys(n.sectors) {
		s := n.sectors[i]
		c := s.maybe[rng.IntN(len(s.maybe))]
		if c == nil || i*vfs.Sector >= after.size {
			continue
		}
		after.sectors[i] = &sector{now: c, maybe: []content{c}}
		after.blocks[i*vfs.Sector/blockSize] = true
	}
	return after
}

// sortedKeys puts the random choices in an order that can be repeated.
func sortedKeys(m map[int64]*sector) []int64 {
	keys := make([]int64, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
