package pooltest

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/pool"
)

// differ is p as a Differ; a pool need not be one.
func differ(t *testing.T, p pool.Pool) pool.Differ {
	t.Helper()
	d, ok := p.(pool.Differ)
	if !ok {
		t.Skip("the pool is no Differ")
	}
	return d
}

// changed requires what differs between two volumes.
func changed(t *testing.T, p pool.Pool, from, to pool.VolumeID, want ...pool.Extent) {
	t.Helper()
	got, err := differ(t, p).Changed(t.Context(), from, to, 0, size, 0)
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func changedIsExact(t *testing.T, p pool.Pool) {
	v := Create(t, p, "v", size)
	d := Open(t, p, v.ID)
	Write(t, d, Fill(1, 100*block), 0)
	a := Snap(t, p, v.ID, "a")
	changed(t, p, a.ID, v.ID)
	changed(t, p, v.ID, v.ID)
	Write(t, d, Fill(2, 1000), 3*block+700) // a part of a block
	Write(t, d, Fill(1, 2*block), 8192*100) // beyond what was there
	Write(t, d, Fill(1, 2*block), 8192*101) // a neighbour of it
	require.NoError(t, blockdev.Zero(t.Context(), d, 50*block, 7*block))
	first := []pool.Extent{{Off: 3 * block, Len: block}, {Off: 50 * block, Len: 7 * block}, {Off: 200 * block, Len: 4 * block}}
	changed(t, p, a.ID, v.ID, first...)
	changed(t, p, v.ID, a.ID, first...)
	b := Snap(t, p, v.ID, "b")
	Write(t, d, Fill(3, block), 4*block)
	changed(t, p, b.ID, v.ID, pool.Extent{Off: 4 * block, Len: block})
	changed(t, p, a.ID, b.ID, first...)
	changed(t, p, a.ID, v.ID, pool.Extent{Off: 3 * block, Len: 2 * block}, first[1], first[2])
	Write(t, Open(t, p, b.ID), Fill(4, 1), 0) // the point changes, too
	changed(t, p, b.ID, v.ID, pool.Extent{Off: 0, Len: block}, pool.Extent{Off: 4 * block, Len: block})
}

// changedInParts asks for a range, and for a few extents at a time.
func changedInParts(t *testing.T, p pool.Pool) {
	v := Create(t, p, "v", size)
	d := Open(t, p, v.ID)
	a := Snap(t, p, v.ID, "a")
	for i := range int64(10) {
		Write(t, d, Fill(1, block), i*5*block)
	}
	var got []pool.Extent
	for off := int64(100); ; {
		part, err := differ(t, p).Changed(t.Context(), a.ID, v.ID, off, 40*block+200-off, 3)
		require.NoError(t, err)
		require.LessOrEqual(t, len(part), 3)
		if got = append(got, part...); len(part) == 0 {
			break
		}
		off = part[len(part)-1].Off + part[len(part)-1].Len
	}
	want := []pool.Extent{{Off: 100, Len: block - 100}}
	for i := range int64(7) {
		want = append(want, pool.Extent{Off: (i + 1) * 5 * block, Len: block})
	}
	require.Equal(t, append(want, pool.Extent{Off: 40 * block, Len: 200}), got)
}

func changedRefusals(t *testing.T, p pool.Pool) {
	v, w := Create(t, p, "v", size), Create(t, p, "w", size)
	s := Snap(t, p, v.ID, "s")
	d := differ(t, p)
	for name, c := range map[string]struct {
		from, to pool.VolumeID
		off, n   int64
		want     blockdev.Kind
	}{
		"no source":      {"nobody", v.ID, 0, size, blockdev.KindNotFound},
		"no target":      {v.ID, "nobody", 0, size, blockdev.KindNotFound},
		"never one":      {v.ID, w.ID, 0, size, blockdev.KindInvalid},
		"behind the end": {s.ID, v.ID, 1, size, blockdev.KindOutOfRange},
		"before it":      {s.ID, v.ID, -1, 1, blockdev.KindOutOfRange},
		"less than none": {s.ID, v.ID, 0, -1, blockdev.KindOutOfRange},
		"beyond int64":   {s.ID, v.ID, 1 << 62, 1 << 62, blockdev.KindOutOfRange},
	} {
		_, err := d.Changed(t.Context(), c.from, c.to, c.off, c.n, 0)
		require.Equal(t, c.want.String(), blockdev.KindOf(err).String(), "%s: %v", name, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := d.Changed(ctx, s.ID, v.ID, 0, size, 0)
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, p.Hydrate(t.Context(), s.ID, 0, nil))
	_, err = d.Changed(t.Context(), s.ID, v.ID, 0, size, 0)
	kind(t, blockdev.KindInvalid, err)
}
