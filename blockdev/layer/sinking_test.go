package layer

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev/vfs/memfs"
)

// sinkingSize has several stripes, so that a Sink has several pieces.
const sinkingSize = 3<<20 + 5*512

// spread makes changes all over the volume.
func (s *stack) spread(c *Chain, n int) {
	for range n {
		s.changeOn(c)
	}
}

// sinkingChain is the stack as a chain whose top goes down.
func (s *stack) sinkingChain() (c *Chain, into *Layer, below *View) {
	top := len(s.layers) - 1
	into, below = s.layers[top-1], s.below(top-1)
	return NewSinking(s.layers[top], into, below), into, below
}

// TestSinkInUse brings a top down while it is written to between the pieces, with
// interruptions, and finds the layer below alone to show the same.
func TestSinkInUse(t *testing.T) {
	for seed := range uint64(8) {
		s := newStack(t, seed, 2+int(seed%4), sinkingSize)
		want := s.shows[len(s.shows)-1]
		var c *Chain
		for stopAt := s.r.IntN(3); ; stopAt = 9 {
			var into *Layer
			var below *View
			c, into, below = s.sinkingChain()
			s.spread(c, 20)
			ctx, cancel := context.WithCancel(t.Context())
			pieces := 0
			err := c.Sink(ctx, func(context.Context, int64, int64) error {
				if s.spread(c, 20); pieces == stopAt {
					cancel()
				}
				pieces++
				return nil
			})
			cancel()
			s.check(c, want)
			if err != nil {
				require.ErrorIs(t, err, context.Canceled)
				s.check(s.chain(), want) // with the copies given up
				s.spread(s.chain(), 20)
				continue
			}
			s.spread(c, 20)
			require.NoError(t, c.Sunk())
			s.check(c, want)
			s.check(s.chain(), want)
			s.check(NewChain(into, below), want)
			break
		}
		require.NoError(t, c.Flush())
		s.opened(want)
	}
}

// opened opens all layers but the top from their files and compares.
func (s *stack) opened(want []byte) {
	var layers []*Layer
	for i, l := range s.layers[:len(s.layers)-1] {
		if i < len(s.layers)-2 { // the others have been flushed
			require.NoError(s.t, l.Flush())
		}
		again, err := Open(s.fs, l.ID(), s.size, i == 0)
		require.NoError(s.t, err)
		defer again.Close()
		layers = append([]*Layer{again}, layers...)
	}
	s.check(NewChain(layers[0], NewView(layers[1:], true)), want)
}

// TestSinkAmongWriters: four writers, each with a part of the volume, readers, and a
// top that goes down meanwhile.
func TestSinkAmongWriters(t *testing.T) {
	for seed := range uint64(3) {
		s := newStack(t, seed, 2+int(seed%3), sinkingSize)
		c, into, below := s.sinkingChain()
		v := NewVolume(c, s.size)
		ctx, cancel := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		var rounds atomic.Int64
		for part := range int64(4) {
			wg.Go(func() { s.writePart(ctx, v, part, &rounds) })
		}
		require.NoError(t, c.Sink(t.Context(), func(context.Context, int64, int64) error {
			for from := rounds.Load(); rounds.Load() < from+4; { // some writes between the pieces
				runtime.Gosched()
			}
			return nil
		}))
		cancel()
		wg.Wait()
		require.NoError(t, c.Sunk())
		s.check(c, s.shows[len(s.shows)-1])
		s.check(NewChain(into, below), s.shows[len(s.shows)-1])
	}
}

// writePart writes to one quarter of the volume and keeps the model.
func (s *stack) writePart(ctx context.Context, v *Volume, part int64, rounds *atomic.Int64) {
	h := v.NewHandle(true, func() error { return nil })
	defer h.Close()
	const quarter = sinkingSize / 4
	show := s.shows[len(s.shows)-1]
	for i := int64(0); ctx.Err() == nil; i++ {
		off := part*quarter + i*7919*3%(quarter-9000)
		p := show[off : off+1+i*31%9000]
		var err error
		if i%5 == 0 {
			clear(p)
			err = h.ZeroAt(context.Background(), off, int64(len(p)))
		} else {
			for j := range p {
				p[j] = byte(i) | 1
			}
			err = h.WriteAt(context.Background(), p, off)
		}
		if err != nil {
			s.t.Error(err)
			return
		}
		rounds.Add(1)
	}
}

// TestSinkBroken: a write that reaches the top and not the copy of its block is
// acknowledged, and the copy is given up.
func TestSinkBroken(t *testing.T) {
	s := newStack(t, 1, 2, sinkingSize)
	s.spread(s.chain(), 200)
	c, into, _ := s.sinkingChain()
	require.NoError(t, c.Sink(t.Context(), nil))
	s.fs.SetFault(func(op memfs.Op, name string) error {
		if op == memfs.OpWrite && name == DataFile(into.ID()) {
			return syscall.ENOSPC
		}
		return nil
	})
	block, _ := s.layers[1].blocks.find(data)
	p := s.shows[1][block*blockSize:][:blockSize]
	for i := range p {
		p[i] = 0xEE
	}
	require.NoError(t, c.writeAt(p, block*blockSize))
	s.fs.SetFault(nil)
	require.Error(t, c.Sunk())
	s.check(c, s.shows[1])
	c, into, _ = s.sinkingChain()
	require.NoError(t, c.Sink(t.Context(), nil))
	s.check(NewChain(into, nil), s.shows[1])
}

// find is a block in state st.
func (m *blockMap) find(st state) (int64, bool) {
	for b := range int64(len(*m.leaves.Load()) * leafBlocks) {
		if got, _ := m.run(b, 1); got == st {
			return b, true
		}
	}
	return 0, false
}

// TestSinkFailedSync: when the layer below fails, so does the chain, for good.
func TestSinkFailedSync(t *testing.T) {
	s := newStack(t, 2, 2, sinkingSize)
	c, into, _ := s.sinkingChain()
	s.fs.SetFault(func(op memfs.Op, name string) error {
		if op == memfs.OpSync && name == DataFile(into.ID()) {
			return syscall.EIO
		}
		return nil
	})
	require.ErrorIs(t, c.Flush(), syscall.EIO)
	s.fs.SetFault(nil)
	require.Error(t, c.Failed())
	block, _ := s.layers[1].blocks.find(data)
	for _, off := range []int64{0, block * blockSize} {
		require.ErrorIs(t, c.writeAt(make([]byte, 512), off), syscall.EIO)
		require.ErrorIs(t, writeFUA(c, make([]byte, 512), off), syscall.EIO)
		require.ErrorIs(t, c.zeroAt(off, 512), syscall.EIO)
	}
	require.ErrorIs(t, c.Flush(), syscall.EIO)
}

// TestSinkOverZeros: a block that is partly written over zeros of the top is marked
// below before it is copied. Nothing that the layer below has there, such as a write
// that a power cut left without its mark, comes to light by that.
func TestSinkOverZeros(t *testing.T) {
	s := newStack(t, 5, 3, sinkingSize)
	c, into, below := s.sinkingChain()
	block, ok := s.layers[2].blocks.find(zero)
	require.True(t, ok)
	left := make([]byte, blockSize)
	for i := range left {
		left[i] = 0xDD
	}
	_, err := into.data.WriteAt(left, block*blockSize)
	require.NoError(t, err)
	require.NoError(t, c.writeAt([]byte{1, 2, 3}, block*blockSize+100))
	want := make([]byte, blockSize)
	copy(want[100:], []byte{1, 2, 3})
	for _, shown := range []*Chain{c, NewChain(into, below)} {
		got := make([]byte, blockSize)
		require.NoError(t, shown.readAt(got, block*blockSize))
		require.Equal(t, want, got)
	}
}

// TestSinkOfATopThatGrows: a Sink goes on where the volume has another chain already, by
// which its top becomes longer than the layer below.
func TestSinkOfATopThatGrows(t *testing.T) {
	const longer = 40 << 20 // more leaves and stripes than before
	for _, late := range []bool{false, true} {
		s := newStack(t, 3, 3, sinkingSize)
		c, into, below := s.sinkingChain()
		top := s.layers[len(s.layers)-1]
		grow := func() {
			require.NoError(t, top.Grow(longer))
			require.NoError(t, NewChain(top, s.below(len(s.layers)-1)).writeAt(make([]byte, 3*blockSize), longer-8<<20))
		}
		if late {
			grow()
		}
		require.NoError(t, c.Sink(t.Context(), func(context.Context, int64, int64) error {
			grow()
			return nil
		}))
		s.check(NewChain(into, below), s.shows[len(s.shows)-1])
		require.EqualValues(t, sinkingSize, into.Size())
	}
}
