package pooltest

import (
	"context"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/pool"
)

func snapshotIsExact(t *testing.T, p pool.Pool) {
	v := Create(t, p, "v", size)
	d := Open(t, p, v.ID)
	Write(t, d, Fill(1, 100*block), 0)
	s := Snap(t, p, v.ID, "s")
	require.True(t, s.Dependent)
	require.EqualValues(t, size, s.Size)
	snap := Open(t, p, s.ID)
	Holds(t, snap, Fill(1, 100*block), 0)
	Write(t, d, Fill(2, 1000), 700)      // a part of a block
	Write(t, d, Fill(3, 3*block), 5*512) // whole blocks and parts
	Holds(t, snap, Fill(1, 100*block), 0)
	Write(t, snap, Fill(4, 600), 10*block+100) // it is writable
	want := Fill(1, 100*block)
	copy(want[10*block+100:], Fill(4, 600))
	Holds(t, snap, want, 0)
	mine := Fill(1, 100*block)
	copy(mine[700:], Fill(2, 1000))
	copy(mine[5*512:], Fill(3, 3*block))
	Holds(t, d, mine, 0)
}

func snapshotRefusals(t *testing.T, p pool.Pool) {
	v, w := Create(t, p, "v", size), Create(t, p, "w", size/2)
	ok := pool.Copy{Source: v.ID, Target: pool.Spec{Name: "fine"}}
	for name, c := range map[string]struct {
		set  []pool.Copy
		want blockdev.Kind
	}{
		"no such source": {[]pool.Copy{ok, {Source: "nobody", Target: pool.Spec{Name: "x"}}}, blockdev.KindNotFound},
		"no such target": {[]pool.Copy{ok, {Source: v.ID, Into: "nobody"}}, blockdev.KindNotFound},
		"name taken":     {[]pool.Copy{ok, {Source: v.ID, Target: pool.Spec{Name: "W"}}}, blockdev.KindExists},
		"same name":      {[]pool.Copy{ok, {Source: v.ID, Target: pool.Spec{Name: "FINE"}}}, blockdev.KindExists},
		"id taken":       {[]pool.Copy{ok, {Source: v.ID, Target: pool.Spec{Name: "x", ID: w.ID}}}, blockdev.KindExists},
		"too small":      {[]pool.Copy{ok, {Source: v.ID, Target: pool.Spec{Name: "x", Size: 512}}}, blockdev.KindInvalid},
		"into smaller":   {[]pool.Copy{ok, {Source: v.ID, Into: w.ID}}, blockdev.KindInvalid},
		"neither":        {[]pool.Copy{ok, {Source: v.ID}}, blockdev.KindInvalid},
		"both":           {[]pool.Copy{ok, {Source: v.ID, Into: w.ID, Target: pool.Spec{Name: "x"}}}, blockdev.KindInvalid},
		"into a source":  {[]pool.Copy{ok, {Source: w.ID, Into: v.ID}}, blockdev.KindBusy},
		"into twice":     {[]pool.Copy{{Source: w.ID, Into: v.ID}, {Source: w.ID, Into: v.ID}}, blockdev.KindBusy},
	} {
		_, err := p.Snapshot(t.Context(), c.set)
		require.Equal(t, c.want.String(), blockdev.KindOf(err).String(), "%s: %v", name, err)
	}
	list, err := p.List(t.Context())
	require.NoError(t, err)
	require.Len(t, list, 2)
}

func snapshotLarger(t *testing.T, p pool.Pool) {
	v := Create(t, p, "v", 7*512)
	Write(t, Open(t, p, v.ID), Fill(1, 7*512), 0)
	out, err := p.Snapshot(t.Context(), []pool.Copy{{Source: v.ID, Target: pool.Spec{Name: "s", Size: size}}})
	require.NoError(t, err)
	s := Open(t, p, out[0].ID)
	Holds(t, s, append(Fill(1, 7*512), make([]byte, size-7*512)...), 0)
	Write(t, s, Fill(2, 512), 7*512)
	Holds(t, s, append(Fill(1, 7*512), Fill(2, 512)...), 0)
}

func snapshotInto(t *testing.T, p pool.Pool) {
	v, w := Create(t, p, "v", size), Create(t, p, "w", 2*size)
	d, into := Open(t, p, v.ID), Open(t, p, w.ID)
	Write(t, d, Fill(1, 50*block), block)
	Write(t, into, Fill(2, 2*size), 0)
	out, err := p.Snapshot(t.Context(), []pool.Copy{{Source: v.ID, Into: w.ID}})
	require.NoError(t, err)
	require.Equal(t, []any{w.ID, "w", int64(2 * size)}, []any{out[0].ID, out[0].Name, out[0].Size})
	Holds(t, into, make([]byte, block), 0)
	Holds(t, into, Fill(1, 50*block), block)
	Holds(t, into, make([]byte, 2*size-51*block), 51*block)
	Write(t, into, Fill(3, 100), 10)
	Holds(t, d, make([]byte, block), 0)
	s := Snap(t, p, v.ID, "s") // and back: a restore
	Write(t, d, Fill(9, size), 0)
	_, err = p.Snapshot(t.Context(), []pool.Copy{{Source: s.ID, Into: v.ID}})
	require.NoError(t, err)
	Holds(t, d, Fill(1, 50*block), block)
}

// deepChain takes snapshots of a volume and of its snapshots, deletes some, and
// compares all.
func deepChain(t *testing.T, p pool.Pool) {
	v := Create(t, p, "v", size)
	d := Open(t, p, v.ID)
	now := make([]byte, size)
	var snaps []pool.VolumeID
	var states [][]byte
	for i := range 20 {
		off := int64(i * 13 * block / 2)
		copy(now[off:], Fill(byte(i), 9000))
		Write(t, d, Fill(byte(i), 9000), off)
		snaps = append(snaps, Snap(t, p, v.ID, fmt.Sprint("s", i)).ID)
		states = append(states, append([]byte(nil), now...))
	}
	for _, i := range []int{0, 7, 8, 9, 19, 3} {
		require.NoError(t, p.Delete(t.Context(), snaps[i]))
		snaps[i] = ""
	}
	for i, id := range snaps {
		if id != "" {
			Holds(t, Open(t, p, id), states[i], 0)
		}
	}
	Holds(t, d, now, 0)
}

func hydrate(t *testing.T, p pool.Pool) {
	v := Create(t, p, "v", size)
	d := Open(t, p, v.ID)
	Write(t, d, Fill(1, 100*block), 0)
	Write(t, d, Fill(2, 1000), size-1000)
	s := Snap(t, p, v.ID, "clone")
	c := Open(t, p, s.ID)
	Write(t, c, Fill(3, 5000), 2*block+100)
	require.NoError(t, blockdev.Zero(t.Context(), c, 20*block, 4*block))
	want := make([]byte, size)
	copy(want, Fill(1, 100*block))
	copy(want[size-1000:], Fill(2, 1000))
	copy(want[2*block+100:], Fill(3, 5000))
	clear(want[20*block : 24*block])
	Holds(t, c, want, 0)
	require.NoError(t, p.Hydrate(t.Context(), s.ID, 0, nil))
	got, err := p.Get(t.Context(), s.ID)
	require.NoError(t, err)
	require.False(t, got.Dependent)
	Holds(t, c, want, 0)
	require.NoError(t, p.Hydrate(t.Context(), s.ID, 0, nil))
	Write(t, d, Fill(9, size), 0)
	Holds(t, c, want, 0)
	kind(t, blockdev.KindNotFound, p.Hydrate(t.Context(), "nobody", 0, nil))
}

func hydrateProgress(t *testing.T, p pool.Pool) {
	v := Create(t, p, "v", 8*size)
	Write(t, Open(t, p, v.ID), Fill(1, size), 3*size)
	s := Snap(t, p, v.ID, "clone")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err := p.Hydrate(ctx, s.ID, 0, func(done, total int64) { cancel() })
	require.ErrorIs(t, err, context.Canceled)
	last, left := int64(0), int64(-1)
	require.NoError(t, p.Hydrate(t.Context(), s.ID, 1<<40, func(done, total int64) {
		require.GreaterOrEqual(t, done, last)
		require.LessOrEqual(t, done, total)
		last, left = done, total-done
	}))
	require.Zero(t, left)
}

func zeroHides(t *testing.T, p pool.Pool) {
	v := Create(t, p, "v", size)
	d := Open(t, p, v.ID)
	Write(t, d, Fill(1, size), 0)
	s := Snap(t, p, v.ID, "s")
	require.NoError(t, blockdev.Zero(t.Context(), d, 100, 10*block))
	want := Fill(1, size)
	clear(want[100 : 100+10*block])
	Holds(t, d, want, 0)
	Write(t, d, Fill(2, 100), 5*block+7) // over zeros, not over the parent
	copy(want[5*block+7:], Fill(2, 100))
	Holds(t, d, want, 0)
	Holds(t, Open(t, p, s.ID), Fill(1, size), 0)
	list, err := d.(blockdev.Extenter).Extents(t.Context(), 0, 12*block, 0)
	require.NoError(t, err)
	require.Equal(t, []blockdev.Extent{
		{Off: 0, Len: block, Data: true}, {Off: block, Len: 4 * block},
		{Off: 5 * block, Len: block, Data: true}, {Off: 6 * block, Len: 4 * block},
		{Off: 10 * block, Len: 2 * block, Data: true},
	}, list)
}

// consistentSet numbers blocks round-robin over several volumes, each write
// acknowledged before the next, while sets are taken: each must hold a prefix of
// the sequence without a gap.
func consistentSet(t *testing.T, p pool.Pool) {
	const members, slots, rounds = 4, 500, 6
	var ids []pool.VolumeID
	var devs []blockdev.Device
	for i := range members {
		v := Create(t, p, fmt.Sprint("v", i), slots*block)
		ids, devs = append(ids, v.ID), append(devs, Open(t, p, v.ID))
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan uint64)
	go func() { done <- number(ctx, devs, slots) }()
	var sets [][]pool.Volume
	for r := range rounds {
		var set []pool.Copy
		for i := range members {
			i = (i + r) % members
			set = append(set, pool.Copy{Source: ids[i], Target: pool.Spec{Name: fmt.Sprintf("s%d-%d", r, i)}})
		}
		out, err := p.Snapshot(t.Context(), set)
		require.NoError(t, err)
		sets = append(sets, rotate(out, r))
	}
	cancel()
	require.NotZero(t, <-done)
	for _, set := range sets {
		checkPrefix(t, p, set, slots)
	}
}

// rotate puts the members back in the order of their sources.
func rotate(set []pool.Volume, r int) []pool.Volume {
	out := make([]pool.Volume, len(set))
	for i, v := range set {
		out[(i+r)%len(set)] = v
	}
	return out
}

// number writes n = 1, 2, 3 ... to volume n mod members, slot n/members mod slots.
func number(ctx context.Context, devs []blockdev.Device, slots uint64) uint64 {
	members := uint64(len(devs))
	b := make([]byte, 512)
	for n := uint64(1); ; n++ {
		binary.LittleEndian.PutUint64(b, n)
		off := int64(n/members%slots) * block
		if ctx.Err() != nil || devs[n%members].WriteAt(ctx, b, off) != nil {
			return n - 1
		}
	}
}

// checkPrefix finds the highest number in the set and requires each slot to hold
// the last number that was written to it up to that one.
func checkPrefix(t *testing.T, p pool.Pool, set []pool.Volume, slots uint64) {
	t.Helper()
	members, last := uint64(len(set)), uint64(0)
	got := make([][]uint64, members)
	for i, v := range set {
		d := Open(t, p, v.ID)
		b := make([]byte, 8)
		for s := range slots {
			require.NoError(t, d.ReadAt(t.Context(), b, int64(s)*block))
			n := binary.LittleEndian.Uint64(b)
			got[i] = append(got[i], n)
			last = max(last, n)
		}
	}
	for n := max(1, int64(last)-int64(members*slots)+1); n <= int64(last); n++ {
		if have := got[uint64(n)%members][uint64(n)/members%slots]; have != uint64(n) {
			t.Fatalf("the set ends with %d but has %d where %d was written", last, have, n)
		}
	}
}
