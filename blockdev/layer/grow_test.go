package layer

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev/vfs/memfs"
)

// TestGrowHidesInterruptedSink: a power cut after a Sink, but before the merge is
// stored, leaves data beyond the end of the layer below. It reads as zeros then, and
// goes on doing so when the merge is begun again.
func TestGrowHidesInterruptedSink(t *testing.T) {
	const small, large = 5*blockSize + 512, 9 * blockSize
	fs := memfs.New(1)
	below, err := Create(fs, "below", small, true)
	require.NoError(t, err)
	above, err := Create(fs, "above", large, false)
	require.NoError(t, err)
	c := NewChain(above, NewView([]*Layer{below}, true))
	require.NoError(t, c.writeAt(bytes.Repeat([]byte{7}, 1024), large-1024))
	require.NoError(t, fs.SyncDir())
	require.NoError(t, below.Grow(large))
	require.NoError(t, c.top.Sink(t.Context(), below, true, nil))

	fs = fs.Crash()
	below, err = Open(fs, "below", small, true)
	require.NoError(t, err)
	above, err = Create(fs, "again", large, false) // the mark was not durable
	require.NoError(t, err)
	c = NewChain(above, NewView([]*Layer{below}, true))
	got := make([]byte, 1024)
	require.NoError(t, c.readAt(got, large-1024))
	require.Equal(t, make([]byte, 1024), got)
	require.NoError(t, below.Grow(large))
	require.NoError(t, c.readAt(got, large-1024))
	require.Equal(t, make([]byte, 1024), got, "it came to light")
	require.NoError(t, below.Flush())
	fs = fs.Crash()
	below, err = Open(fs, "below", large, true)
	require.NoError(t, err)
	require.NoError(t, below.readAt(got, large-1024))
	require.Equal(t, make([]byte, 1024), got)
}
