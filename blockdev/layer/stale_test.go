package layer

import (
	"fmt"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev/vfs/memfs"
)

const staleSize = 8 * blockSize

// badMap is a closed layer whose first block was written and marked, but the given call
// on its map failed in the flush.
func badMap(t *testing.T, seed uint64, call memfs.Op, cause error) *memfs.FS {
	fs := memfs.New(seed)
	l, err := Create(fs, "l", staleSize, false)
	require.NoError(t, err)
	require.NoError(t, fs.SyncDir())
	_, err = l.data.WriteAt(make([]byte, blockSize), 0)
	require.NoError(t, err)
	l.blocks.mark(0, 1, data)
	fs.SetFault(func(op memfs.Op, name string) error {
		if op == call && name == MapFile("l") {
			return cause
		}
		return nil
	})
	require.ErrorIs(t, l.Flush(), cause)
	require.NoError(t, l.Close())
	fs.SetFault(nil)
	return fs
}

// firstBlock opens the layer and says what it has.
func firstBlock(t *testing.T, fs *memfs.FS) (*Layer, state) {
	l, err := Open(fs, "l", staleSize, false)
	require.NoError(t, err)
	st, _ := l.blocks.run(0, 1)
	return l, st
}

// TestFlushOfAMapThatWasRead: a map that was written and not synced, for want of space
// halfway, is what the next who opens the layer reads, and what they rely on must be
// durable with their first flush.
func TestFlushOfAMapThatWasRead(t *testing.T) {
	found := 0
	for seed := range uint64(30) {
		t.Run(fmt.Sprint("seed", seed), func(t *testing.T) {
			fs := badMap(t, seed, memfs.OpWrite, syscall.ENOSPC)
			l, st := firstBlock(t, fs)
			if st != data {
				return // nothing of it was written
			}
			found++
			require.NoError(t, l.Flush())
			_, st = firstBlock(t, fs.Crash())
			require.Equal(t, data, st, "what was flushed is gone")
		})
	}
	require.NotZero(t, found)
}

// TestMapAfterARestart: the sync of a map failed, and the daemon was started again while
// the page cache has what was lost. A block that is written then must not count as marked.
func TestMapAfterARestart(t *testing.T) {
	for seed := range uint64(30) {
		t.Run(fmt.Sprint("seed", seed), func(t *testing.T) {
			fs := badMap(t, seed, memfs.OpSync, syscall.EIO)
			l, st := firstBlock(t, fs)
			_, err := l.data.WriteAt(make([]byte, blockSize), 0)
			require.NoError(t, err)
			if st == absent {
				l.blocks.mark(0, 1, data)
			}
			require.NoError(t, l.Flush())
			_, st = firstBlock(t, fs.Crash())
			require.Equal(t, data, st, "what was flushed is gone")
		})
	}
}
