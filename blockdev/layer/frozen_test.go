package layer

import (
	"context"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/vfs/memfs"
)

// turned is a volume whose chain was frozen under a new top while what had been
// written was not durable.
func turned(t *testing.T) (*stack, *Volume, *Handle) {
	s := newStack(t, 1, 2, 40*blockSize)
	v := NewVolume(s.chain(), s.size)
	h := v.NewHandle(false, func() error { return nil })
	require.NoError(t, h.WriteAt(t.Context(), make([]byte, blockSize), 0))
	top, err := Create(s.fs, "top", s.size, false)
	require.NoError(t, err)
	s.layers = append(s.layers, top)
	v.Quiesce()
	v.Chain().Freeze()
	v.Swap(NewChain(top, s.below(2)))
	v.Resume()
	return s, v, h
}

// synced are the files that fn syncs.
func synced(s *stack, fn func()) (names []string) {
	s.fs.SetFault(func(op memfs.Op, name string) error {
		if op == memfs.OpSync {
			names = append(names, name)
		}
		return nil
	})
	fn()
	s.fs.SetFault(nil)
	return names
}

// TestFlushCoversFrozen: the first flush after a freeze makes durable what was
// written before, and only the first.
func TestFlushCoversFrozen(t *testing.T) {
	s, _, h := turned(t)
	frozen := s.layers[1].ID()
	require.Equal(t, []string{DataFile(frozen), MapFile(frozen), DataFile("top")},
		synced(s, func() { require.NoError(t, h.Flush(t.Context())) }))
	require.Equal(t, []string{DataFile("top")}, synced(s, func() { require.NoError(t, h.Flush(t.Context())) }))
}

// TestSettle makes durable what was frozen, and not what came since.
func TestSettle(t *testing.T) {
	s, v, h := turned(t)
	require.NoError(t, h.WriteAt(t.Context(), make([]byte, blockSize), 0))
	frozen := s.layers[1].ID()
	require.Equal(t, []string{DataFile(frozen), MapFile(frozen)},
		synced(s, func() { require.NoError(t, v.Settle(t.Context())) }))
	require.Empty(t, synced(s, func() { require.NoError(t, v.Settle(t.Context())) }))
}

// TestDurableWriteAfterFreeze covers what was written before to the rest of a block,
// too.
func TestDurableWriteAfterFreeze(t *testing.T) {
	s, _, h := turned(t)
	names := synced(s, func() { require.NoError(t, h.WriteFUA(t.Context(), make([]byte, 512), 512)) })
	require.Equal(t, []string{DataFile(s.layers[1].ID()), MapFile(s.layers[1].ID()), DataFile("top"), MapFile("top")}, names)
}

// TestLostFrozenIsFinal: what was acknowledged and lost below ends writing to the top.
func TestLostFrozenIsFinal(t *testing.T) {
	s, v, h := turned(t)
	s.fs.SetFault(func(op memfs.Op, name string) error {
		if op == memfs.OpSync && name == DataFile(s.layers[1].ID()) {
			return syscall.EIO
		}
		return nil
	})
	require.True(t, blockdev.Is(v.Settle(t.Context()), blockdev.KindIO))
	s.fs.SetFault(nil)
	for name, err := range map[string]error{
		"write": h.WriteAt(t.Context(), []byte{1}, 0), "flush": h.Flush(t.Context()),
		"fua": h.WriteFUA(t.Context(), []byte{1}, 0), "zero": h.ZeroAt(t.Context(), 0, 1), "settle": v.Settle(t.Context()),
	} {
		require.True(t, blockdev.Is(err, blockdev.KindIO), "%s: %v", name, err)
	}
	require.True(t, blockdev.Is(s.layers[1].Sink(context.Background(), s.layers[0], true, nil), blockdev.KindIO), "it may not be merged")
	require.True(t, blockdev.Is(s.layers[2].Fill(context.Background(), s.below(2), nil), blockdev.KindIO), "in either direction")
}

// TestFullFrozenIsNot: no room for the map of what was frozen fails the flush, and
// the next one succeeds when there is room.
func TestFullFrozenIsNot(t *testing.T) {
	s, v, h := turned(t)
	s.fs.SetFault(func(op memfs.Op, name string) error {
		if op == memfs.OpWrite && name == MapFile(s.layers[1].ID()) {
			return syscall.ENOSPC
		}
		return nil
	})
	require.True(t, blockdev.Is(v.Settle(t.Context()), blockdev.KindNoSpace))
	require.True(t, blockdev.Is(h.Flush(t.Context()), blockdev.KindNoSpace), "what it covers is not durable")
	s.fs.SetFault(nil)
	require.NoError(t, h.WriteAt(t.Context(), []byte{1}, 0))
	require.NoError(t, h.Flush(t.Context()))
}

// TestFreezeDuringFlush: a flush that began before a layer was frozen again does not
// stand for what was written to it in between.
func TestFreezeDuringFlush(t *testing.T) {
	s := newStack(t, 3, 3, 40*blockSize)
	c, into, _ := s.sinkingChain()
	c.Freeze() // an earlier attempt was given up
	c, _, _ = s.sinkingChain()
	first := true
	s.fs.SetFault(func(op memfs.Op, name string) error {
		if op == memfs.OpSync && name == DataFile(into.ID()) && first {
			first = false
			c.Freeze() // given up again, while the flush of what was owed is under way
		}
		return nil
	})
	require.NoError(t, c.settle())
	again := s.chain()
	names := synced(s, func() { require.NoError(t, again.Flush()) })
	require.Contains(t, names, DataFile(into.ID()), "more may have been written below")
}

// TestCopiesTellOfLosses: a layer whose content was never made durable is synced
// before it is copied and forgotten: nothing else would tell that it was lost.
func TestCopiesTellOfLosses(t *testing.T) {
	for name, copy := range map[string]func(s *stack) error{
		"down": func(s *stack) error { return s.layers[1].Sink(context.Background(), s.layers[0], true, nil) },
		"up":   func(s *stack) error { return s.layers[2].Fill(context.Background(), s.below(2), nil) },
	} {
		t.Run(name, func(t *testing.T) {
			s, _, h := turned(t)
			s.fs.SetFault(func(op memfs.Op, name string) error {
				if op == memfs.OpSync && name == DataFile(s.layers[1].ID()) {
					return syscall.EIO
				}
				return nil
			})
			require.ErrorIs(t, copy(s), syscall.EIO)
			s.fs.SetFault(nil)
			require.ErrorIs(t, h.Flush(t.Context()), syscall.EIO)
		})
	}
}
