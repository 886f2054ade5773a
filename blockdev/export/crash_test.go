package export

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/pool"
)

// TestExposeFailsAtEachStep has each step of a first Expose fail in turn: nothing
// of it remains, neither now nor after a restart, and the next try succeeds.
func TestExposeFailsAtEachStep(t *testing.T) {
	for name, step := range map[string]func(r *rig){
		"store":      func(r *rig) { r.meta.updates.at = 1 },
		"open":       func(r *rig) { r.pool.opens.at = 1 },
		"add target": func(r *rig) { r.targets.adds.at = 1 },
		"bad id": func(r *rig) {
			v := r.pool.volumes[ref("v").ID]
			v.Size = 0 // no unit can be made of it
			r.pool.volumes[v.ID] = v
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, "v")
			step(r)
			_, err := r.Expose(t.Context(), Request{Volume: ref("v")})
			var e *blockdev.Error
			require.ErrorAs(t, err, &e)
			require.Empty(t, r.listed())
			require.Empty(t, r.targets.names())
			require.Empty(t, r.meta.data)
			require.Zero(t, r.pool.handles())

			r.restart()
			require.NoError(t, r.Restore(t.Context()))
			require.Empty(t, r.targets.names())
			v := r.pool.volumes[ref("v").ID]
			v.Size = 1 << 20
			r.pool.volumes[v.ID] = v
			r.expose("v")
		})
	}
}

// TestUndoFails has the store fail also when what it stored is taken back: the
// log says so, and the record is served at the next start.
func TestUndoFails(t *testing.T) {
	r := newRig(t, "v")
	r.targets.adds.at, r.meta.updates.at = 1, 2
	_, err := r.Expose(t.Context(), Request{Volume: ref("v")})
	requireKind(t, blockdev.KindInternal, err)
	require.Contains(t, r.log.String(), "undo")
	require.Empty(t, r.listed())
	r.restart()
	require.NoError(t, r.Restore(t.Context()))
	require.Len(t, r.targets.names(), 1)
}

func TestChangeFailsAtEachStep(t *testing.T) {
	for name, step := range map[string]func(r *rig){
		"store":      func(r *rig) { r.meta.updates.at = r.meta.updates.calls + 1 },
		"set access": func(r *rig) { r.targets.accesses.at = 1 },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, "v")
			before := r.expose("v", hostA)
			stored := r.meta.data
			for what, change := range map[string]func() error{
				"add": func() error {
					_, err := r.Expose(t.Context(), Request{Volume: ref("v"), Initiators: []string{hostB}})
					return err
				},
				"user": func() error {
					_, err := r.Expose(t.Context(), Request{Volume: ref("v"), User: "joe", Secret: secret})
					return err
				},
			} {
				r.targets.accesses = trip{}
				step(r)
				requireKind(t, blockdev.KindInternal, change())
				after, err := r.Export(t.Context(), ref("v"))
				require.NoError(t, err)
				require.Equal(t, before, after, what)
				require.Equal(t, stored, r.meta.data, what)
				require.Equal(t, []string{hostA}, r.targets.targets[before.Target].Initiators)
			}
		})
	}
}

func TestHideFailsInStore(t *testing.T) {
	r := newRig(t, "v")
	e := r.expose("v", hostA)
	r.meta.updates.at = r.meta.updates.calls + 1
	requireKind(t, blockdev.KindInternal, r.Hide(t.Context(), ref("v"), nil))
	require.Equal(t, []string{e.Target}, r.listed(), "it is still exposed")
	require.Equal(t, []string{e.Target}, r.targets.names())
	require.Equal(t, 1, r.pool.handles())
	require.NoError(t, r.Hide(t.Context(), ref("v"), nil))
}

// TestKilledAfterEachUpdate ends the process right after each transaction of
// Expose and of Hide: the next start finishes what was stored.
func TestKilledAfterEachUpdate(t *testing.T) {
	r := newRig(t, "v")
	killed := func(do func()) {
		defer func() { require.Equal(t, "killed", recover()) }()
		r.meta.cut = func() { panic("killed") }
		do()
	}
	killed(func() { _, _ = r.Expose(context.Background(), Request{Volume: ref("v"), Initiators: []string{hostA}}) })
	require.Empty(t, r.targets.names())
	r.meta.cut = nil
	r.restart()
	require.NoError(t, r.Restore(t.Context()))
	require.Equal(t, []string{prefix + ":v"}, r.targets.names())
	require.Equal(t, []string{hostA}, r.targets.targets[prefix+":v"].Initiators)

	killed(func() { _ = r.Hide(context.Background(), ref("v"), nil) })
	require.Len(t, r.targets.names(), 1, "killed before the target went")
	r.meta.cut = nil
	r.restart()
	require.NoError(t, r.Restore(t.Context()))
	require.Empty(t, r.targets.names())
}

func TestRestoreDropsVolumesThatAreGone(t *testing.T) {
	r := newRig(t, "a", "b")
	r.expose("a")
	r.expose("b")
	delete(r.pool.volumes, ref("a").ID)
	r.restart()
	require.NoError(t, r.Restore(t.Context()))
	require.Equal(t, []string{prefix + ":b"}, r.listed())
	require.Len(t, r.meta.data, 1)
	require.Contains(t, r.log.String(), "gone")
}

// TestRestoreKeepsWhatItCannotServe has one volume that cannot be opened and one
// whose pool is not there: both keep their records, secrets and names.
func TestRestoreKeepsWhatItCannotServe(t *testing.T) {
	r := newRig(t, "a", "b", "c")
	_, err := r.Expose(t.Context(), Request{Volume: ref("a"), Initiators: []string{hostA}, User: "joe", Secret: secret})
	require.NoError(t, err)
	r.expose("b")
	r.restart()
	r.pool.opens.at = r.pool.opens.calls + 1
	requireKind(t, blockdev.KindIO, r.Restore(t.Context()))
	require.Equal(t, []string{prefix + ":a", prefix + ":b"}, r.listed())
	require.Equal(t, []string{prefix + ":b"}, r.targets.names(), "the others are served")
	require.Len(t, r.meta.data, 2)

	requireKind(t, blockdev.KindInvalid, r.Hide(t.Context(), ref("b"), []string{hostA}))
	_, err = r.Expose(t.Context(), Request{Volume: ref("a"), Initiators: []string{hostB}})
	require.NoError(t, err)
	target := r.targets.targets[prefix+":a"]
	require.Equal(t, []string{hostA, hostB}, target.Initiators)
	require.Equal(t, secret, target.CHAP.Secret, "exposing it again does not lose the credentials")
	require.Equal(t, 2, r.pool.handles())
}

func TestHideWhatIsNotServed(t *testing.T) {
	r := newRig(t, "a")
	r.expose("a", hostA, hostB)
	r.restart()
	x, err := New(Config{
		Meta: r.meta, Targets: r.targets, IQNPrefix: prefix, Logger: r.cfg.Logger,
		Pool: func(string) (Volumes, bool) { return nil, false },
	})
	require.NoError(t, err)
	r.Exports = x
	requireKind(t, blockdev.KindNotFound, r.Restore(t.Context()))
	require.Equal(t, []string{prefix + ":a"}, r.listed(), "its pool may come back")
	require.NoError(t, r.Hide(t.Context(), ref("a"), []string{hostA}))
	e, err := r.Export(t.Context(), ref("a"))
	require.NoError(t, err)
	require.Equal(t, []string{hostB}, e.Initiators)
	require.NoError(t, r.Hide(t.Context(), ref("a"), nil))
	require.Empty(t, r.meta.data)
}

func TestDamagedRecords(t *testing.T) {
	r := newRig(t, "a")
	r.expose("a")
	require.NoError(t, r.meta.Update(t.Context(), func(tx pool.MetaTx) error {
		if err := tx.Put(bucket, "junk", []byte("{")); err != nil {
			return err
		}
		return tx.Put(bucket, "moved", []byte(`{"volume":{"pool":"p","id":"6"}}`))
	}))
	r.restart()
	require.NoError(t, r.Restore(t.Context()))
	require.Equal(t, []string{prefix + ":a"}, r.targets.names())
	require.Contains(t, r.log.String(), "junk")
	require.Contains(t, r.log.String(), "moved")
	require.Len(t, r.meta.data, 3, "nothing is thrown away")
}

func TestRestoreCannotRead(t *testing.T) {
	r := newRig(t, "a")
	r.meta.views.at = 1
	requireKind(t, blockdev.KindInternal, r.Restore(t.Context()))
}

// TestLoad: before anything is served it is known what is exposed, so that nobody
// deletes it meanwhile.
func TestLoad(t *testing.T) {
	r := newRig(t, "v")
	r.expose("v")
	r.restart()
	exposed, _ := r.Exposed(ref("v"))
	require.False(t, exposed)
	require.NoError(t, r.Load(t.Context()))
	exposed, sessions := r.Exposed(ref("v"))
	require.True(t, exposed)
	require.Zero(t, sessions)
	require.Empty(t, r.targets.names(), "nothing is served yet")
	require.NoError(t, r.Restore(t.Context()))
	require.Len(t, r.targets.names(), 1)
	require.NoError(t, r.Load(t.Context()))
	require.Len(t, r.targets.names(), 1)
	r.meta.views.at = r.meta.views.calls + 1
	requireKind(t, blockdev.KindInternal, r.Load(t.Context()))
}
