package job

import (
	"bytes"
	"context"
	"errors"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"twinlun/replication/store"
	"twinlun/replication/store/faultstore"
)

var ctx = context.Background()

var errBoom = errors.New("boom")

func manager(t testing.TB, s store.Store) *Manager {
	m, err := NewManager(Config{Store: s})
	require.NoError(t, err)
	return m
}

// looping is a manager whose loop runs until the test ends.
func looping(t testing.TB, s store.Store) *Manager {
	m := manager(t, s)
	c, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { m.Run(c) })
	t.Cleanup(func() { cancel(); wg.Wait() })
	return m
}

func create(t testing.TB, m *Manager, spec Spec) (r Record) {
	require.NoError(t, m.cfg.Store.Update(ctx, func(tx store.Tx) (err error) {
		r, err = m.Create(tx, spec)
		return err
	}))
	return r
}

func start(t testing.TB, m *Manager, id string) *Run {
	run, err := m.Start(ctx, id)
	require.NoError(t, err)
	return run
}

func get(t testing.TB, m *Manager, id string) Record {
	r, err := m.Get(ctx, id)
	require.NoError(t, err)
	return r
}

// stored is what the store has, whatever runs.
func stored(t testing.TB, s store.Store, id string) (r Record) {
	require.NoError(t, s.View(ctx, func(tx store.Tx) (err error) {
		r, err = load(tx, id)
		return err
	}))
	return r
}

func TestLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := looping(t, store.NewMem())
		began := time.Now()
		r := create(t, m, Spec{Name: "copy", Owner: "admin", Affected: []Element{{Kind: Volume, Pool: "p", ID: "v"}}})
		require.Equal(t, r.ID, get(t, m, r.ID).ID)
		require.Len(t, r.ID, 32)
		require.Equal(t, New, get(t, m, r.ID).State)

		time.Sleep(time.Second)
		run := start(t, m, r.ID)
		require.Equal(t, r.ID, run.ID())
		run.Progress(40)
		run.Progress(30)
		got := get(t, m, r.ID)
		require.Equal(t, Running, got.State)
		require.EqualValues(t, 40, got.Percent, "it never goes back")
		require.True(t, got.Started.Equal(began.Add(time.Second)))
		run.Progress(1000)
		require.EqualValues(t, 99, get(t, m, r.ID).Percent, "100 means done")

		time.Sleep(time.Second)
		require.NoError(t, run.Finish(ctx, 0, nil))
		got = get(t, m, r.ID)
		require.True(t, got.Ended.Equal(began.Add(2*time.Second)))
		got.Created, got.Started, got.Changed, got.Ended = time.Time{}, time.Time{}, time.Time{}, time.Time{}
		require.Equal(t, Record{ID: r.ID, Name: "copy", Owner: "admin", State: Completed, Percent: 100, Retain: DefaultRetain, Affected: r.Affected}, got)
		require.Error(t, run.Context().Err())
		run.Progress(50) // nobody minds
		run.Leave()

		time.Sleep(DefaultRetain - time.Second)
		require.Equal(t, Completed, get(t, m, r.ID).State, "clients look for a while")
		time.Sleep(2 * time.Second)
		_, err := m.Get(ctx, r.ID)
		require.ErrorIs(t, err, ErrNotFound)
		all, err := m.List(ctx)
		require.NoError(t, err)
		require.Empty(t, all)
	})
}

func TestEnds(t *testing.T) {
	m := manager(t, store.NewMem())
	for _, c := range []struct {
		cause error
		code  uint32
		want  Record
	}{
		{nil, 7, Record{State: Completed}},
		{errBoom, 4, Record{State: Exception, ErrorCode: 4, Error: "boom"}},
		{errBoom, 0, Record{State: Exception, ErrorCode: 2, Error: "boom"}},
		{errors.Join(ErrCanceled, errBoom), 4, Record{State: Terminated, ErrorCode: 4, Error: "job: canceled\nboom"}},
	} {
		r := create(t, m, Spec{})
		require.NoError(t, start(t, m, r.ID).Finish(ctx, c.code, c.cause))
		got := get(t, m, r.ID)
		require.EqualValues(t, 100, got.Percent, "also on failure")
		require.Equal(t, c.want, Record{State: got.State, ErrorCode: got.ErrorCode, Error: got.Error})
		require.ErrorIs(t, m.End(ctx, r.ID, 0, nil), ErrDone)
		require.ErrorIs(t, m.Cancel(ctx, r.ID), ErrDone)
		_, err := m.Start(ctx, r.ID)
		require.ErrorIs(t, err, ErrDone)
	}
}

func TestNotThere(t *testing.T) {
	m := manager(t, store.NewMem())
	_, err := m.Get(ctx, "x")
	require.ErrorIs(t, err, ErrNotFound)
	_, err = m.Start(ctx, "x")
	require.ErrorIs(t, err, ErrNotFound)
	_, err = m.Wait(ctx, "x")
	require.ErrorIs(t, err, ErrNotFound)
	require.ErrorIs(t, m.Cancel(ctx, "x"), ErrNotFound)
	require.ErrorIs(t, m.Delete(ctx, "x"), ErrNotFound)
	require.ErrorIs(t, m.End(ctx, "x", 0, nil), ErrNotFound)
	require.Empty(t, m.runs)
}

// TestOneTransaction: a job and what belongs to it are made, and end, together.
func TestOneTransaction(t *testing.T) {
	s := store.NewMem()
	m := manager(t, s)
	require.ErrorIs(t, s.Update(ctx, func(tx store.Tx) error {
		_, err := m.Create(tx, Spec{})
		return errors.Join(err, errBoom)
	}), errBoom)
	all, err := m.List(ctx)
	require.NoError(t, err)
	require.Empty(t, all)

	r := create(t, m, Spec{})
	run := start(t, m, r.ID)
	err = run.FinishWith(ctx, 0, nil, func(tx store.Tx) error { return errors.Join(tx.Put("b", "k", nil), errBoom) })
	require.ErrorIs(t, err, errBoom)
	require.Equal(t, Running, get(t, m, r.ID).State)
	open, err := m.Resumable(ctx)
	require.NoError(t, err)
	require.Len(t, open, 1, "it is up to the owner again")

	run = start(t, m, r.ID)
	require.NoError(t, run.FinishWith(ctx, 0, nil, func(tx store.Tx) error { return tx.Put("b", "k", nil) }))
	require.NoError(t, s.View(ctx, func(tx store.Tx) error {
		v, err := tx.Get("b", "k")
		require.NotNil(t, v)
		return err
	}))
}

func TestCancel(t *testing.T) {
	s := store.NewMem()
	m := manager(t, s)
	r := create(t, m, Spec{})
	run := start(t, m, r.ID)
	_, err := m.Start(ctx, r.ID)
	require.ErrorIs(t, err, ErrRunning)
	require.NoError(t, m.Cancel(ctx, r.ID))
	<-run.Context().Done()
	require.ErrorIs(t, context.Cause(run.Context()), ErrCanceled)
	require.True(t, get(t, m, r.ID).Canceling)

	m = manager(t, s) // a restart before it ended
	run = start(t, m, r.ID)
	require.ErrorIs(t, context.Cause(run.Context()), ErrCanceled, "the wish is kept")
	require.NoError(t, run.Finish(ctx, 0, context.Cause(run.Context())))
	got := get(t, m, r.ID)
	require.Equal(t, Terminated, got.State)
	require.False(t, got.Canceling)
}

func TestRestart(t *testing.T) {
	s := store.NewMem()
	m := manager(t, s)
	fresh, under, done := create(t, m, Spec{}), create(t, m, Spec{}), create(t, m, Spec{})
	start(t, m, under.ID)
	require.NoError(t, m.End(ctx, done.ID, 0, nil))

	m = manager(t, s)
	open, err := m.Resumable(ctx)
	require.NoError(t, err)
	ids := []string{open[0].ID, open[1].ID}
	require.ElementsMatch(t, []string{fresh.ID, under.ID}, ids)
	began := get(t, m, under.ID).Started
	start(t, m, under.ID)
	require.True(t, began.Equal(get(t, m, under.ID).Started), "it was started before")
	open, err = m.Resumable(ctx)
	require.NoError(t, err)
	require.Len(t, open, 1)
}

func TestExpiresAfterRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := store.NewMem()
		m := manager(t, s)
		short, long := create(t, m, Spec{Retain: time.Second}), create(t, m, Spec{Retain: 3 * time.Hour})
		require.NoError(t, m.End(ctx, short.ID, 0, nil))
		require.NoError(t, m.End(ctx, long.ID, 0, nil))
		time.Sleep(time.Minute)
		m = looping(t, s)
		synctest.Wait()
		_, err := m.Get(ctx, short.ID)
		require.ErrorIs(t, err, ErrNotFound, "its time was over when the daemon started")
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		_, err = m.Get(ctx, long.ID)
		require.ErrorIs(t, err, ErrNotFound)
	})
}

func TestExpiryIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := faultstore.New(store.NewMem())
		m := looping(t, s)
		r := create(t, m, Spec{Retain: time.Second})
		require.NoError(t, m.End(ctx, r.ID, 0, nil))
		synctest.Wait()
		s.Plan(faultstore.Fault{Update: 1})
		time.Sleep(1500 * time.Millisecond)
		require.Equal(t, Completed, get(t, m, r.ID).State)
		time.Sleep(time.Second)
		synctest.Wait()
		_, err := m.Get(ctx, r.ID)
		require.ErrorIs(t, err, ErrNotFound)
	})
}

// TestProgressIsStored at most once a second, or every five points.
func TestProgressIsStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := faultstore.New(store.NewMem())
		m := looping(t, s)
		run := start(t, m, create(t, m, Spec{}).ID)
		before := s.Updates()
		progress := func(p int, want uint16) {
			t.Helper()
			run.Progress(p)
			synctest.Wait()
			require.Equal(t, want, stored(t, s, run.ID()).Percent)
		}
		progress(4, 0)
		progress(5, 5)
		progress(7, 5)
		require.Equal(t, 1, s.Updates()-before)
		time.Sleep(time.Second)
		synctest.Wait()
		progress(7, 7)
		require.Equal(t, 2, s.Updates()-before)

		m = manager(t, s)
		run = start(t, m, run.ID())
		require.EqualValues(t, 7, get(t, m, run.ID()).Percent)
	})
}

func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := manager(t, store.NewMem())
		r := create(t, m, Spec{})
		run := start(t, m, r.ID)
		got := make(chan Record)
		go func() {
			r, err := m.Wait(ctx, r.ID)
			require.NoError(t, err)
			got <- r
		}()
		synctest.Wait()
		run.Progress(50)
		synctest.Wait()
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		_, err := m.Wait(short, r.ID)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NoError(t, run.Finish(ctx, 4, errBoom))
		require.Equal(t, Exception, (<-got).State)
	})
}

func TestDelete(t *testing.T) {
	m := manager(t, store.NewMem())
	r := create(t, m, Spec{})
	require.ErrorIs(t, m.Delete(ctx, r.ID), ErrRunning)
	require.NoError(t, m.End(ctx, r.ID, 0, nil))
	require.NoError(t, m.Delete(ctx, r.ID))
	_, err := m.Get(ctx, r.ID)
	require.ErrorIs(t, err, ErrNotFound)
	require.Empty(t, m.expiry)
}

// TestListIsInOrder: also of jobs that are made in one millisecond, with a clock that
// goes back, and after a restart.
func TestListIsInOrder(t *testing.T) {
	s, now := store.NewMem(), time.Date(2026, 11, 22, 5, 0, 0, 0, time.UTC)
	var made []string
	for _, leap := range []time.Duration{0, time.Millisecond, -time.Hour, time.Nanosecond, 2 * time.Hour} {
		now = now.Add(leap)
		m, err := NewManager(Config{Store: s, Time: func() time.Time { return now }})
		require.NoError(t, err)
		for range 50 {
			made = append(made, create(t, m, Spec{}).ID)
		}
		all, err := m.List(ctx)
		require.NoError(t, err)
		require.Equal(t, made, ids(all))
	}
}

func TestSerials(t *testing.T) {
	const hour = 3600 * 1000 << 16
	now := time.UnixMilli(3600 * 1000)
	for _, c := range []struct{ last, next serial }{
		{0, hour}, {hour - 1, hour}, {hour, hour + 1}, {hour + 0xffff, hour + 0x10000}, {2 * hour, 2*hour + 1},
		{math.MaxUint64, hour},
	} {
		require.Equal(t, c.next, c.last.next(now))
	}
	for id, want := range map[string]serial{
		"": 0, "x": 0, "000000000000000g": 0, "0000000000000011": 0x11, "00000000000000ff0123456789abcdef": 0xff,
	} {
		require.Equal(t, want, serialOf(id), id)
	}
	id, err := serial(0xff).newID(bytes.NewReader(make([]byte, 8)))
	require.NoError(t, err)
	require.Equal(t, "00000000000000ff0000000000000000", id)
	_, err = serial(1).newID(bytes.NewReader(nil))
	require.Error(t, err)
}

func TestConfig(t *testing.T) {
	_, err := NewManager(Config{})
	require.Error(t, err)
	m, err := NewManager(Config{Store: store.NewMem(), Rand: strings.NewReader("short")})
	require.NoError(t, err)
	require.ErrorContains(t, m.cfg.Store.Update(ctx, func(tx store.Tx) error { _, err := m.Create(tx, Spec{}); return err }), "identifier")
	s := store.NewMem()
	require.NoError(t, s.Update(ctx, func(tx store.Tx) error { return tx.Put(bucket, "x", []byte("{")) }))
	_, err = NewManager(Config{Store: s})
	require.ErrorContains(t, err, "job x")
}

func TestMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	m, err := NewManager(Config{Store: store.NewMem(), Registerer: reg})
	require.NoError(t, err)
	a, b := create(t, m, Spec{}), create(t, m, Spec{})
	start(t, m, a.ID)
	require.NoError(t, start(t, m, b.ID).Finish(ctx, 0, errBoom))
	families, err := reg.Gather()
	require.NoError(t, err)
	require.Len(t, families, 2)
	require.Equal(t, "twinlun_jobs_ended_total", families[0].GetName())
	require.Equal(t, "exception", families[0].GetMetric()[0].GetLabel()[0].GetValue())
	require.Equal(t, 1.0, families[1].GetMetric()[0].GetGauge().GetValue())
	_, err = NewManager(Config{Store: store.NewMem(), Registerer: reg})
	require.Error(t, err, "registered twice")
}

func TestStates(t *testing.T) {
	for s, want := range map[State]string{New: "new", Starting: "starting", Running: "running", Completed: "completed",
		Terminated: "terminated", Killed: "killed", Exception: "exception", 5: "unknown"} {
		require.Equal(t, want, s.String())
		require.Equal(t, s >= Completed, s.Done(), want)
	}
}

func BenchmarkList10k(b *testing.B) {
	m := manager(b, store.NewMem())
	for range 10_000 {
		create(b, m, Spec{Name: "clone of a volume", Owner: "admin", Affected: []Element{{Kind: Volume, Pool: "p", ID: "v"}}})
	}
	for b.Loop() {
		_, err := m.List(ctx)
		require.NoError(b, err)
	}
}
