package memfs

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestShelveIsOneStep: whatever a power cut leaves, the file is in one place.
func TestShelveIsOneStep(t *testing.T) {
	places := map[string]int{}
	for seed := range uint64(60) {
		m := New(seed)
		f, err := m.Create("a")
		require.NoError(t, err)
		_, err = f.WriteAt([]byte{1}, 0)
		require.NoError(t, err)
		require.NoError(t, f.Sync())
		require.NoError(t, m.SyncDir())
		require.NoError(t, m.Shelve("a"))
		if seed%3 == 0 {
			require.NoError(t, m.SyncDir())
		}
		m = m.Crash()
		here, err := m.List()
		require.NoError(t, err)
		there, err := m.Shelved()
		require.NoError(t, err)
		require.Len(t, here, 1-len(there))
		if seed%3 == 0 {
			require.Empty(t, here, "it was durable")
			continue
		}
		places["here"] += len(here)
		places["there"] += len(there)
	}
	require.Positive(t, places["here"])
	require.Positive(t, places["there"])
}
