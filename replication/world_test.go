package replication

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev/pool"
	"twinlun/replication/job"
	"twinlun/replication/pairstate"
	"twinlun/replication/store"
)

// volumeSize is that of the volumes that tests make, small because the fake pool
// keeps them in memory.
const volumeSize = 64 << 10

// world is a Service with a store and two pools that outlive it.
type world struct {
	t     *testing.T
	store store.Store
	pools []*fakePool
	svc   *Service
	wire  *wire // of svc

	mu       sync.Mutex
	exposure map[VolumeRef]int // sessions of exposed volumes
	config   func(*Config)
}

// wire stands between one life of the Service and what outlives it. When it is
// cut, as by a crash, nothing that the Service still does has an effect.
type wire struct {
	dead  atomic.Bool
	calls atomic.Int64
	// on, if set, sees each change before it is made, and after; an error
	// takes its place.
	on atomic.Pointer[watcher]
}

type watcher func(n int64, what string, after bool) error

// watch replaces what sees the changes; nil: nothing does.
func (w *wire) watch(f watcher) {
	if f == nil {
		w.on.Store(nil)
		return
	}
	w.on.Store(&f)
}

// tell asks the watcher.
func (w *wire) tell(n int64, what string, after bool) error {
	if f := w.on.Load(); f != nil {
		return (*f)(n, what, after)
	}
	return nil
}

var errDead = errors.New("the daemon is dead")

// change passes one change.
func (w *wire) change(what string, do func() error) error {
	if w.dead.Load() {
		return errDead
	}
	n := w.calls.Add(1)
	if err := w.tell(n, what, false); err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	return w.tell(n, what, true)
}

type wiredStore struct {
	store.Store
	w *wire
}

func (s wiredStore) Update(ctx context.Context, fn func(store.Tx) error) error {
	return s.w.change("store", func() error { return s.Store.Update(ctx, fn) })
}

// wiredPool passes on the changes that a Service makes to a pool.
type wiredPool struct {
	*fakePool
	w *wire
}

func (p wiredPool) Create(ctx context.Context, s pool.Spec) (v pool.Volume, err error) {
	err = p.w.change("create", func() error { v, err = p.fakePool.Create(ctx, s); return err })
	return v, err
}

func (p wiredPool) Delete(ctx context.Context, id pool.VolumeID) error {
	return p.w.change("delete", func() error { return p.fakePool.Delete(ctx, id) })
}

func (p wiredPool) Snapshot(ctx context.Context, set []pool.Copy) (v []pool.Volume, err error) {
	err = p.w.change("snapshot", func() error { v, err = p.fakePool.Snapshot(ctx, set); return err })
	return v, err
}

func (p wiredPool) RestoreSet(ctx context.Context, set []pool.Restoration) (restored, kept []pool.Volume, err error) {
	err = p.w.change("restore", func() error { restored, kept, err = p.fakePool.RestoreSet(ctx, set); return err })
	return restored, kept, err
}

func (p wiredPool) ResetSet(ctx context.Context, ids []pool.VolumeID) (v []pool.Volume, err error) {
	err = p.w.change("reset", func() error { v, err = p.fakePool.ResetSet(ctx, ids); return err })
	return v, err
}

func (p wiredPool) Hydrate(ctx context.Context, id pool.VolumeID, rate int64, f pool.Progress) error {
	if p.w.dead.Load() {
		return errDead
	}
	return p.fakePool.Hydrate(ctx, id, rate, f)
}

// newWorld makes a world whose Service has started.
func newWorld(t *testing.T, config ...func(*Config)) *world {
	t.Helper()
	w := &world{
		t: t, store: store.NewMem(), pools: []*fakePool{newFakePool("p0"), newFakePool("p1")}, exposure: map[VolumeRef]int{},
		config: func(c *Config) {
			for _, f := range config {
				f(c)
			}
		},
	}
	w.start()
	t.Cleanup(w.stop)
	return w
}

// start brings up a new Service on what is there.
func (w *world) start() {
	w.t.Helper()
	require.NoError(w.t, w.boot())
}

func (w *world) boot() error {
	w.wire = &wire{}
	cfg := Config{
		Store: wiredStore{w.store, w.wire}, Pools: []pool.Pool{wiredPool{w.pools[0], w.wire}, wiredPool{w.pools[1], w.wire}},
		Exposed: w.exposed,
	}
	w.config(&cfg)
	var err error
	w.svc, err = New(cfg)
	require.NoError(w.t, err)
	return w.svc.Start(context.Background())
}

func (w *world) stop() {
	for _, p := range w.pools {
		p.setGate(nil)
	}
	require.NoError(w.t, w.svc.Close())
}

// restart stops the Service properly and starts another.
func (w *world) restart() {
	w.t.Helper()
	require.NoError(w.t, w.svc.Close())
	w.start()
}

// crash cuts the Service off and lets it run into the void, then reboots.
func (w *world) crash() {
	w.t.Helper()
	w.wire.dead.Store(true)
	require.NoError(w.t, w.svc.Close())
	for _, p := range w.pools {
		p.reboot()
	}
	w.start()
}

func (w *world) exposed(v VolumeRef) (bool, int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, ok := w.exposure[v]
	return ok, n
}

// expose says that a volume is exposed from now on and has sessions.
func (w *world) expose(v VolumeRef, sessions int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.exposure[v] = sessions
}

// pool finds a pool by name.
func (w *world) pool(name string) *fakePool {
	for _, p := range w.pools {
		if p.name == name {
			return p
		}
	}
	w.t.Fatalf("no pool %s", name)
	return nil
}

// volume makes a volume with content of its own.
func (w *world) volume(in, name string) VolumeRef {
	w.t.Helper()
	return w.volumeOf(in, name, volumeSize)
}

func (w *world) volumeOf(in, name string, size int64) VolumeRef {
	w.t.Helper()
	v, err := w.svc.CreateVolume(context.Background(), in, pool.Spec{Name: name, Size: size})
	require.NoError(w.t, err)
	ref := VolumeRef{Pool: in, ID: v.ID}
	w.write(ref, 0, bytes.Repeat([]byte(name+" "), int(size)/(len(name)+1)))
	return ref
}

// volumes makes several volumes in the first pool.
func (w *world) volumes(names ...string) []VolumeRef {
	w.t.Helper()
	var l []VolumeRef
	for _, n := range names {
		l = append(l, w.volume("p0", n))
	}
	return l
}

// write writes as a host does.
func (w *world) write(v VolumeRef, off int64, p []byte) {
	w.t.Helper()
	require.NoError(w.t, w.tryWrite(v, off, p))
}

func (w *world) tryWrite(v VolumeRef, off int64, p []byte) error {
	d, err := w.pool(v.Pool).Open(context.Background(), v.ID)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	return d.WriteAt(context.Background(), p, off)
}

// read is the whole content of a volume.
func (w *world) read(v VolumeRef) []byte {
	w.t.Helper()
	d, err := w.pool(v.Pool).Open(context.Background(), v.ID)
	require.NoError(w.t, err)
	defer func() { _ = d.Close() }()
	p := make([]byte, d.Size())
	require.NoError(w.t, d.ReadAt(context.Background(), p, 0))
	return p
}

// allBuckets are those that a Service and its parts write.
var allBuckets = []string{bucketPairs, bucketGroups, bucketTies, bucketRequests, "jobs"}

// dump is everything that is stored: records, and volumes with their content.
func (w *world) dump() map[string]string {
	w.t.Helper()
	all := map[string]string{}
	require.NoError(w.t, w.store.View(context.Background(), func(tx store.Tx) error {
		for _, b := range allBuckets {
			if err := tx.Scan(b, "", func(k string, v []byte) error {
				all[b+"/"+k] = string(v)
				return nil
			}); err != nil {
				return err
			}
		}
		return nil
	}))
	for _, p := range w.pools {
		maps.Copy(all, p.dump())
	}
	return all
}

// dump tells of each volume its description, content, hooks and handles.
func (p *fakePool) dump() map[string]string {
	all := map[string]string{}
	p.mu.Lock()
	vols := maps.Clone(p.vols)
	p.mu.Unlock()
	for id, v := range vols {
		v.io.Lock()
		hooks, handles := len(v.hooks), v.handles
		v.io.Unlock()
		p.mu.Lock()
		all[p.name+"/"+string(id)] = fmt.Sprintf("%+v %x %d hooks %d handles", v.desc, sha256.Sum256(v.data), hooks, handles)
		p.mu.Unlock()
	}
	return all
}

// state is the state of a relationship.
func (w *world) state(id string) pairstate.State {
	w.t.Helper()
	r, err := w.svc.Relationship(context.Background(), id)
	require.NoError(w.t, err)
	return r.State
}

// eventually polls a condition until it holds; a minute is for broken code only.
func (w *world) eventually(what string, f func() bool) {
	w.t.Helper()
	require.Eventually(w.t, f, time.Minute, time.Millisecond, what)
}

// reaches waits until relationships have a copy state.
func (w *world) reaches(c pairstate.CopyState, ids ...string) {
	w.t.Helper()
	w.eventually("copy state "+c.String(), func() bool {
		for _, id := range ids {
			if r, err := w.svc.Relationship(context.Background(), id); err != nil || r.State.Copy != c {
				return false
			}
		}
		return true
	})
}

// jobEnds waits for the end of a job.
func (w *world) jobEnds(id string) job.Record {
	w.t.Helper()
	var r job.Record
	w.eventually("the end of job "+id, func() bool {
		var err error
		r, err = w.svc.Job(context.Background(), id)
		require.NoError(w.t, err)
		return r.State.Done()
	})
	return r
}

// list calls CreateList, which must succeed.
func (w *world) list(r ListRequest) Result {
	w.t.Helper()
	res, err := w.svc.CreateList(context.Background(), r)
	require.NoError(w.t, err)
	return res
}

// group calls CreateGroupFromElements, which must succeed.
func (w *world) group(r GroupRequest) Result {
	w.t.Helper()
	res, err := w.svc.CreateGroupFromElements(context.Background(), r)
	require.NoError(w.t, err)
	return res
}

// refusedWith checks that err is an *Error of a kind about a parameter.
func refusedWith(t *testing.T, err error, k Kind, param string) {
	t.Helper()
	var e *Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, k, e.Kind, "%v", e)
	require.Equal(t, param, e.Param, "%v", e)
	require.NotEmpty(t, e.Msg)
}

// gate holds hydrations until it is opened.
type gate chan struct{}

// hold makes the hydrations of a pool wait for the gate.
func (p *fakePool) hold() gate {
	g := make(gate)
	p.setGate(func(ctx context.Context, _ pool.VolumeID) error {
		select {
		case <-g:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	return g
}

// listed is all that a list of the Service has.
func listed[T any](ctx context.Context, each func(context.Context, func(T) error) error) (all []T, err error) {
	err = each(ctx, func(v T) error {
		all = append(all, v)
		return nil
	})
	return all, err
}
