package replication

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/pool"
	"twinlun/replication/pairstate"
	"twinlun/replication/store"
)

// TestOneOfTwoWins lets two requests for the same targets meet while the first
// is at work.
func TestOneOfTwoWins(t *testing.T) {
	w := newWorld(t)
	src, dst := w.volumes("a", "b"), w.volumes("x", "y")
	inside, leave := make(chan struct{}), make(chan struct{})
	w.pools[0].setFault(func(op, _ string) error {
		if op == "snapshot" {
			close(inside)
			<-leave
		}
		return nil
	})
	r := ListRequest{SyncType: pairstate.Clone, Sources: src, Targets: dst}
	var first error
	var wg sync.WaitGroup
	wg.Go(func() { _, first = w.svc.CreateList(context.Background(), r) })
	<-inside
	ctx := context.Background()
	backwards := ListRequest{SyncType: pairstate.Clone, Sources: []VolumeRef{src[1], src[0]}, Targets: []VolumeRef{dst[1], dst[0]}}
	for name, call := range map[string]func() error{
		"the same":  func() error { _, err := w.svc.CreateList(ctx, r); return err },
		"backwards": func() error { _, err := w.svc.CreateList(ctx, backwards); return err },
		"onwards": func() error {
			_, err := w.svc.CreateList(ctx, ListRequest{SyncType: pairstate.Snapshot, Sources: dst})
			return err
		},
		"delete target": func() error { return w.svc.DeleteVolume(ctx, dst[0]) },
		"delete source": func() error { return w.svc.DeleteVolume(ctx, src[0]) },
		"resize source": func() error {
			_, err := w.svc.UpdateVolume(ctx, src[0], func(*pool.Volume) error { return nil })
			return err
		},
		"group of targets": func() error { _, err := w.svc.CreateGroup(ctx, GroupSpec{Members: dst}); return err },
	} {
		require.Equal(t, KindInUse, KindOf(call()), name)
	}
	close(leave)
	wg.Wait()
	require.NoError(t, first)
	require.Len(t, w.svc.book.records(), 2)
}

func TestManyAtOnce(t *testing.T) {
	w := newWorld(t)
	src := w.volumes("a", "b", "c")
	var wg sync.WaitGroup
	var mu sync.Mutex
	var made []string
	for i := range 24 {
		wg.Go(func() {
			typ := []pairstate.SyncType{pairstate.Mirror, pairstate.Snapshot, pairstate.Clone}[i%3]
			res, err := w.svc.CreateGroupFromElements(context.Background(), GroupRequest{
				SyncType: typ, Sources: src, Wait: Wait{State: pairstate.Synchronized},
			})
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			made = append(made, res.GroupRelationship)
		})
		wg.Go(func() { _ = w.tryWrite(src[i%3], int64(i)*512, []byte("meanwhile")) })
	}
	wg.Wait()
	require.Len(t, made, 24, "sources are shared, names are made up")
	for _, id := range made {
		wg.Go(func() {
			_, err := w.svc.Modify(context.Background(), ModifyRequest{Operation: OpDissolve, ID: id, Force: true})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	require.Empty(t, w.svc.book.records())
	require.Empty(t, w.svc.claims.held)
	groups, err := listed(context.Background(), w.svc.EachGroup)
	require.NoError(t, err)
	require.Empty(t, groups)
}

func TestMadeUpNamesDoNotCollide(t *testing.T) {
	w := newWorld(t)
	a := w.volume("p0", "a")
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			_, err := w.svc.CreateList(context.Background(), ListRequest{SyncType: pairstate.Snapshot, Sources: []VolumeRef{a, a}})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	require.Len(t, w.svc.book.records(), 100)
}

func TestOnlyOneEndsAPair(t *testing.T) {
	w := newWorld(t)
	id, _, _ := w.one(pairstate.Snapshot, "a", 0)
	var wg sync.WaitGroup
	results := make([]error, 8)
	for i := range results {
		wg.Go(func() { results[i] = w.modify(OpReturnToPool, id) })
	}
	wg.Wait()
	won := 0
	for _, err := range results {
		if err == nil {
			won++
			continue
		}
		require.Contains(t, []Kind{KindInUse, KindInvalid}, KindOf(err))
	}
	require.Equal(t, 1, won)
}

// sequence writes numbers round-robin over volumes, each after the one before it
// is answered, until stop is closed.
func sequence(p pool.Pool, over []VolumeRef, written *atomic.Int64, stop <-chan struct{}) error {
	devs := make([]blockdev.Device, len(over))
	for i, v := range over {
		d, err := p.Open(context.Background(), v.ID)
		if err != nil {
			return err
		}
		defer func() { _ = d.Close() }()
		devs[i] = d
	}
	for n := 1; ; n++ {
		select {
		case <-stop:
			return nil
		default:
		}
		var b [512]byte
		binary.BigEndian.PutUint64(b[:], uint64(n))
		slots := int(devs[0].Size() / 512)
		if err := devs[n%len(devs)].WriteAt(context.Background(), b[:], int64(n/len(devs)%slots)*512); err != nil {
			return err
		}
		written.Store(int64(n))
	}
}

// last is the highest number of the sequence in volumes, if they hold a prefix of
// it: all numbers up to it that were not overwritten.
func last(p pool.Pool, in []VolumeRef) (uint64, error) {
	found := map[uint64]bool{}
	high, held := uint64(0), 0
	for _, v := range in {
		d, err := p.Open(context.Background(), v.ID)
		if err != nil {
			return 0, err
		}
		defer func() { _ = d.Close() }()
		held += int(d.Size() / 512)
		b := make([]byte, d.Size())
		if err := d.ReadAt(context.Background(), b, 0); err != nil {
			return 0, err
		}
		for i := 0; i < len(b); i += 512 {
			n := binary.BigEndian.Uint64(b[i:])
			found[n] = true
			high = max(high, n)
		}
	}
	for n := high; n > 0 && n+uint64(held-len(in)) > high; n-- {
		if !found[n] {
			return 0, fmt.Errorf("%d is there, %d is not", high, n)
		}
	}
	return high, nil
}

// prefixes makes consistent group replicas under load and checks that each is a
// prefix of what was written.
func prefixes(t *testing.T, s *Service, p pool.Pool, src []VolumeRef) {
	stop := make(chan struct{})
	var wg sync.WaitGroup
	var writing error
	var written atomic.Int64
	wg.Go(func() { writing = sequence(p, src, &written, stop) })
	var sets [][]VolumeRef
	for i := range 12 {
		seen := written.Load()
		require.Eventually(t, func() bool { return written.Load() > seen+5 }, time.Minute, time.Millisecond)
		typ := []pairstate.SyncType{pairstate.Snapshot, pairstate.Clone}[i%2]
		res, err := s.CreateGroupFromElements(context.Background(), GroupRequest{SyncType: typ, Sources: src, Consistency: SequentialConsistency})
		require.NoError(t, err)
		sets = append(sets, res.Targets)
	}
	close(stop)
	wg.Wait()
	require.NoError(t, writing)
	before := uint64(0)
	for _, set := range sets {
		n, err := last(p, set)
		require.NoError(t, err)
		require.GreaterOrEqual(t, n, before)
		before = n
	}
	require.NotZero(t, before, "nothing was written meanwhile")
}

func TestConsistentGroupIsAPrefix(t *testing.T) {
	w := newWorld(t)
	var src []VolumeRef
	for _, n := range []string{"a", "b", "c"} {
		v, err := w.svc.CreateVolume(context.Background(), "p0", pool.Spec{Name: n, Size: volumeSize})
		require.NoError(t, err)
		src = append(src, VolumeRef{"p0", v.ID})
	}
	prefixes(t, w.svc, w.pools[0], src)
}

// TestPrefixCheckCanFail shows that the check above finds a gap.
func TestPrefixCheckCanFail(t *testing.T) {
	w := newWorld(t)
	v := w.volumes("a", "b")
	for i, n := range []uint64{4, 1} { // 3 and 2 are missing
		p := make([]byte, volumeSize)
		binary.BigEndian.PutUint64(p, n)
		w.write(v[i], 0, p)
	}
	_, err := last(w.pools[0], v)
	require.Error(t, err)
}

func TestMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	w := newWorld(t, func(c *Config) { c.Registerer = reg })
	src := w.volumes("a", "b")
	w.list(ListRequest{SyncType: pairstate.Clone, Sources: src, Wait: Wait{State: pairstate.Synchronized}})
	_, err := w.svc.CreateList(context.Background(), ListRequest{})
	require.Error(t, err)
	families, err := reg.Gather()
	require.NoError(t, err)
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			key := f.GetName()
			for _, l := range m.GetLabel() {
				key += " " + l.GetValue()
			}
			got[key] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	require.EqualValues(t, 2, got["twinlun_replication_relationships Synchronized clone"], "%v", got)
	require.EqualValues(t, 2*volumeSize, got["twinlun_replication_copied_bytes_total clone"])
	require.EqualValues(t, 1, got["twinlun_replication_refused_total 5"])
	_, err = New(Config{Store: store.NewMem(), Pools: []pool.Pool{w.pools[0]}, Registerer: reg})
	require.Error(t, err, "twice on one registry")
}

func TestClaims(t *testing.T) {
	c := newClaims()
	k := nameClaim("p", "Name")
	a, b := c.hold(), c.hold()
	require.True(t, a.share(k))
	require.True(t, b.share(nameClaim("p", "NAME")))
	require.False(t, b.take(k))
	a.release()
	require.False(t, a.take(k))
	freed := c.freed()
	b.release()
	<-freed
	require.True(t, a.take(k))
	require.False(t, b.share(k))
	require.False(t, b.take(k))
	a.release()
	a.release()
	require.Empty(t, c.held)
}

func TestErrors(t *testing.T) {
	s := newWorld(t).svc
	for _, c := range []struct {
		err  error
		want Kind
	}{
		{blockdev.Errorf(blockdev.KindNoSpace, "x", "y"), KindFailed},
		{blockdev.Errorf(blockdev.KindExists, "x", "y"), KindInvalid},
		{blockdev.Errorf(blockdev.KindNotFound, "x", "y"), KindInvalid},
		{blockdev.Errorf(blockdev.KindBusy, "x", "y"), KindInUse},
		{blockdev.Errorf(blockdev.KindUnsupported, "x", "y"), KindNotSupported},
		{blockdev.Errorf(blockdev.KindIO, "x", "y"), KindFailed},
		{context.Canceled, KindTimeout},
		{errors.New("secret"), KindFailed},
		{&pairstate.Error{State: pairstate.State{Progress: pairstate.Completed}}, KindFailed},
		{&pairstate.Error{State: pairstate.State{Progress: pairstate.Synchronizing}}, KindInUse},
	} {
		err := s.failure("P", c.err)
		require.Equal(t, c.want, KindOf(err), "%v", c.err)
		require.NotContains(t, err.Error(), "secret")
	}
	require.NoError(t, s.failure("P", nil))
	late := s.failure("P", fmt.Errorf("secret: %w", context.DeadlineExceeded))
	require.ErrorIs(t, late, context.DeadlineExceeded, "where there is no return code, it is not our failure")
	require.NotContains(t, late.Error(), "secret")
}
