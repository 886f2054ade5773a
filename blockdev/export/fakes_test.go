package export

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/iscsi"
	"twinlun/blockdev/memdev"
	"twinlun/blockdev/pool"
)

var errInjected = errors.New("injected")

// trip fails the call that it is set to, counted from 1; 0 never.
type trip struct{ at, calls int }

// hit counts a call and fails it if it is the one.
func (p *trip) hit() error {
	p.calls++
	if p.calls == p.at {
		return errInjected
	}
	return nil
}

// fakeMeta is a pool.Meta in memory that outlives the Exports on it.
type fakeMeta struct {
	mu      sync.Mutex
	data    map[string][]byte // by bucket NUL key
	updates trip
	views   trip
	// cut, if set, is called after an update has been made: the crash.
	cut func()
}

func (m *fakeMeta) Update(ctx context.Context, fn func(pool.MetaTx) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := errors.Join(ctx.Err(), m.updates.hit()); err != nil {
		return err
	}
	tx := &fakeTx{data: maps.Clone(m.data)}
	if err := fn(tx); err != nil {
		return err
	}
	m.data = tx.data
	if m.cut != nil {
		m.cut()
	}
	return nil
}

func (m *fakeMeta) View(_ context.Context, fn func(pool.MetaTx) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.views.hit(); err != nil {
		return err
	}
	return fn(&fakeTx{data: m.data})
}

type fakeTx struct{ data map[string][]byte }

func (tx *fakeTx) Get(bucket, key string) ([]byte, error) { return tx.data[bucket+"\x00"+key], nil }

func (tx *fakeTx) Put(bucket, key string, value []byte) error {
	if tx.data == nil {
		tx.data = map[string][]byte{}
	}
	tx.data[bucket+"\x00"+key] = bytes.Clone(value)
	return nil
}

func (tx *fakeTx) Delete(bucket, key string) error {
	delete(tx.data, bucket+"\x00"+key)
	return nil
}

func (tx *fakeTx) Scan(bucket, prefix string, fn func(string, []byte) error) error {
	for _, k := range slices.Sorted(maps.Keys(tx.data)) {
		b, key, _ := strings.Cut(k, "\x00")
		if b == bucket && strings.HasPrefix(key, prefix) {
			if err := fn(key, tx.data[k]); err != nil {
				return err
			}
		}
	}
	return nil
}

// fakePool holds volumes in memory and counts open handles.
type fakePool struct {
	mu      sync.Mutex
	volumes map[pool.VolumeID]pool.Volume
	open    map[pool.VolumeID]int
	opens   trip
}

func (p *fakePool) Get(_ context.Context, id pool.VolumeID) (pool.Volume, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	v, has := p.volumes[id]
	if !has {
		return v, blockdev.Errorf(blockdev.KindNotFound, "get volume", "%s", id)
	}
	return v, nil
}

func (p *fakePool) Open(_ context.Context, id pool.VolumeID) (blockdev.Device, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	v, has := p.volumes[id]
	if !has {
		return nil, blockdev.Errorf(blockdev.KindNotFound, "open volume", "%s", id)
	}
	if err := p.opens.hit(); err != nil {
		return nil, blockdev.Wrap(blockdev.KindIO, "open volume", err)
	}
	p.open[id]++
	return &handle{Device: memdev.New(v.Size), pool: p, id: id}, nil
}

// handle tells its pool of its Close.
type handle struct {
	blockdev.Device
	pool *fakePool
	id   pool.VolumeID
	once sync.Once
}

func (h *handle) Close() error {
	h.once.Do(func() {
		h.pool.mu.Lock()
		defer h.pool.mu.Unlock()
		h.pool.open[h.id]--
	})
	return h.Device.Close()
}

// handles is how many handles are open.
func (p *fakePool) handles() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, k := range p.open {
		n += k
	}
	return n
}

// fakeTargets is a TargetServer that serves nobody.
type fakeTargets struct {
	mu       sync.Mutex
	targets  map[string]iscsi.Target
	sessions []iscsi.SessionInfo
	adds     trip
	accesses trip
	removes  trip
	removing func(ctx context.Context) error
}

func (s *fakeTargets) AddTarget(t iscsi.Target) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.adds.hit(); err != nil {
		return err
	}
	if _, has := s.targets[t.Name]; has {
		return blockdev.Errorf(blockdev.KindExists, "add target", "%s", t.Name)
	}
	s.targets[t.Name] = t
	return nil
}

func (s *fakeTargets) SetAccess(name string, initiators []string, chap *iscsi.CHAP) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.accesses.hit(); err != nil {
		return err
	}
	t, has := s.targets[name]
	if !has {
		return blockdev.Errorf(blockdev.KindNotFound, "set access", "%s", name)
	}
	t.Initiators, t.CHAP = slices.Clone(initiators), chap
	s.targets[name] = t
	return nil
}

func (s *fakeTargets) RemoveTarget(ctx context.Context, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, has := s.targets[name]; !has {
		return blockdev.Errorf(blockdev.KindNotFound, "remove target", "%s", name)
	}
	delete(s.targets, name)
	if s.removing != nil {
		return s.removing(ctx)
	}
	return s.removes.hit()
}

func (s *fakeTargets) Sessions() []iscsi.SessionInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.sessions)
}

// names lists the targets that are served.
func (s *fakeTargets) names() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.targets))
}

const (
	prefix = "iqn.2026-11.dev.twinlun"
	secret = "a-secret-of-ours"
	hostA  = "iqn.1994-05.com.example:a"
	hostB  = "iqn.1994-05.com.example:b"
)

// rig is an Exports with its surroundings.
type rig struct {
	*Exports
	t       *testing.T
	meta    *fakeMeta
	pool    *fakePool
	targets *fakeTargets
	log     *bytes.Buffer
	now     time.Time
}

// newRig makes a pool "p" of the named volumes and an Exports over it.
func newRig(t *testing.T, volumes ...string) *rig {
	r := &rig{t: t, meta: &fakeMeta{}, log: &bytes.Buffer{}, now: time.Date(2026, 11, 22, 1, 2, 3, 4, time.UTC)}
	r.pool = &fakePool{volumes: map[pool.VolumeID]pool.Volume{}, open: map[pool.VolumeID]int{}}
	for _, name := range volumes {
		v := pool.Volume{ID: ref(name).ID, Pool: "p", Name: name, Size: 1 << 20}
		r.pool.volumes[v.ID] = v
	}
	r.restart()
	return r
}

// ref is the reference of a volume of newRig.
func ref(name string) VolumeRef {
	id := []byte("602544c0000000000000000000000000")
	const digits = "0123456789abcdef"
	for i, c := range []byte(name) {
		id[16+2*i%16], id[17+2*i%16] = digits[c>>4], digits[c&15]
	}
	return VolumeRef{Pool: "p", ID: pool.VolumeID(id)}
}

// restart begins a new process on what is stored: nothing is open, nothing is
// served, nothing is restored yet.
func (r *rig) restart() {
	r.targets = &fakeTargets{targets: map[string]iscsi.Target{}}
	r.pool.mu.Lock()
	r.pool.open = map[pool.VolumeID]int{}
	r.pool.mu.Unlock()
	x, err := New(Config{
		Meta: r.meta, Targets: r.targets, IQNPrefix: prefix,
		Pool:   func(name string) (Volumes, bool) { return r.pool, name == "p" },
		Logger: slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Time:   func() time.Time { return r.now },
	})
	require.NoError(r.t, err)
	r.Exports = x
}

// expose exposes a volume that must be exposable.
func (r *rig) expose(name string, initiators ...string) Export {
	r.t.Helper()
	e, err := r.Expose(r.t.Context(), Request{Volume: ref(name), Initiators: initiators})
	require.NoError(r.t, err)
	return e
}

// listed are the targets that Exports shows.
func (r *rig) listed() (names []string) {
	r.t.Helper()
	list, err := r.Exports.Exports(r.t.Context())
	require.NoError(r.t, err)
	for _, e := range list {
		names = append(names, e.Target)
	}
	return names
}

// requireKind checks a failure.
func requireKind(t *testing.T, k blockdev.Kind, err error) {
	t.Helper()
	var e *blockdev.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, k.String(), e.Kind.String(), "%v", err)
	require.NotContains(t, err.Error(), secret)
}
