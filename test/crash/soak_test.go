package crash

import (
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/test/system"
)

const (
	soakVolumes = 4 // with writersOf writers each
	soakSize    = 12 << 20
	operators   = 3
)

// soak is a daemon under everything at once, and what is known of it.
type soak struct {
	t         *testing.T
	d         *system.Daemon
	r         *rand.Rand
	histories []*history
	replicas  replicas
	tally     tally
	deeds     deeds
	resting   int // the volume that is restored instead of being written to; less than 0: none
	kills     int
}

// soakTime is how long the soak lasts; TWINLUN_SOAK_TIME makes it longer.
func soakTime(t *testing.T) time.Duration {
	t.Helper()
	s := os.Getenv("TWINLUN_SOAK_TIME")
	if s == "" {
		return 4 * time.Second
	}
	d, err := time.ParseDuration(s)
	require.NoError(t, err)
	return d
}

// TestSoak lets eight writers, snapshots, clones, restores, resets, deletes and resizes
// loose on some volumes, and kills the daemon every few seconds. After each restart what was flushed
// is there, what was not is old or new, replicas have not changed, and a call is done
// or not. In the end the pool is sound, and as empty as in the beginning when all is
// deleted.
func TestSoak(t *testing.T) {
	number := seed(t)
	t.Logf("TWINLUN_SEED=%d", number)
	s := &soak{
		t: t, d: system.Start(t), r: rand.New(rand.NewPCG(number, 2)),
		replicas: replicas{all: map[string]*replica{}}, deeds: deeds{count: map[string]int{}},
	}
	t.Cleanup(s.keep)
	empty := s.used()
	for i := range soakVolumes {
		s.histories = append(s.histories, newHistory(i, soakSize/sectorSize))
		s.d.Must("volume", "create", source(i), "--size", fmt.Sprint(soakSize), "--export")
		s.histories[i].fill(t, s.d, source(i))
	}
	for end := time.Now().Add(soakTime(t)); time.Now().Before(end) && !t.Failed(); {
		s.round()
		if s.kills%20 == 0 {
			t.Log(s)
		}
	}
	s.end(empty)
	t.Log(s)
}

func (s *soak) String() string {
	return fmt.Sprintf("%d kills; %d writes, %d with FUA, %d unmaps, %d flushes, %d reads;%s",
		s.kills, s.tally.writes.Load(), s.tally.fua.Load(), s.tally.zeros.Load(), s.tally.flushes.Load(), s.tally.reads.Load(), &s.deeds)
}

// round is a time of work, the death of the daemon, and its restart.
func (s *soak) round() {
	ctx, cancel := context.WithCancel(s.t.Context())
	defer cancel()
	dying, die := context.WithCancel(ctx)
	defer die()
	var wg sync.WaitGroup
	s.resting = s.r.IntN(2*soakVolumes) - soakVolumes // none, half of the time
	write(ctx, dying, s.t, s.d, &wg, s.histories, s.resting, s.r.Uint64(), &s.tally)
	for i := range operators {
		o := s.operator()
		step := o.step
		if i == 0 && s.resting >= 0 {
			step = func(ctx context.Context) error { return o.restore(ctx, s.resting) }
		}
		wg.Go(func() { complain(dying, s.t, "operator", o.work(ctx, step)) })
	}
	pause(ctx, time.Duration(s.r.Int64N(int64(4*time.Second))))
	die()
	s.d.Kill()
	cancel()
	wg.Wait()
	for s.kills++; s.r.IntN(8) == 0; s.kills++ {
		s.d.RunFor(time.Duration(s.r.Int64N(int64(300 * time.Millisecond))))
	}
	s.d.Run()
	s.compare()
}

func (s *soak) operator() *operator {
	return &operator{soak: s, c: s.d.Client(), r: rand.New(rand.NewPCG(s.r.Uint64(), 3))}
}

// compare looks at all volumes after a restart, and at some of the replicas.
func (s *soak) compare() {
	ctx, o := s.t.Context(), s.operator()
	paths, err := system.Volumes(ctx, o.c)
	require.NoError(s.t, err)
	require.NoError(s.t, s.replicas.reconcile(s.histories, paths))
	for i, h := range s.histories {
		h.recovered(s.t, s.d, source(i))
	}
	for range 2 {
		require.NoError(s.t, o.verify(ctx))
	}
}

// end compares everything, has the pool checked, and deletes everything.
func (s *soak) end(empty map[string]int64) {
	o, ctx := s.operator(), s.t.Context()
	for _, r := range s.replicas.all {
		if !r.dirty {
			require.NoError(s.t, o.compare(ctx, r))
		}
	}
	s.checkPool()
	o = s.operator()
	for len(s.replicas.all) > 0 {
		if err := o.remove(ctx); err != nil { // another was made of it
			require.ErrorAs(s.t, err, &refusedError{})
		}
	}
	for i := range s.histories {
		require.NoError(s.t, o.delete(ctx, source(i)))
	}
	require.Eventually(s.t, func() bool { return unfinished(s.t, s.d) == 0 && len(s.used()) == len(empty) }, time.Minute, 50*time.Millisecond,
		"what is left: %v", s.used())
	s.checkPool()
	require.Equal(s.t, empty, s.used())
}

// checkPool stops the daemon in order and has its pool checked.
func (s *soak) checkPool() {
	s.t.Helper()
	s.d.Stop()
	_, stderr, code := s.d.Offline("pool", "check")
	require.Zero(s.t, code, stderr)
	s.d.Run()
}

// used are the files of the pool and what space they take, in bytes.
func (s *soak) used() map[string]int64 {
	s.t.Helper()
	out := map[string]int64{}
	err := filepath.WalkDir(filepath.Join(s.d.DataDir, "pools"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err == nil {
			out[path] = info.Sys().(*syscall.Stat_t).Blocks * 512
		}
		return err
	})
	if err != nil {
		require.ErrorIs(s.t, err, fs.ErrNotExist)
	}
	return out
}

// keep leaves the data of a run that failed behind.
func (s *soak) keep() {
	if !s.t.Failed() {
		return
	}
	dir, err := os.MkdirTemp("", "twinlun-soak-")
	if err == nil {
		err = os.CopyFS(dir, os.DirFS(s.d.DataDir))
	}
	s.t.Logf("the data dir is kept in %s (%v)", dir, err)
}
