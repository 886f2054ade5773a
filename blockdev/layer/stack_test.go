package layer

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/vfs/memfs"
)

// stack is layers on each other, the lowest first, with a model of what each layer
// shows together with those below it.
type stack struct {
	t      *testing.T
	fs     *memfs.FS
	r      *rand.Rand
	size   int64
	layers []*Layer
	shows  [][]byte
}

func newStack(t *testing.T, seed uint64, depth int, size int64) *stack {
	s := &stack{t: t, fs: memfs.New(seed), r: rand.New(rand.NewPCG(seed, 3)), size: size}
	s.fs.SetCloning(seed%2 == 1)
	for range depth {
		s.push()
		for range 25 {
			s.change()
		}
	}
	return s
}

func (s *stack) push() {
	n := len(s.layers)
	l, err := Create(s.fs, fmt.Sprintf("%032d", n), s.size, n == 0)
	require.NoError(s.t, err)
	s.t.Cleanup(func() { _ = l.Close() })
	show := make([]byte, s.size)
	if n > 0 {
		copy(show, s.shows[n-1])
	}
	s.layers, s.shows = append(s.layers, l), append(s.shows, show)
}

// below is the view of the layers under number n.
func (s *stack) below(n int) *View {
	var nearest []*Layer
	for i := n - 1; i >= 0; i-- {
		nearest = append(nearest, s.layers[i])
	}
	return NewView(nearest, true)
}

func (s *stack) chain() *Chain {
	top := len(s.layers) - 1
	return NewChain(s.layers[top], s.below(top))
}

// change writes to the top or makes a range zeros.
func (s *stack) change() { s.changeOn(s.chain()) }

func (s *stack) changeOn(c *Chain) {
	off := s.r.Int64N(s.size)
	n := min(s.size-off, 1+s.r.Int64N(5*blockSize))
	if s.r.IntN(2) == 0 {
		off, n = off/blockSize*blockSize, blockSize
		n = min(n, s.size-off)
	}
	p, show := bytes.Repeat([]byte{byte(1 + s.r.IntN(255))}, int(n)), s.shows[len(s.shows)-1]
	switch s.r.IntN(4) {
	case 0:
		clear(p)
		require.NoError(s.t, c.zeroAt(off, n))
	case 1:
		require.NoError(s.t, writeFUA(c, p, off))
	default:
		require.NoError(s.t, c.writeAt(p, off))
	}
	copy(show[off:], p)
}

// check compares what a chain shows with a model, in pieces.
func (s *stack) check(c *Chain, want []byte) {
	s.t.Helper()
	got := make([]byte, s.size)
	for off := int64(0); off < s.size; {
		n := min(s.size-off, 1+s.r.Int64N(9*blockSize))
		require.NoError(s.t, c.readAt(got[off:off+n], off))
		off += n
	}
	require.True(s.t, bytes.Equal(want, got))
	out := &extentList{}
	require.NoError(s.t, c.extents(0, s.size, out))
	at := int64(0)
	for _, e := range out.result() {
		require.Equal(s.t, at, e.Off)
		at += e.Len
		if !e.Data {
			require.Equal(s.t, make([]byte, e.Len), want[e.Off:at])
		}
	}
	require.Equal(s.t, s.size, at)
}

func TestStackAgainstModel(t *testing.T) {
	for _, depth := range []int{1, 2, 3, 4, 9} {
		s := newStack(t, uint64(depth), depth, 60*blockSize+3*512)
		s.check(s.chain(), s.shows[depth-1])
		for n := depth - 1; n > 0; n-- { // each layer is as it was frozen
			s.check(NewChain(s.layers[n-1], s.below(n-1)), s.shows[n-1])
		}
	}
}

// TestFillDetaches fills a top from all that is below and opens it alone.
func TestFillDetaches(t *testing.T) {
	for seed := range uint64(20) {
		s := newStack(t, seed, 1+int(seed%5)+1, 60*blockSize+512)
		top := len(s.layers) - 1
		require.NoError(t, s.layers[top].Fill(context.Background(), s.below(top), nil))
		s.check(s.chain(), s.shows[top])
		alone, err := Open(s.fs, s.layers[top].ID(), s.size, true)
		require.NoError(t, err)
		s.check(NewChain(alone, nil), s.shows[top])
		after := s.fs.Crash()
		alone2, err := Open(after, s.layers[top].ID(), s.size, true)
		if err == nil { // its name need not be durable in this test
			s.check(NewChain(alone2, nil), s.shows[top])
		}
		require.NoError(t, alone.Close())
	}
}

// TestNeighboursMerge moves a layer up or down and leaves it out of the view.
func TestNeighboursMerge(t *testing.T) {
	for seed := range uint64(40) {
		s := newStack(t, seed, 5, 60*blockSize+512)
		at := 1 + int(seed%3) // goes, or its parent does
		ctx, want := context.Background(), s.shows[4]
		gone := at
		if seed%2 == 0 {
			require.NoError(t, s.layers[at].Sink(ctx, s.layers[at-1], at == 1, nil))
		} else {
			gone = at - 1
			require.NoError(t, s.layers[at].Fill(ctx, NewView([]*Layer{s.layers[at-1]}, at == 1), nil))
		}
		s.check(s.chain(), want)
		s.layers = append(s.layers[:gone:gone], s.layers[gone+1:]...)
		s.check(s.chain(), want)
		s.check(NewChain(s.layers[2], s.below(2)), s.shows[3])
	}
}

// TestFillWhileWritten fills a top that several goroutines write to: what they wrote
// wins.
func TestFillWhileWritten(t *testing.T) {
	const size = 12 << 20
	s := newStack(t, 1, 3, size)
	v, want := NewVolume(s.chain(), size), s.shows[2]
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			h := v.NewHandle(false, func() error { return nil })
			defer h.Close()
			for b := g; b < size/1536; b += 40 { // a block has parts of two
				p := bytes.Repeat([]byte{byte(b) | 1}, 1536)
				if err := h.WriteAt(context.Background(), p, int64(b)*1536); err != nil {
					t.Error(err)
				}
				copy(want[b*1536:], p)
			}
		})
	}
	wg.Go(func() {
		if err := s.layers[2].Fill(context.Background(), s.below(2), nil); err != nil {
			t.Error(err)
		}
	})
	wg.Wait()
	s.check(v.Chain(), want)
	require.NoError(t, s.layers[2].Fill(context.Background(), s.below(2), nil))
	s.check(NewChain(s.layers[2], nil), want)
}

// TestFillIsResumed: a copy that was stopped has kept what it had.
func TestFillIsResumed(t *testing.T) {
	s := newStack(t, 1, 2, 30<<20)
	s.fs.SetCloning(false)
	p := bytes.Repeat([]byte{9}, 20<<20)
	require.NoError(t, NewChain(s.layers[0], nil).writeAt(p, 0))
	copy(s.shows[0], p)
	ctx, cancel := context.WithCancel(context.Background())
	var first, second int64
	err := s.layers[1].Fill(ctx, s.below(1), func(_ context.Context, scanned, copied int64) error {
		if first += copied; first > 8<<20 {
			cancel()
		}
		return nil
	})
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, s.layers[1].Fill(context.Background(), s.below(1), func(_ context.Context, _, copied int64) error {
		second += copied
		return nil
	}))
	require.Less(t, second, int64(13<<20))
}

func TestFailedSyncIsFinal(t *testing.T) {
	s := newStack(t, 1, 2, 40*blockSize)
	v := NewVolume(s.chain(), s.size)
	h := v.NewHandle(false, func() error { return nil })
	ctx := context.Background()
	s.fs.SetFault(func(op memfs.Op, _ string) error {
		if op == memfs.OpSync {
			return syscall.EIO
		}
		return nil
	})
	require.True(t, blockdev.Is(h.Flush(ctx), blockdev.KindIO))
	s.fs.SetFault(nil)
	for name, err := range map[string]error{
		"flush": h.Flush(ctx), "write": h.WriteAt(ctx, []byte{1}, 0),
		"fua": h.WriteFUA(ctx, []byte{1}, 0), "zero": h.ZeroAt(ctx, 0, 1),
	} {
		require.True(t, blockdev.Is(err, blockdev.KindIO), "%s: %v", name, err)
	}
	s.check(v.Chain(), s.shows[1])
}

// TestFailedSyncFailsThoseWhoWait: the kernel tells one sync only that a write was
// lost. A flush that waited for it must not take the next success for its own.
func TestFailedSyncFailsThoseWhoWait(t *testing.T) {
	s := newStack(t, 1, 2, 40*blockSize)
	l := s.layers[0]
	syncs := 0
	s.fs.SetFault(func(op memfs.Op, _ string) error {
		if op != memfs.OpSync {
			return nil
		}
		if syncs++; syncs == 1 {
			return syscall.EIO
		}
		return nil
	})
	require.True(t, blockdev.Is(l.Flush(), blockdev.KindIO))
	require.True(t, blockdev.Is(l.syncing.do(l.flush), blockdev.KindIO), "what runs when the wait is over")
	require.Equal(t, 1, syncs)
}

// TestFlushCosts counts the calls of a flush: one sync if no block is new.
func TestFlushCosts(t *testing.T) {
	s := newStack(t, 1, 2, 40*blockSize)
	c := s.chain()
	require.NoError(t, c.writeAt(make([]byte, blockSize), 0))
	require.NoError(t, c.top.Flush())
	count := func(fn func()) int {
		before := s.fs.Calls()
		fn()
		return s.fs.Calls() - before
	}
	require.Equal(t, 1, count(func() { require.NoError(t, c.writeAt(make([]byte, blockSize), 0)) }))
	require.Equal(t, 1, count(func() { require.NoError(t, c.top.Flush()) }))
	require.Equal(t, 2, count(func() { require.NoError(t, writeFUA(c, make([]byte, 512), 512)) }), "a write and its sync")
	base := NewChain(s.layers[0], nil)
	require.Equal(t, 1, count(func() { require.NoError(t, base.readAt(make([]byte, 9*blockSize), 100)) }))
	require.Equal(t, 1, count(func() { require.NoError(t, base.writeAt(make([]byte, 9*blockSize), 100)) }))
}

// TestFlushesAreShared: whoever comes before a run begins needs no other; a run that
// failed is nobody's.
func TestFlushesAreShared(t *testing.T) {
	var o oneAtATime
	runs := 0
	run := func() error { runs++; return nil }
	for range 3 {
		require.NoError(t, o.do(run))
	}
	require.Equal(t, 3, runs, "one after the other they all run")
	require.ErrorIs(t, o.do(func() error { return syscall.EIO }), syscall.EIO)
	o.done = o.begun.Load() + 1 // as if one had begun and ended while do waits
	require.NoError(t, o.do(run))
	require.Equal(t, 3, runs)
}

// writeFUA is a durable write as a Volume makes it.
func writeFUA(c *Chain, p []byte, off int64) error {
	durable, err := c.writeFUA(p, off)
	if err != nil || durable {
		return err
	}
	return c.Flush()
}
