package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestStall(t *testing.T) {
	at := func(ms int) time.Time { return time.UnixMilli(int64(ms)) }
	writes := [][2]time.Time{
		{at(0), at(50)},    // over before
		{at(90), at(110)},  // under way at the beginning
		{at(111), at(140)}, // the longest
		{at(195), at(205)}, // under way at the end
		{at(206), at(400)}, // after
	}
	require.Equal(t, stall{took: 100, longest: 29, silence: 65}, stallOf(writes, at(100), at(200)))
	require.Equal(t, stall{took: 100}, stallOf(nil, at(100), at(200)))
}

func TestLayersQuickly(t *testing.T) {
	l := &lab{memory: t.TempDir()}
	require.NoError(t, withVolumes(t.Context(), l.memory, "layers", func(v *volumes) error {
		id, d, err := v.volume(t.Context(), "v", 2*mib, 3)
		require.NoError(t, err)
		defer d.Close()
		list, err := v.List(t.Context())
		require.NoError(t, err)
		require.Len(t, list, 4)
		require.NoError(t, v.grow(t.Context(), id, 4*mib))
		n, err := everyBlock(t.Context(), first{d, 2 * mib})
		require.NoError(t, err)
		require.Positive(t, n)
		return v.many(t.Context(), 5)
	}))
}
