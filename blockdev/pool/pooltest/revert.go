package pooltest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/pool"
)

// reverter is the pool as one that can take volumes back; the test is skipped where
// it cannot.
func reverter(t *testing.T, p pool.Pool) pool.Reverter {
	r, ok := p.(pool.Reverter)
	if !ok {
		t.Skip("the pool has no Reverter")
	}
	return r
}

func restore(t *testing.T, p pool.Pool) {
	r := reverter(t, p)
	v := Create(t, p, "v", size)
	d := Open(t, p, v.ID)
	Write(t, d, Fill(1, 100*block), 0)
	s := Snap(t, p, v.ID, "s")
	Write(t, d, Fill(2, 100*block), 50*block)
	got, err := r.Restore(t.Context(), v.ID, s.ID, pool.Spec{Name: "before"})
	require.NoError(t, err)
	require.Equal(t, []any{v.ID, "v", int64(size)}, []any{got.ID, got.Name, got.Size})
	was := append(Fill(1, 50*block), Fill(2, 100*block)...)
	Holds(t, d, Fill(1, 100*block), 0)
	Holds(t, d, make([]byte, size-100*block), 100*block)
	Write(t, d, Fill(3, size), 0)
	Holds(t, Open(t, p, s.ID), Fill(1, 100*block), 0)
	Holds(t, Open(t, p, named(t, p, "before").ID), was, 0)
	_, err = r.Restore(t.Context(), v.ID, s.ID, pool.Spec{})
	require.NoError(t, err)
	Holds(t, d, Fill(1, 100*block), 0)
	_, err = r.Reset(t.Context(), v.ID)
	kind(t, blockdev.KindInvalid, err) // a volume does not become a snapshot by it
	list, err := p.List(t.Context())
	require.NoError(t, err)
	require.Len(t, list, 3)
}

func restoreRefusals(t *testing.T, p pool.Pool) {
	r := reverter(t, p)
	v, small := Create(t, p, "v", size), Create(t, p, "small", 512)
	for name, c := range map[string]struct {
		id, from pool.VolumeID
		keep     string
		want     blockdev.Kind
	}{
		"nobody":       {"nobody", v.ID, "", blockdev.KindNotFound},
		"from nobody":  {v.ID, "nobody", "", blockdev.KindNotFound},
		"itself":       {v.ID, v.ID, "", blockdev.KindInvalid},
		"name taken":   {v.ID, small.ID, "SMALL", blockdev.KindExists},
		"keep nobody":  {"nobody", v.ID, "x", blockdev.KindNotFound},
		"into smaller": {small.ID, v.ID, "x", blockdev.KindInvalid},
	} {
		_, err := r.Restore(t.Context(), c.id, c.from, pool.Spec{Name: c.keep})
		require.Equal(t, c.want.String(), blockdev.KindOf(err).String(), "%s: %v", name, err)
	}
	list, err := p.List(t.Context())
	require.NoError(t, err)
	require.Len(t, list, 2)
}

func reset(t *testing.T, p pool.Pool) {
	r := reverter(t, p)
	v := Create(t, p, "v", 100*block)
	d := Open(t, p, v.ID)
	Write(t, d, Fill(1, 100*block), 0)
	s := Snap(t, p, v.ID, "s")
	Write(t, d, Fill(2, 100*block), 0)
	c := Open(t, p, s.ID)
	Write(t, c, Fill(3, 50*block), 700)
	of := Open(t, p, Snap(t, p, s.ID, "of").ID) // a snapshot of the snapshot
	_, err := p.Update(t.Context(), s.ID, func(v *pool.Volume) error { v.Size = size; return nil })
	require.NoError(t, err)
	Write(t, c, Fill(4, 1000), 200*block)

	got, err := r.Reset(t.Context(), s.ID)
	require.NoError(t, err)
	require.Equal(t, []any{s.ID, "s", int64(size)}, []any{got.ID, got.Name, got.Size})
	Holds(t, c, append(Fill(1, 100*block), make([]byte, size-100*block)...), 0)
	Holds(t, d, Fill(2, 100*block), 0)
	Holds(t, of, Fill(3, 50*block), 700)
	Write(t, c, Fill(5, 700), 0)
	_, err = r.Reset(t.Context(), s.ID)
	require.NoError(t, err)
	Holds(t, c, Fill(1, 100*block), 0)

	require.NoError(t, p.Hydrate(t.Context(), s.ID, 0, nil))
	for id, want := range map[pool.VolumeID]blockdev.Kind{
		s.ID: blockdev.KindInvalid, v.ID: blockdev.KindInvalid, "nobody": blockdev.KindNotFound,
	} {
		_, err = r.Reset(t.Context(), id)
		kind(t, want, err)
	}
	Holds(t, c, Fill(1, 100*block), 0)
}
