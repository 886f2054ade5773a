package layer

import (
	"fmt"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev/vfs/memfs"
)

// TestFlushOfAMapThatWasRead: a map that was written and not synced, for want of space
// halfway, is what the next who opens the layer reads, and what they rely on must be
// durable with their first flush.
func TestFlushOfAMapThatWasRead(t *testing.T) {
	const size = 8 * blockSize
	found := 0
	for seed := range uint64(30) {
		t.Run(fmt.Sprint("seed", seed), func(t *testing.T) {
			fs := memfs.New(seed)
			l, err := Create(fs, "l", size, false)
			require.NoError(t, err)
			require.NoError(t, fs.SyncDir())
			_, err = l.data.WriteAt(make([]byte, blockSize), 0)
			require.NoError(t, err)
			l.blocks.mark(0, 1, data)
			fs.SetFault(func(op memfs.Op, name string) error {
				if op == memfs.OpWrite && name == MapFile("l") {
					return syscall.ENOSPC
				}
				return nil
			})
			require.Error(t, l.Flush())
			require.NoError(t, l.Failed())
			require.NoError(t, l.Close())
			fs.SetFault(nil)

			l, err = Open(fs, "l", size, false)
			require.NoError(t, err)
			if st, _ := l.blocks.run(0, 1); st != data {
				return // nothing of it was written
			}
			found++
			require.NoError(t, l.Flush())
			l, err = Open(fs.Crash(), "l", size, false)
			require.NoError(t, err)
			st, _ := l.blocks.run(0, 1)
			require.Equal(t, data, st, "what was flushed is gone")
		})
	}
	require.NotZero(t, found)
}

// TestMapAfterARestart: the sync of a map failed, and the daemon was started again while
// the page cache has what was lost. A block that is written then must not count as marked.
func TestMapAfterARestart(t *testing.T) {
	const size = 8 * blockSize
	for seed := range uint64(30) {
		t.Run(fmt.Sprint("seed", seed), func(t *testing.T) {
			fs := memfs.New(seed)
			l, err := Create(fs, "l", size, false)
			require.NoError(t, err)
			require.NoError(t, fs.SyncDir())
			_, err = l.data.WriteAt(make([]byte, blockSize), 0)
			require.NoError(t, err)
			l.blocks.mark(0, 1, data)
			fs.SetFault(func(op memfs.Op, name string) error {
				if op == memfs.OpSync && name == MapFile("l") {
					return syscall.EIO
				}
				return nil
			})
			require.Error(t, l.Flush())
			require.Error(t, l.Failed())
			require.NoError(t, l.Close())
			fs.SetFault(nil)

			l, err = Open(fs, "l", size, false)
			require.NoError(t, err)
			_, err = l.data.WriteAt(make([]byte, blockSize), 0)
			require.NoError(t, err)
			if st, _ := l.blocks.run(0, 1); st == absent {
				l.blocks.mark(0, 1, data)
			}
			require.NoError(t, l.Flush())
			l, err = Open(fs.Crash(), "l", size, false)
			require.NoError(t, err)
			st, _ := l.blocks.run(0, 1)
			require.Equal(t, data, st, "what was flushed is gone")
		})
	}
}
