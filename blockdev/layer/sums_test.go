package layer

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/vfs"
	"twinlun/blockdev/vfs/memfs"
)

func noPace(context.Context, int64, int64) error { return nil }

// frozenPair is two layers with random content, the lower one grounded.
func frozenPair(t *testing.T, seed uint64) *stack {
	return newStack(t, seed, 2, 3*sumSpan+7*blockSize+512)
}

func verify(t *testing.T, s *stack, n int) ([]Damage, int64, error) {
	t.Helper()
	return s.layers[n].Verify(t.Context(), s.fs, n == 0, noPace)
}

// flip changes one byte of a layer's file behind its back.
func flip(t *testing.T, m *memfs.FS, name string, off int64) {
	t.Helper()
	f, err := m.Open(name)
	require.NoError(t, err)
	b := make([]byte, 1)
	_, err = f.ReadAt(b, off)
	require.NoError(t, err)
	_, err = f.WriteAt([]byte{b[0] ^ 0x40}, off)
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

func TestSumsFindEveryFlip(t *testing.T) {
	s := frozenPair(t, 5)
	for n, l := range s.layers {
		_, _, err := verify(t, s, n)
		require.Error(t, err, "there are none yet")
		require.NoError(t, l.Sum(t.Context(), s.fs, n == 0, noPace))
		done, err := CheckSums(s.fs, l.ID(), l.Size())
		require.NoError(t, err)
		require.True(t, done)
		found, bad, err := verify(t, s, n)
		require.NoError(t, err)
		require.Empty(t, found)
		require.Zero(t, bad)
		for range 60 {
			off := s.r.Int64N(l.Size())
			st, _ := l.blocks.run(off/blockSize, 1)
			flip(t, s.fs, DataFile(l.ID()), off)
			found, bad, err := verify(t, s, n)
			require.NoError(t, err)
			if n > 0 && st != data {
				require.Empty(t, found, "what is not the layer's does not count")
			} else {
				block := off / blockSize * blockSize
				size := min(blockSize, l.Size()-block)
				require.Equal(t, []Damage{{Layer: l.ID(), Off: block, Len: size}}, found)
				require.Equal(t, size, bad)
			}
			flip(t, s.fs, DataFile(l.ID()), off)
		}
	}
}

// TestSumsOfLostData: a block that became a hole is found, too.
func TestSumsOfLostData(t *testing.T) {
	m := memfs.New(1)
	l, err := Create(m, "l", 40*sumSpan, true)
	require.NoError(t, err)
	defer l.Close()
	c := NewChain(l, nil)
	require.NoError(t, c.writeAt(bytes.Repeat([]byte{3}, 3*blockSize), 20*sumSpan))
	require.NoError(t, l.Sum(t.Context(), m, true, noPace))
	size, err := m.Allocated(SumFile("l"))
	require.NoError(t, err)
	require.LessOrEqual(t, size, int64(3*blockSize), "sums of holes take no space")
	require.NoError(t, l.data.Punch(20*sumSpan, 2*blockSize))
	found, _, err := l.Verify(t.Context(), m, true, noPace)
	require.NoError(t, err)
	require.Equal(t, []Damage{{Layer: "l", Off: 20 * sumSpan, Len: 2 * blockSize}}, found)
}

// TestSumsTellTheirOwnDamage: a changed, moved or lost sector of the file of sums is
// never taken for damage of the layer.
func TestSumsTellTheirOwnDamage(t *testing.T) {
	s := frozenPair(t, 6)
	l := s.layers[0]
	harm := map[string]func(f vfs.File) error{
		"flip": func(f vfs.File) error { _, err := f.WriteAt([]byte{0x55}, sectorSize+9); return err },
		"hole": func(f vfs.File) error { return f.Punch(sectorSize, sectorSize) },
		"moved": func(f vfs.File) error {
			b := make([]byte, sectorSize)
			if _, err := f.ReadAt(b, sectorSize); err != nil {
				return err
			}
			_, err := f.WriteAt(b, 2*sectorSize)
			return err
		},
		"header": func(f vfs.File) error { _, err := f.WriteAt([]byte{0x55}, 30); return err },
		"short":  func(f vfs.File) error { return f.Truncate(3 * sectorSize) },
	}
	for name, do := range harm {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, DropSums(s.fs, l.ID()))
			require.NoError(t, l.Sum(t.Context(), s.fs, true, noPace))
			f, err := s.fs.Open(SumFile(l.ID()))
			require.NoError(t, err)
			require.NoError(t, do(f))
			require.NoError(t, f.Close())
			_, _, err = verify(t, s, 0)
			require.ErrorIs(t, err, ErrSums)
		})
	}
}

func TestSumsOfALaterVersion(t *testing.T) {
	m := memfs.New(1)
	l, err := Create(m, "l", sumSpan, true)
	require.NoError(t, err)
	defer l.Close()
	b := sumHeader{size: sumSpan}.encode("l")
	b[8] = sumVersion + 1
	seal(b)
	f, err := m.Create(SumFile("l"))
	require.NoError(t, err)
	_, err = f.WriteAt(b, 0)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	err = l.Sum(t.Context(), m, true, noPace)
	require.ErrorContains(t, err, "format version 2, this program knows 1")
	require.NotErrorIs(t, err, ErrSums)
}

// TestSumResumes interrupts Sum at every sector, also by a power cut, and goes on.
func TestSumResumes(t *testing.T) {
	for seed := range uint64(40) {
		s := frozenPair(t, seed)
		m, l := s.fs, s.layers[1]
		require.NoError(t, l.Flush())
		require.NoError(t, m.SyncDir())
		stop := errors.New("stop")
		r := rand.New(rand.NewPCG(seed, 9))
		if seed%2 == 0 {
			m.CutAfter(r.IntN(30))
		}
		left := r.IntN(4)
		err := l.Sum(t.Context(), m, false, func(context.Context, int64, int64) error {
			if left--; left < 0 {
				return stop
			}
			return nil
		})
		if seed%2 == 0 {
			m = m.Crash()
			l, err = Open(m, l.ID(), l.Size(), false)
			require.NoError(t, err)
		} else if err != nil {
			require.ErrorIs(t, err, stop)
		}
		require.NoError(t, l.Sum(t.Context(), m, false, noPace))
		found, _, err := l.Verify(t.Context(), m, false, noPace)
		require.NoError(t, err, "seed %d", seed)
		require.Empty(t, found, "seed %d", seed)
		require.NoError(t, l.Sum(t.Context(), m, false, func(context.Context, int64, int64) error {
			t.Fatal("what is complete is computed again")
			return nil
		}))
		if seed%2 == 0 {
			require.NoError(t, l.Close())
		}
	}
}

// TestDropSums: sums that were dropped do not come back with a power cut.
func TestDropSums(t *testing.T) {
	for seed := range uint64(20) {
		s := frozenPair(t, seed)
		l := s.layers[0]
		require.NoError(t, DropSums(s.fs, l.ID()), "there are none")
		require.NoError(t, l.Sum(t.Context(), s.fs, true, noPace))
		require.NoError(t, s.fs.SyncDir())
		require.NoError(t, DropSums(s.fs, l.ID()))
		done, _ := CheckSums(s.fs.Crash(), l.ID(), l.Size())
		require.False(t, done, "seed %d", seed)
	}
}

func TestCheckReads(t *testing.T) {
	s := frozenPair(t, 8)
	var bad []Damage
	for n, l := range s.layers {
		require.NoError(t, l.CheckReads(s.fs, n == 0, nil), "without sums nothing is compared")
		require.NoError(t, l.Sum(t.Context(), s.fs, n == 0, noPace))
		require.NoError(t, l.CheckReads(s.fs, n == 0, func(d Damage) { bad = append(bad, d) }))
	}
	s.check(s.chain(), s.shows[1])
	require.Empty(t, bad)
	l := s.layers[1]
	off := int64(-1)
	for b := range blocksOf(l.Size()) {
		if st, _ := l.blocks.run(b, 1); st == data {
			off = b * blockSize
		}
	}
	flip(t, s.fs, DataFile(l.ID()), off+10)
	err := s.chain().readAt(make([]byte, 30), off+2)
	require.True(t, blockdev.Is(err, blockdev.KindIO), "%v", err)
	require.ErrorContains(t, err, l.ID())
	require.Equal(t, []Damage{{Layer: l.ID(), Off: off, Len: blockSize}}, bad)
	require.NoError(t, l.CheckReads(nil, false, nil))
	require.NoError(t, s.chain().readAt(make([]byte, 30), off+2))
}

// TestCheckCopies: what Fill and Sink take is compared, and nothing else; a copy that was
// stopped by damage goes on when it is gone.
func TestCheckCopies(t *testing.T) {
	for name, move := range map[string]func(s *stack) (*Chain, error){
		"fill": func(s *stack) (*Chain, error) {
			return NewChain(s.layers[2], nil), s.layers[2].Fill(s.t.Context(), s.below(2), nil)
		},
		"sink": func(s *stack) (*Chain, error) {
			return NewChain(s.layers[0], nil), s.layers[1].Sink(s.t.Context(), s.layers[0], true, nil)
		},
	} {
		for seed := range uint64(6) {
			s := newStack(t, seed, 3, 3*sumSpan+7*blockSize+512)
			l, shows := s.layers[1], s.shows[2]
			if name == "sink" {
				shows = s.shows[1]
			}
			var bad []Damage
			require.NoError(t, l.Sum(t.Context(), s.fs, false, noPace))
			require.NoError(t, l.CheckCopies(s.fs, false, func(d Damage) { bad = append(bad, d) }))
			harmed, hidden := int64(-1), int64(-1)
			for b := range blocksOf(l.Size()) {
				if st, _ := l.blocks.run(b, 1); st != data {
					continue
				}
				if above, _ := s.layers[2].blocks.run(b, 1); above == absent {
					harmed = b * blockSize
				} else {
					hidden = b * blockSize
				}
			}
			if name == "fill" && hidden >= 0 {
				flip(t, s.fs, DataFile(l.ID()), hidden)
			}
			flip(t, s.fs, DataFile(l.ID()), harmed)
			_, err := move(s)
			require.ErrorIs(t, err, ErrDamaged)
			require.True(t, blockdev.Is(err, blockdev.KindIO))
			require.Equal(t, []Damage{{Layer: l.ID(), Off: harmed, Len: blockSize}}, bad)
			flip(t, s.fs, DataFile(l.ID()), harmed)
			chain, err := move(s)
			require.NoError(t, err)
			s.check(chain, shows)
			require.NoError(t, l.CheckCopies(nil, false, nil))
		}
	}
}

func FuzzSumHeader(f *testing.F) {
	f.Add(sumHeader{size: 1 << 30, done: 126}.encode("x"))
	f.Add(make([]byte, sectorSize))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) != sectorSize {
			return
		}
		h, err := decodeSumHeader(b, "x")
		if err == nil && !bytes.Equal(h.encode("x")[:sumHeaderUsed], b[:sumHeaderUsed]) {
			t.Fatalf("%+v is not what was read", h)
		}
	})
}
