package memfs_test

import (
	"bytes"
	"io/fs"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev/vfs"
	"twinlun/blockdev/vfs/memfs"
	"twinlun/blockdev/vfs/vfstest"
)

func TestMemFS(t *testing.T) {
	for _, clones := range []bool{false, true} {
		vfstest.Run(t, func(*testing.T) vfs.FS {
			m := memfs.New(1)
			m.SetCloning(clones)
			return m
		})
	}
}

func fill(b byte, n int) []byte { return bytes.Repeat([]byte{b}, n) }

// outcomes cuts the power of what build makes with many seeds and collects, for
// each sector of file a, the values found; key -1 counts the times there was no a.
func outcomes(t *testing.T, build func(m *memfs.FS)) map[int]map[byte]int {
	t.Helper()
	out := map[int]map[byte]int{-1: {}}
	for seed := range uint64(60) {
		m := memfs.New(seed)
		build(m)
		f, err := m.Crash().Open("a")
		if err != nil {
			require.ErrorIs(t, err, fs.ErrNotExist)
			out[-1][0]++
			continue
		}
		size, err := f.Size()
		require.NoError(t, err)
		for s := 0; int64(s) < size/512; s++ {
			p := make([]byte, 512)
			_, err := f.ReadAt(p, int64(s)*512)
			require.NoError(t, err)
			require.Equal(t, fill(p[0], 512), p, "a sector is torn")
			if out[s] == nil {
				out[s] = map[byte]int{}
			}
			out[s][p[0]]++
		}
	}
	return out
}

// durable makes a file of two sectors of ones that survives.
func durable(t *testing.T, m *memfs.FS) vfs.File {
	t.Helper()
	f, err := m.Create("a")
	require.NoError(t, err)
	_, err = f.WriteAt(fill(1, 1024), 0)
	require.NoError(t, err)
	require.NoError(t, f.Sync())
	require.NoError(t, m.SyncDir())
	return f
}

func TestCrashForgetsWhatWasNotSynced(t *testing.T) {
	got := outcomes(t, func(m *memfs.FS) {
		f := durable(t, m)
		for _, b := range []byte{2, 3} {
			_, err := f.WriteAt(fill(b, 1024), 0)
			require.NoError(t, err)
		}
	})
	for s := range 2 {
		for _, b := range []byte{1, 2, 3} {
			require.NotZero(t, got[s][b], "sector %d never was %d", s, b)
		}
	}
	require.Zero(t, got[-1][0])
}

func TestSyncKeeps(t *testing.T) {
	got := outcomes(t, func(m *memfs.FS) {
		f := durable(t, m)
		require.NoError(t, f.WriteSync(fill(2, 512), 0))
		require.NoError(t, f.Punch(512, 512))
		require.NoError(t, f.Sync())
	})
	require.Equal(t, map[byte]int{2: 60}, got[0])
	require.Equal(t, map[byte]int{0: 60}, got[1])
}

func TestFailedSyncStaysInDoubt(t *testing.T) {
	got := outcomes(t, func(m *memfs.FS) {
		f := durable(t, m)
		_, err := f.WriteAt(fill(2, 512), 0)
		require.NoError(t, err)
		m.SetFault(func(op memfs.Op, _ string) error {
			if op == memfs.OpSync {
				return syscall.EIO
			}
			return nil
		})
		require.ErrorIs(t, f.Sync(), syscall.EIO)
		m.SetFault(nil)
		require.NoError(t, f.Sync())
	})
	require.NotZero(t, got[0][1], "a later sync made good what had failed")
	require.NotZero(t, got[0][2])
	require.Equal(t, map[byte]int{1: 60}, got[1])
}

// TestWrittenAnew: what is written after a Sync failed is as durable as anything.
func TestWrittenAnew(t *testing.T) {
	got := outcomes(t, func(m *memfs.FS) {
		f := durable(t, m)
		m.SetFault(func(memfs.Op, string) error { return syscall.EIO })
		_, _ = f.WriteAt(fill(2, 1024), 0)
		require.ErrorIs(t, f.Sync(), syscall.EIO)
		m.SetFault(nil)
		_, err := f.WriteAt(fill(3, 512), 0)
		require.NoError(t, err)
		require.NoError(t, f.Sync())
	})
	require.Equal(t, map[byte]int{3: 60}, got[0])
	require.NotContains(t, got[1], byte(3))
}

func TestNamesNeedSyncDir(t *testing.T) {
	got := outcomes(t, func(m *memfs.FS) {
		f, err := m.Create("a")
		require.NoError(t, err)
		_, err = f.WriteAt(fill(1, 512), 0)
		require.NoError(t, err)
		require.NoError(t, f.Sync())
	})
	require.NotZero(t, got[-1][0])
	require.NotZero(t, got[0][1])
	got = outcomes(t, func(m *memfs.FS) {
		durable(t, m)
		require.NoError(t, m.Remove("a"))
	})
	require.NotZero(t, got[-1][0])
	require.NotZero(t, got[0][1])
}

func TestCutEndsEverything(t *testing.T) {
	m := memfs.New(1)
	f := durable(t, m)
	m.CutAfter(1)
	require.NoError(t, f.Sync())
	require.ErrorIs(t, f.Sync(), memfs.ErrPowerCut)
	require.True(t, m.Dark())
	_, err := f.WriteAt(fill(1, 1), 0)
	require.ErrorIs(t, err, memfs.ErrPowerCut)
	_, err = m.Open("a")
	require.ErrorIs(t, err, memfs.ErrPowerCut)
	_, err = m.Step("x")
	require.ErrorIs(t, err, memfs.ErrPowerCut)
}

func TestCapacity(t *testing.T) {
	m := memfs.New(1)
	m.SetCapacity(4 * 4096)
	f, err := m.Create("a")
	require.NoError(t, err)
	n, err := f.WriteAt(fill(1, 6*4096), 0)
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.Equal(t, 4*4096, n)
	_, err = f.WriteAt(fill(2, 4096), 0) // has its space already
	require.NoError(t, err)
	require.NoError(t, f.Punch(0, 4096))
	_, err = f.WriteAt(fill(2, 4096), 5*4096)
	require.NoError(t, err)
	require.NoError(t, m.Remove("a"))
	require.NoError(t, f.Close())
	_, free, err := m.Space()
	require.NoError(t, err)
	require.EqualValues(t, 4*4096, free)
}

func TestSameSeedSameOutcome(t *testing.T) {
	read := func() []byte {
		m := memfs.New(7)
		f := durable(t, m)
		_, err := f.WriteAt(fill(2, 64*512), 0)
		require.NoError(t, err)
		require.NoError(t, f.WriteSync(fill(3, 1), 64*512-1))
		g, err := m.Crash().Open("a")
		require.NoError(t, err)
		p := make([]byte, 64*512)
		_, err = g.ReadAt(p, 0)
		require.NoError(t, err)
		return p
	}
	require.Equal(t, read(), read())
}

// TestFailedSyncDir: a name that a failed SyncDir was to make durable is in doubt,
// whatever later ones say, until it is made anew.
func TestFailedSyncDir(t *testing.T) {
	lost := 0
	for seed := range uint64(40) {
		m := memfs.New(seed)
		_, err := m.Create("a")
		require.NoError(t, err)
		m.SetFault(func(op memfs.Op, _ string) error {
			if op == memfs.OpSyncDir {
				return syscall.EIO
			}
			return nil
		})
		require.ErrorIs(t, m.SyncDir(), syscall.EIO)
		m.SetFault(nil)
		_, err = m.Create("b")
		require.NoError(t, err)
		require.NoError(t, m.SyncDir())
		after := m.Crash()
		_, err = after.Open("b")
		require.NoError(t, err)
		if _, err = after.Open("a"); err != nil {
			lost++
		}
	}
	require.NotZero(t, lost)
	require.Less(t, lost, 40)
}
