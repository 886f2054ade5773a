package replication

import (
	"bytes"
	"context"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/pool"
	"twinlun/replication/job"
	"twinlun/replication/pairstate"
	"twinlun/replication/store"
)

// poolMeta lets a pool keep its records in the store, as the daemon does.
type poolMeta struct{ store.Store }

func (m poolMeta) Update(ctx context.Context, fn func(pool.MetaTx) error) error {
	return m.Store.Update(ctx, func(tx store.Tx) error { return fn(tx) })
}

func (m poolMeta) View(ctx context.Context, fn func(pool.MetaTx) error) error {
	return m.Store.View(ctx, func(tx store.Tx) error { return fn(tx) })
}

// real is a Service on a bbolt store and a pool of layer files.
type real struct {
	t     *testing.T
	dir   string
	store store.Store
	pool  *pool.LayerPool
	svc   *Service
}

func newReal(t *testing.T) *real {
	r := &real{t: t, dir: t.TempDir()}
	r.open()
	t.Cleanup(r.close)
	return r
}

func (r *real) open() {
	r.t.Helper()
	var err error
	r.store, err = store.Open(filepath.Join(r.dir, "db"), store.Options{})
	require.NoError(r.t, err)
	r.pool, err = pool.Open(context.Background(), pool.Config{Dir: filepath.Join(r.dir, "pool"), Name: "main", Meta: poolMeta{r.store}})
	require.NoError(r.t, err)
	r.svc, err = New(Config{Store: r.store, Pools: []pool.Pool{r.pool}})
	require.NoError(r.t, err)
	require.NoError(r.t, r.svc.Start(context.Background()))
}

func (r *real) close() {
	require.NoError(r.t, r.svc.Close())
	require.NoError(r.t, r.pool.Close())
	require.NoError(r.t, r.store.Close())
}

func (r *real) volume(name string, content []byte) VolumeRef {
	r.t.Helper()
	v, err := r.svc.CreateVolume(context.Background(), "", pool.Spec{Name: name, Size: 1 << 20})
	require.NoError(r.t, err)
	ref := VolumeRef{Pool: "main", ID: v.ID}
	require.NoError(r.t, r.write(ref, content))
	return ref
}

func (r *real) write(v VolumeRef, content []byte) error {
	d, err := r.pool.Open(context.Background(), v.ID)
	require.NoError(r.t, err)
	defer func() { require.NoError(r.t, d.Close()) }()
	return d.WriteAt(context.Background(), content, 0)
}

func (r *real) read(v VolumeRef, n int) []byte {
	r.t.Helper()
	d, err := r.pool.Open(context.Background(), v.ID)
	require.NoError(r.t, err)
	defer func() { require.NoError(r.t, d.Close()) }()
	p := make([]byte, n)
	require.NoError(r.t, d.ReadAt(context.Background(), p, 0))
	return p
}

func TestAllTypesOnLayers(t *testing.T) {
	r := newReal(t)
	ctx := context.Background()
	old, fresh := bytes.Repeat([]byte("old."), 5000), bytes.Repeat([]byte("new."), 5000)
	a, b := r.volume("a", old), r.volume("b", old)
	made := map[pairstate.SyncType]Result{}
	for _, typ := range []pairstate.SyncType{pairstate.Mirror, pairstate.Snapshot, pairstate.Clone} {
		res, err := r.svc.CreateGroupFromElements(ctx, GroupRequest{
			SyncType: typ, Sources: []VolumeRef{a, b}, RelationshipName: typ.String(), Wait: Wait{State: pairstate.Synchronized},
		})
		require.NoError(t, err)
		require.Empty(t, res.Job)
		made[typ] = res
	}
	require.NoError(t, r.write(a, fresh))
	check := func() {
		t.Helper()
		require.Equal(t, fresh, r.read(made[pairstate.Mirror].Targets[0], len(fresh)))
		require.Equal(t, old, r.read(made[pairstate.Mirror].Targets[1], len(old)))
		for _, typ := range []pairstate.SyncType{pairstate.Snapshot, pairstate.Clone} {
			require.Equal(t, old, r.read(made[typ].Targets[0], len(old)))
		}
	}
	check()
	r.close()
	r.open()
	check()
	err := r.write(made[pairstate.Mirror].Targets[0], []byte("x"))
	require.True(t, blockdev.Is(err, blockdev.KindReadOnly), "%v", err)
	_, err = r.svc.Modify(ctx, ModifyRequest{Operation: OpReturnToPool, ID: made[pairstate.Snapshot].GroupRelationship})
	require.NoError(t, err)
	_, err = r.svc.Modify(ctx, ModifyRequest{Operation: OpDetach, ID: made[pairstate.Clone].GroupRelationship})
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		tie, err := r.svc.GroupRelationship(ctx, made[pairstate.Mirror].GroupRelationship)
		return err == nil && tie.State.Copy == pairstate.Synchronized
	}, time.Minute, time.Millisecond)
	_, err = r.svc.Modify(ctx, ModifyRequest{Operation: OpDissolve, ID: made[pairstate.Mirror].GroupRelationship})
	require.NoError(t, err)
	vols, err := listed(ctx, r.svc.EachVolume)
	require.NoError(t, err)
	require.Len(t, vols, 6)
	for _, v := range vols {
		require.NoError(t, r.svc.DeleteVolume(ctx, VolumeRef{"main", v.ID}), v.Name)
	}
}

func TestInactiveAndIntoOnLayers(t *testing.T) {
	r := newReal(t)
	ctx := context.Background()
	content := bytes.Repeat([]byte("data"), 3000)
	a, into := r.volume("a", content), r.volume("into", []byte("to be replaced"))
	res, err := r.svc.CreateList(ctx, ListRequest{SyncType: pairstate.Snapshot, Sources: []VolumeRef{a}, Wait: Wait{State: pairstate.Inactive}})
	require.NoError(t, err)
	_, err = r.svc.Modify(ctx, ModifyRequest{Operation: OpActivate, ID: res.Relationships[0]})
	require.NoError(t, err)
	require.Equal(t, content, r.read(res.Targets[0], len(content)))
	res, err = r.svc.CreateList(ctx, ListRequest{SyncType: pairstate.Clone, Sources: []VolumeRef{a}, Targets: []VolumeRef{into}})
	require.NoError(t, err)
	if res.Job != "" {
		require.Eventually(t, func() bool {
			j, err := r.svc.Job(ctx, res.Job)
			return err == nil && j.State == job.Completed
		}, time.Minute, time.Millisecond)
	}
	require.Equal(t, content, r.read(into, len(content)))
	require.NoError(t, r.write(into, []byte("mine")))
	rel, err := r.svc.Relationship(ctx, res.Relationships[0])
	require.NoError(t, err)
	require.Equal(t, pairstate.Skewed, rel.State.Copy)
}

func TestConsistentGroupIsAPrefixOnLayers(t *testing.T) {
	r := newReal(t)
	var src []VolumeRef
	for _, n := range []string{"a", "b", "c"} {
		v, err := r.svc.CreateVolume(context.Background(), "", pool.Spec{Name: n, Size: volumeSize})
		require.NoError(t, err)
		src = append(src, VolumeRef{"main", v.ID})
	}
	prefixes(t, r.svc, r.pool, src)
}

// TestSnapshotOfBothSidesOfAMirror stops the writes of a mirror's source and
// target together while hosts write: neither may wait for the other.
func TestSnapshotOfBothSidesOfAMirror(t *testing.T) {
	r := newReal(t)
	ctx := context.Background()
	a, b := r.volume("a", []byte("a")), r.volume("b", []byte("b"))
	mirrors, err := r.svc.CreateList(ctx, ListRequest{SyncType: pairstate.Mirror, Sources: []VolumeRef{a, b}, Wait: Wait{State: pairstate.Synchronized}})
	require.NoError(t, err)
	stop := make(chan struct{})
	var written atomic.Int64
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := sequence(r.pool, []VolumeRef{a, b}, &written, stop); err != nil {
				t.Error(err)
			}
		})
	}
	for range 4 {
		seen := written.Load()
		require.Eventually(t, func() bool { return written.Load() != seen }, time.Minute, time.Millisecond)
		_, err := r.svc.CreateList(ctx, ListRequest{
			SyncType: pairstate.Snapshot, Consistency: SequentialConsistency,
			Sources: []VolumeRef{mirrors.Targets[0], a, b, mirrors.Targets[1]},
		})
		require.NoError(t, err)
	}
	close(stop)
	wg.Wait()
}
