package pooltest

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/devtest"
	"twinlun/blockdev/pool"
)

// Factory gives an empty pool for each call; the suite does not close it.
type Factory func(t *testing.T) pool.Pool

const (
	block = blockdev.BlockSize
	size  = 4 << 20 // of the suite's volumes
)

// Run tests that pools of the factory do what pool.Pool promises, several at a time.
func Run(t *testing.T, open Factory) {
	for _, c := range []struct {
		name string
		run  func(t *testing.T, p pool.Pool)
	}{
		{"CreateAndList", createAndList},
		{"Refusals", refusals},
		{"Update", update},
		{"GrowInUse", growInUse},
		{"DeleteInUse", deleteInUse},
		{"SnapshotIsExact", snapshotIsExact},
		{"SnapshotRefusals", snapshotRefusals},
		{"SnapshotLarger", snapshotLarger},
		{"SnapshotInto", snapshotInto},
		{"DeepChain", deepChain},
		{"Hydrate", hydrate},
		{"HydrateProgress", hydrateProgress},
		{"ZeroHidesTheParent", zeroHides},
		{"HooksSeeChanges", hooksSeeChanges},
		{"AttachWaits", attachWaits},
		{"DetachWaits", detachWaits},
		{"HookUnderSnapshot", hookUnderSnapshot},
		{"ConsistentSet", consistentSet},
		{"Restore", restore},
		{"RestoreRefusals", restoreRefusals}, {"RestoreSet", restoreSet}, {"ResetSet", resetSet},
		{"Reset", reset},
		{"ChangedIsExact", changedIsExact},
		{"ChangedInParts", changedInParts},
		{"ChangedRefusals", changedRefusals},
		{"Info", info},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel() // most of the time is the disk's
			c.run(t, open(t))
		})
	}
	t.Run("Device", func(t *testing.T) {
		t.Parallel()
		devtest.Run(t, newDevice(open, plain))
	})
	t.Run("SnapshotDevice", func(t *testing.T) {
		t.Parallel()
		devtest.Run(t, newDevice(open, snapshotOf))
	})
}

// newDevice makes the factory of the device suite.
func newDevice(open Factory, make func(t *testing.T, p pool.Pool) pool.VolumeID) devtest.Factory {
	return func(t *testing.T) blockdev.Device {
		p := open(t)
		return Open(t, p, make(t, p))
	}
}

func plain(t *testing.T, p pool.Pool) pool.VolumeID { return Create(t, p, "v", size).ID }

// snapshotOf is a snapshot of an empty volume.
func snapshotOf(t *testing.T, p pool.Pool) pool.VolumeID {
	return Snap(t, p, Create(t, p, "v", size).ID, "s").ID
}

// Create makes a volume.
func Create(t testing.TB, p pool.Pool, name string, size int64) pool.Volume {
	t.Helper()
	v, err := p.Create(t.Context(), pool.Spec{Name: name, Size: size})
	require.NoError(t, err)
	return v
}

// Open opens a volume until the test ends.
func Open(t testing.TB, p pool.Pool, id pool.VolumeID) blockdev.Device {
	t.Helper()
	d, err := p.Open(t.Context(), id)
	require.NoError(t, err)
	t.Cleanup(func() { d.Close() })
	return d
}

// Snap takes a snapshot of one volume.
func Snap(t testing.TB, p pool.Pool, source pool.VolumeID, name string) pool.Volume {
	t.Helper()
	out, err := p.Snapshot(t.Context(), []pool.Copy{{Source: source, Target: pool.Spec{Name: name}}})
	require.NoError(t, err)
	require.Len(t, out, 1)
	return out[0]
}

// Fill is n bytes that differ from block to block and from seed to seed.
func Fill(seed byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = seed ^ byte(i>>12)*7 ^ byte(i) | 1
	}
	return b
}

// Write stores p.
func Write(t testing.TB, d blockdev.Device, p []byte, off int64) {
	t.Helper()
	require.NoError(t, d.WriteAt(context.Background(), p, off))
}

// Holds fails the test unless d has want at off.
func Holds(t testing.TB, d blockdev.Device, want []byte, off int64) {
	t.Helper()
	got := make([]byte, len(want))
	require.NoError(t, d.ReadAt(context.Background(), got, off))
	if !bytes.Equal(got, want) {
		for i := range got {
			if got[i] != want[i] {
				t.Fatalf("byte %d is 0x%02x, want 0x%02x", off+int64(i), got[i], want[i])
			}
		}
	}
}

// kind fails the test unless err is of kind k.
func kind(t *testing.T, k blockdev.Kind, err error) {
	t.Helper()
	require.Error(t, err)
	require.Equal(t, k.String(), blockdev.KindOf(err).String(), "%v", err)
}

func createAndList(t *testing.T, p pool.Pool) {
	b, err := p.Create(t.Context(), pool.Spec{Name: "beta", Size: size, Labels: map[string]string{"k": "v"}})
	require.NoError(t, err)
	Create(t, p, "Alpha", 512)
	require.NoError(t, pool.ValidID(b.ID))
	require.Equal(t, p.Name(), b.Pool)
	require.False(t, b.Dependent)
	got, err := p.Get(t.Context(), b.ID)
	require.NoError(t, err)
	require.Equal(t, b, got)
	list, err := p.List(t.Context())
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.Equal(t, []string{"Alpha", "beta"}, []string{list[0].Name, list[1].Name})
	if w, ok := p.(pool.Walker); ok {
		walked(t, p, w, list)
	}
	if n, ok := p.(pool.Namer); ok {
		names, err := n.Names(t.Context())
		require.NoError(t, err)
		require.ElementsMatch(t, []string{"alpha", "beta"}, names)
		for name, there := range map[string]bool{"alpha": true, "BETA": true, "alph": false, "": false} {
			is, err := n.Named(t.Context(), name)
			require.NoError(t, err)
			require.Equal(t, there, is, name)
		}
	}
	require.Equal(t, map[string]string{"k": "v"}, list[1].Labels)
	Holds(t, Open(t, p, b.ID), make([]byte, size), 0)
	require.NoError(t, p.Delete(t.Context(), list[0].ID))
	_, err = p.Get(t.Context(), list[0].ID)
	kind(t, blockdev.KindNotFound, err)
}

// walked checks Walk against List: volumes that change while it stands still.
func walked(t *testing.T, p pool.Pool, w pool.Walker, list []pool.Volume) {
	n, err := w.Count(t.Context())
	require.NoError(t, err)
	require.Equal(t, len(list), n)
	var seen []pool.VolumeID
	stop := errors.New("stop")
	err = w.Walk(t.Context(), func(v pool.Volume) error {
		if len(seen) == 0 {
			_, err := p.Create(t.Context(), pool.Spec{Name: "zeta", Size: size})
			require.NoError(t, err)
			_, err = p.Update(t.Context(), list[1].ID, func(v *pool.Volume) error { v.Name = "aaa"; return nil })
			require.NoError(t, err)
		}
		seen = append(seen, v.ID)
		if len(seen) == 2 {
			require.Equal(t, "aaa", v.Name, "as it is when its turn comes")
			require.NoError(t, p.Delete(t.Context(), named(t, p, "zeta").ID))
		}
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, []pool.VolumeID{list[0].ID, list[1].ID}, seen)
	_, err = p.Update(t.Context(), list[1].ID, func(v *pool.Volume) error { v.Name = list[1].Name; return nil })
	require.NoError(t, err)
	require.ErrorIs(t, w.Walk(t.Context(), func(pool.Volume) error { return stop }), stop)
}

func named(t *testing.T, p pool.Pool, name string) pool.Volume {
	list, err := p.List(t.Context())
	require.NoError(t, err)
	i := slices.IndexFunc(list, func(v pool.Volume) bool { return v.Name == name })
	require.GreaterOrEqual(t, i, 0)
	return list[i]
}

func refusals(t *testing.T, p pool.Pool) {
	v := Create(t, p, "one", size)
	for name, c := range map[string]struct {
		spec pool.Spec
		want blockdev.Kind
	}{
		"no name":     {pool.Spec{Size: size}, blockdev.KindInvalid},
		"no size":     {pool.Spec{Name: "x"}, blockdev.KindInvalid},
		"half sector": {pool.Spec{Name: "x", Size: 700}, blockdev.KindInvalid},
		"negative":    {pool.Spec{Name: "x", Size: -512}, blockdev.KindInvalid},
		"name taken":  {pool.Spec{Name: "ONE", Size: size}, blockdev.KindExists},
		"id taken":    {pool.Spec{Name: "x", Size: size, ID: v.ID}, blockdev.KindExists},
		"bad id":      {pool.Spec{Name: "x", Size: size, ID: "6"}, blockdev.KindInvalid},
	} {
		_, err := p.Create(t.Context(), c.spec)
		require.Equal(t, c.want.String(), blockdev.KindOf(err).String(), name)
	}
	_, err := p.Open(t.Context(), "nobody")
	kind(t, blockdev.KindNotFound, err)
	kind(t, blockdev.KindNotFound, p.Delete(t.Context(), "nobody"))
	list, err := p.List(t.Context())
	require.NoError(t, err)
	require.Len(t, list, 1)
}

func update(t *testing.T, p pool.Pool) {
	v := Create(t, p, "one", size)
	Create(t, p, "two", size)
	got, err := p.Update(t.Context(), v.ID, func(v *pool.Volume) error {
		v.Name, v.Labels, v.ID, v.Pool = "uno", map[string]string{"a": "b"}, "other", "other"
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, "uno", got.Name)
	require.Equal(t, v.ID, got.ID)
	require.Equal(t, map[string]string{"a": "b"}, got.Labels)
	Create(t, p, "one", size) // free again
	for want, f := range map[blockdev.Kind]func(*pool.Volume) error{
		blockdev.KindExists:   func(v *pool.Volume) error { v.Name = "two"; return nil },
		blockdev.KindInvalid:  func(v *pool.Volume) error { v.Size -= 512; return nil },
		blockdev.KindReadOnly: func(*pool.Volume) error { return blockdev.Errorf(blockdev.KindReadOnly, "f", "no") },
	} {
		_, err = p.Update(t.Context(), v.ID, f)
		kind(t, want, err)
	}
	again, err := p.Get(t.Context(), v.ID)
	require.NoError(t, err)
	require.Equal(t, got, again)
}

func growInUse(t *testing.T, p pool.Pool) {
	v := Create(t, p, "one", 5*512)
	d := Open(t, p, v.ID)
	Write(t, d, Fill(1, 5*512), 0)
	s := Snap(t, p, v.ID, "snap")
	_, err := p.Update(t.Context(), v.ID, func(v *pool.Volume) error { v.Size = size; return nil })
	require.NoError(t, err)
	require.EqualValues(t, size, d.Size())
	Holds(t, d, append(Fill(1, 5*512), make([]byte, size-5*512)...), 0)
	Write(t, d, Fill(2, 3*block), size-3*block)
	Holds(t, d, Fill(2, 3*block), size-3*block)
	require.EqualValues(t, 5*512, Open(t, p, s.ID).Size())
}

func deleteInUse(t *testing.T, p pool.Pool) {
	v := Create(t, p, "one", size)
	d, err := p.Open(t.Context(), v.ID)
	require.NoError(t, err)
	kind(t, blockdev.KindBusy, p.Delete(t.Context(), v.ID))
	require.NoError(t, d.Close())
	detach, err := p.Attach(t.Context(), v.ID, hookFunc(pass))
	require.NoError(t, err)
	kind(t, blockdev.KindBusy, p.Delete(t.Context(), v.ID))
	detach()
	detach()
	require.NoError(t, p.Delete(t.Context(), v.ID))
}

func info(t *testing.T, p pool.Pool) {
	v := Create(t, p, "one", size)
	Create(t, p, "two", 2*size)
	d := Open(t, p, v.ID)
	Write(t, d, Fill(1, 64*block), 0)
	require.NoError(t, d.Flush(t.Context()))
	i, err := p.Info(t.Context())
	require.NoError(t, err)
	require.Equal(t, p.Name(), i.Name)
	require.Equal(t, 2, i.Volumes)
	require.EqualValues(t, 3*size, i.Provisioned)
	require.GreaterOrEqual(t, i.Allocated, int64(64*block))
	require.Greater(t, i.Total, i.Free)
}
