package iscsi

import (
	"math/bits"
	"sync"
)

// Buffers are kept in classes of powers of two between these sizes; longer and
// empty ones are not kept.
const (
	minClass = 12 // 4 KiB
	maxClass = 22 // 4 MiB
)

// buffers hands out byte slices and takes them back. It may be used by many at
// the same time.
type buffers struct {
	class [maxClass - minClass + 1]sync.Pool
}

// buffer is a slice and what it takes to give it back. The zero buffer is empty.
type buffer struct {
	p   []byte
	box *[]byte // what the pool keeps; nil: not pooled
}

func newBuffers() *buffers {
	b := &buffers{}
	for i := range b.class {
		size := 1 << (minClass + i)
		b.class[i].New = func() any {
			p := make([]byte, size)
			return &p
		}
	}
	return b
}

// get gives n bytes of undefined content.
func (b *buffers) get(n int) buffer {
	if n <= 0 {
		return buffer{}
	}
	c := max(bits.Len(uint(n-1)), minClass)
	if c > maxClass {
		return buffer{p: make([]byte, n)}
	}
	box := b.class[c-minClass].Get().(*[]byte)
	return buffer{p: (*box)[:n], box: box}
}

// put takes back what get gave; nobody may use it any more.
func (b *buffers) put(x buffer) {
	if x.box != nil {
		b.class[bits.Len(uint(len(*x.box)-1))-minClass].Put(x.box)
	}
}
