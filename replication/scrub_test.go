package replication

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/pool"
	"twinlun/replication/job"
	"twinlun/replication/store"
)

// scrubPool is a pool whose scrubs do what a test says.
type scrubPool struct {
	wiredPool
	s *scrubScript
}

// scrubScript is what the scrubs of a pool do: they say that they have begun, go on
// when the test lets them, and find what it says.
type scrubScript struct {
	known int64 // bytes that are known to be damaged
	begun chan pool.ScrubOptions
	let   chan pool.Scrubbed

	mu  sync.Mutex
	err error
}

func (p scrubPool) Scrub(ctx context.Context, o pool.ScrubOptions) (pool.Scrubbed, error) {
	p.s.begun <- o
	o.Progress(30, 100)
	select {
	case found := <-p.s.let:
		p.s.mu.Lock()
		defer p.s.mu.Unlock()
		return found, p.s.err
	case <-ctx.Done():
		return pool.Scrubbed{}, ctx.Err()
	}
}

// Info implements pool.Pool.
func (p scrubPool) Info(ctx context.Context) (pool.Info, error) {
	i, err := p.wiredPool.Info(ctx)
	i.Damaged = p.s.known
	return i, err
}

// newScrubWorld is a world whose first pool can be scrubbed.
func newScrubWorld(t *testing.T) (*world, *scrubScript) {
	s := &scrubScript{begun: make(chan pool.ScrubOptions, 10), let: make(chan pool.Scrubbed)}
	w := newWorld(t, func(c *Config) { c.Pools[0] = scrubPool{c.Pools[0].(wiredPool), s} })
	return w, s
}

func (w *world) scrub(name string, rate int64) string {
	w.t.Helper()
	id, err := w.svc.ScrubPool(WithOwner(context.Background(), "joe"), name, rate)
	require.NoError(w.t, err)
	return id
}

// storedScrubs counts the scrubs that the store has.
func (w *world) storedScrubs() (n int) {
	w.t.Helper()
	require.NoError(w.t, w.store.View(context.Background(), func(tx store.Tx) error {
		return tx.Scan(bucketScrubs, "", func(string, []byte) error { n++; return nil })
	}))
	return n
}

func TestScrubPool(t *testing.T) {
	w, s := newScrubWorld(t)
	id := w.scrub("p0", 5<<20)
	require.EqualValues(t, 5<<20, (<-s.begun).Rate)
	w.eventually("its percentage moves", func() bool {
		r, err := w.svc.Job(context.Background(), id)
		require.NoError(t, err)
		return r.State == job.Running && r.Percent == 30
	})
	_, err := w.svc.ScrubPool(context.Background(), "p0", 0)
	require.Equal(t, KindInUse, KindOf(err))
	require.ErrorContains(t, err, id, "it names the job that runs")
	s.let <- pool.Scrubbed{Layers: 3, Unsummed: 1}
	r := w.jobEnds(id)
	require.Equal(t, job.Completed, r.State)
	require.Equal(t, "3 layers compared, 1 without checksums, 0 bytes damaged", r.Result)
	require.Equal(t, "Scrub pool p0", r.Name)
	require.Equal(t, "joe", r.Owner)
	of, err := w.svc.JobsOf(context.Background(), job.Element{Kind: job.Pool, ID: "p0"})
	require.NoError(t, err)
	require.Len(t, of, 1)
	require.Zero(t, w.storedScrubs())
	again := w.scrub("p0", 0)
	<-s.begun
	s.let <- pool.Scrubbed{}
	require.Equal(t, job.Completed, w.jobEnds(again).State, "another may follow")
}

func TestScrubFindsDamage(t *testing.T) {
	w, s := newScrubWorld(t)
	v := w.volumes("a", "b")
	damage := func(off, n int64, ids ...pool.VolumeID) pool.Damage {
		return pool.Damage{Pool: "p0", Layer: "l", Volumes: ids, Off: off, Len: n}
	}
	for _, c := range []struct {
		found pool.Scrubbed
		want  string
	}{
		{pool.Scrubbed{Bad: 12288, Damage: []pool.Damage{damage(0, 8192, v[0].ID, v[1].ID), damage(16384, 4096, v[1].ID)}},
			"12288 bytes are damaged: 12288 of volume b, 8192 of volume a"},
		{pool.Scrubbed{Bad: 1 << 20, Damage: []pool.Damage{damage(0, 4096, v[0].ID, "gone")}},
			"1048576 bytes are damaged: at least 4096 of volume a, at least 4096 of volume gone"},
		{pool.Scrubbed{Bad: 4096, Damage: []pool.Damage{damage(0, 4096)}}, "4096 bytes are damaged: of no volume that is still there"},
		{pool.Scrubbed{Unreadable: map[string]error{"l2": nil, "l1": blockdev.Errorf(blockdev.KindIO, "verify layer l1", "/secret/path")}},
			"2 layers could not be verified, such as l1: verify layer l1: I/O error"},
	} {
		id := w.scrub("p0", 0)
		<-s.begun
		s.let <- c.found
		r := w.jobEnds(id)
		require.Equal(t, job.Exception, r.State)
		require.EqualValues(t, KindFailed, r.ErrorCode)
		require.Equal(t, c.want, r.Error)
		require.NotEmpty(t, r.Result)
	}
	many := pool.Damage{Len: 4096}
	for range 20 {
		many.Volumes = append(many.Volumes, pool.VolumeID(strings.Repeat("0", 30)+string(rune('a'+len(many.Volumes)))))
	}
	text := w.svc.judge(w.svc.cfg.Pools[0], pool.Scrubbed{Bad: 4096, Damage: []pool.Damage{many}}).Error()
	require.Contains(t, text, "some of 12 more volumes")
	require.Less(t, len(text), 1024)
}

func TestScrubFails(t *testing.T) {
	w, s := newScrubWorld(t)
	s.err = blockdev.Errorf(blockdev.KindClosed, "scrub", "the pool /secret is closed")
	id := w.scrub("p0", 0)
	<-s.begun
	s.let <- pool.Scrubbed{}
	r := w.jobEnds(id)
	require.Equal(t, job.Exception, r.State)
	require.Equal(t, "scrub: closed", r.Error)
}

func TestScrubIsCanceled(t *testing.T) {
	w, s := newScrubWorld(t)
	id := w.scrub("p0", 0)
	<-s.begun
	require.NoError(t, w.svc.CancelJob(context.Background(), id))
	require.Equal(t, job.Terminated, w.jobEnds(id).State)
	require.Zero(t, w.storedScrubs())
}

// TestScrubBeginsAgain: after a restart, a crash, and a wish to end it that was stored.
func TestScrubBeginsAgain(t *testing.T) {
	w, s := newScrubWorld(t)
	id := w.scrub("p0", 7)
	<-s.begun
	for _, again := range []func(){w.restart, w.crash} {
		again()
		require.EqualValues(t, 7, (<-s.begun).Rate)
		_, err := w.svc.ScrubPool(context.Background(), "p0", 0)
		require.ErrorContains(t, err, id)
	}
	s.let <- pool.Scrubbed{Layers: 1}
	require.Equal(t, job.Completed, w.jobEnds(id).State)
	w.restart()
	require.Empty(t, s.begun, "it is over")
}

// TestScrubOfAPoolThatIsGone ends its job.
func TestScrubOfAPoolThatIsGone(t *testing.T) {
	w, s := newScrubWorld(t)
	id := w.scrub("p0", 0)
	<-s.begun
	with := w.config
	w.config = func(*Config) {} // a pool without checksums
	w.restart()
	r := w.jobEnds(id)
	require.Equal(t, job.Exception, r.State)
	require.Contains(t, r.Error, "p0")
	require.Zero(t, w.storedScrubs())
	w.config = with
}

// TestScrubIsStoredOrNot: where the store fails there is no scrub, and the next one
// begins.
func TestScrubIsStoredOrNot(t *testing.T) {
	w, s := newScrubWorld(t)
	for n := range int64(2) {
		first := w.wire.calls.Load() + 1
		w.wire.watch(func(at int64, _ string, after bool) error {
			if !after && at == first+n {
				return errors.New("the store fails")
			}
			return nil
		})
		_, err := w.svc.ScrubPool(context.Background(), "p0", 0)
		require.Error(t, err)
		require.Zero(t, w.storedScrubs())
	}
	w.wire.watch(nil)
	id := w.scrub("p0", 0)
	<-s.begun
	s.let <- pool.Scrubbed{}
	require.Equal(t, job.Completed, w.jobEnds(id).State)
	require.Empty(t, s.begun)
}

func TestScrubRefused(t *testing.T) {
	w, _ := newScrubWorld(t)
	_, err := w.svc.ScrubPool(context.Background(), "nowhere", 0)
	require.Equal(t, KindInvalid, KindOf(err))
	_, err = w.svc.ScrubPool(context.Background(), "p1", 0)
	require.Equal(t, KindNotSupported, KindOf(err))
}

// TestScrubsAtOnce: of those who ask at the same time one gets a job.
func TestScrubsAtOnce(t *testing.T) {
	w, s := newScrubWorld(t)
	ids := make(chan string, 8)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			id, err := w.svc.ScrubPool(context.Background(), "p0", 0)
			if err == nil {
				ids <- id
			} else if KindOf(err) != KindInUse {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	require.Len(t, ids, 1)
	<-s.begun
	s.let <- pool.Scrubbed{}
	w.jobEnds(<-ids)
}

// TestLimitIsTold: who makes too large a volume learns the limit and what there is.
func TestLimitIsTold(t *testing.T) {
	w := newWorld(t)
	w.pools[0].setFault(func(op, _ string) error {
		if op == "create" {
			return blockdev.Wrap(blockdev.KindNoSpace, op, &pool.LimitError{Pool: "p0", Limit: 100, Provisioned: 90, More: 20})
		}
		return nil
	})
	_, err := w.svc.CreateVolume(context.Background(), "p0", pool.Spec{Name: "v", Size: 512})
	require.Equal(t, KindFailed, KindOf(err))
	require.ErrorContains(t, err, "20 bytes more than the 90 that pool p0 has provisioned go beyond its limit of 100")
}

// TestScrubOfKnownDamage: a scrub that did not compare what is known to be damaged does
// not say that all is well.
func TestScrubOfKnownDamage(t *testing.T) {
	w, s := newScrubWorld(t)
	s.known = 4096
	id := w.scrub("p0", 0)
	<-s.begun
	s.let <- pool.Scrubbed{Unsummed: 1}
	r := w.jobEnds(id)
	require.Equal(t, job.Exception, r.State)
	require.Equal(t, "4096 bytes that cannot be compared now are known to be damaged: of no volume that is still there", r.Error)
}

// TestScrubAfterOneThatCouldNotEnd: the job of a scrub whose end could not be stored
// ends when another begins.
func TestScrubAfterOneThatCouldNotEnd(t *testing.T) {
	w, s := newScrubWorld(t)
	id := w.scrub("p0", 0)
	<-s.begun
	w.wire.watch(func(_ int64, _ string, after bool) error {
		if !after {
			return errors.New("the store fails")
		}
		return nil
	})
	s.let <- pool.Scrubbed{}
	w.eventually("the scrub is over", func() bool {
		w.svc.scrubs.mu.Lock()
		defer w.svc.scrubs.mu.Unlock()
		return w.svc.scrubs.jobs["p0"] == ""
	})
	w.wire.watch(nil)
	next := w.scrub("p0", 0)
	<-s.begun
	require.Equal(t, job.Exception, w.jobEnds(id).State)
	s.let <- pool.Scrubbed{}
	require.Equal(t, job.Completed, w.jobEnds(next).State)
	require.Zero(t, w.storedScrubs())
}
