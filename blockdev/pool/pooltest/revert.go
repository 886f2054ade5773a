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

// restoreSet restores two volumes at once, keeps one of them, and finds the revisions
// of just these changed.
func restoreSet(t *testing.T, p pool.Pool) {
	r := reverter(t, p)
	var vols, snaps []pool.Volume
	for i, name := range []string{"a", "b"} {
		v := Create(t, p, name, size)
		Write(t, Open(t, p, v.ID), Fill(byte(i+1), 10*block), 0)
		s := Snap(t, p, v.ID, name+"-s")
		Write(t, Open(t, p, v.ID), Fill(9, 20*block), 0)
		vols, snaps = append(vols, v), append(snaps, s)
	}
	keep := pool.Spec{Name: "b-kept"}
	_, _, err := r.RestoreSet(t.Context(), []pool.Restoration{
		{ID: vols[0].ID, From: snaps[0].ID}, {ID: vols[1].ID, From: snaps[1].ID, Keep: pool.Spec{Name: "a"}},
	})
	kind(t, blockdev.KindExists, err)
	Holds(t, Open(t, p, vols[0].ID), Fill(9, 20*block), 0) // none was
	for _, set := range [][]pool.Restoration{
		{{ID: vols[0].ID, From: snaps[0].ID}, {ID: vols[0].ID, From: snaps[1].ID}},
		{{ID: vols[0].ID, From: snaps[0].ID}, {ID: snaps[0].ID, From: snaps[1].ID}},
	} {
		_, _, err = r.RestoreSet(t.Context(), set)
		kind(t, blockdev.KindBusy, err)
	}
	before := revisions(t, r, vols, snaps)
	d := Open(t, p, vols[0].ID)
	told := d.(blockdev.Revisioner).Revision()
	restored, kept, err := r.RestoreSet(t.Context(), []pool.Restoration{
		{ID: vols[0].ID, From: snaps[0].ID}, {ID: vols[1].ID, From: snaps[1].ID, Keep: keep},
	})
	require.NoError(t, err)
	require.Equal(t, []pool.VolumeID{vols[0].ID, vols[1].ID}, []pool.VolumeID{restored[0].ID, restored[1].ID})
	require.Equal(t, []string{"", "b-kept"}, []string{kept[0].Name, kept[1].Name})
	require.NotEqual(t, told, d.(blockdev.Revisioner).Revision())
	after := revisions(t, r, vols, snaps)
	require.Equal(t, before[2:], after[2:])
	for i, v := range vols {
		require.Greater(t, after[i], before[i])
		Holds(t, Open(t, p, v.ID), append(Fill(byte(i+1), 10*block), make([]byte, 10*block)...), 0)
	}
	Holds(t, Open(t, p, kept[1].ID), Fill(9, 20*block), 0)
}

func revisions(t *testing.T, r pool.Reverter, sets ...[]pool.Volume) (all []uint64) {
	for _, set := range sets {
		for _, v := range set {
			n, err := r.Revision(t.Context(), v.ID)
			require.NoError(t, err)
			all = append(all, n)
		}
	}
	return all
}

// resetSet resets two snapshots, or none of them.
func resetSet(t *testing.T, p pool.Pool) {
	r := reverter(t, p)
	v := Create(t, p, "v", size)
	Write(t, Open(t, p, v.ID), Fill(1, 10*block), 0)
	a, b := Snap(t, p, v.ID, "a"), Snap(t, p, v.ID, "b")
	for _, s := range []pool.Volume{a, b} {
		Write(t, Open(t, p, s.ID), Fill(2, 5*block), 0)
	}
	before := revisions(t, r, []pool.Volume{a, b})
	for _, c := range []struct {
		ids  []pool.VolumeID
		want blockdev.Kind
	}{
		{[]pool.VolumeID{a.ID, v.ID}, blockdev.KindInvalid}, {[]pool.VolumeID{a.ID, "nobody"}, blockdev.KindNotFound},
		{[]pool.VolumeID{a.ID, a.ID}, blockdev.KindBusy},
	} {
		_, err := r.ResetSet(t.Context(), c.ids)
		kind(t, c.want, err)
	}
	Holds(t, Open(t, p, a.ID), Fill(2, 5*block), 0)
	require.Equal(t, before, revisions(t, r, []pool.Volume{a, b}))
	_, err := r.ResetSet(t.Context(), []pool.VolumeID{a.ID, b.ID})
	require.NoError(t, err)
	for i, s := range []pool.Volume{a, b} {
		Holds(t, Open(t, p, s.ID), Fill(1, 10*block), 0)
		require.Greater(t, revisions(t, r, []pool.Volume{a, b})[i], before[i])
	}
}
