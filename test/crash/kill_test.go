package crash

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/test/system"
	"twinlun/wsman/client"
)

const (
	volumes = 2
	size    = 32 << 20 // of each volume
)

// rounds is how often the daemon is killed; TWINLUN_KILL_ROUNDS makes it more.
func rounds(t *testing.T) int {
	t.Helper()
	if s := os.Getenv("TWINLUN_KILL_ROUNDS"); s != "" {
		n, err := strconv.Atoi(s)
		require.NoError(t, err)
		return n
	}
	return 20
}

// seed is the one of this run; TWINLUN_SEED repeats another.
func seed(t *testing.T) uint64 {
	t.Helper()
	if s := os.Getenv("TWINLUN_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		require.NoError(t, err)
		return n
	}
	return rand.Uint64()
}

// TestKill kills the daemon at random moments while volumes are written and a
// clone, a mirror's first copy or a group call is under way. After the restart
// every flush that was answered is there, jobs end, and nothing is half made.
func TestKill(t *testing.T) {
	s := seed(t)
	t.Logf("TWINLUN_SEED=%d", s)
	r := rand.New(rand.NewPCG(s, 1))
	d := system.Start(t)
	histories := make([]*history, volumes)
	for i := range histories {
		histories[i] = newHistory(i, size/sectorSize)
		d.Must("volume", "create", source(i), "--size", fmt.Sprint(size), "--export")
		histories[i].fill(t, d, source(i))
	}
	for round := range rounds(t) {
		kind := kinds()[round%len(kinds())]
		delay, afterAnswer := time.Duration(r.Int64N(int64(kind.within))), round%2 == 1
		if afterAnswer {
			delay /= 8 // the copy has begun
		}
		t.Logf("round %d: %s, killed %s after it was sent, or answered: %t", round, kind.name, delay, afterAnswer)
		storm(t, d, histories, kind, fmt.Sprintf("r%d", round), delay, afterAnswer, r.Uint64())
		d.Run()
		t.Logf("after the restart %d relationships, %d jobs under way", len(instances(t, d, "CIM_StorageSynchronized")), unfinished(t, d))
		settled(t, d)
		var content [volumes][]byte
		for i, h := range histories {
			content[i] = h.recovered(t, d, source(i))
		}
		kind.check(t, d, fmt.Sprintf("r%d", round), content)
		tidy(t, d)
	}
}

func source(i int) string { return fmt.Sprintf("src%d", i) }

// storm writes to all volumes, sends the request, and kills the daemon when delay
// has passed since then, or since the answer.
func storm(t *testing.T, d *system.Daemon, histories []*history, kind kind, name string, delay time.Duration, afterAnswer bool, seed uint64) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var wg sync.WaitGroup
	dying, die := context.WithCancel(ctx)
	defer die()
	write(ctx, dying, t, d, &wg, histories, -1, seed, &tally{})
	c := d.Client()
	paths, err := system.Volumes(ctx, c)
	require.NoError(t, err)
	sent, answered := make(chan struct{}), make(chan struct{})
	wg.Go(func() {
		defer close(answered)
		close(sent)
		_, _ = kind.request(ctx, d, c, paths, name) // the daemon may be gone before it answers
	})
	<-sent
	if afterAnswer {
		<-answered
	}
	pause(ctx, delay)
	die()
	d.Kill()
	cancel()
	wg.Wait()
}

// write lets all writers of all volumes but one work until ctx ends. What fails after the end
// of dying fails because of the crash.
func write(ctx, dying context.Context, t *testing.T, d *system.Daemon, wg *sync.WaitGroup, histories []*history, resting int, seed uint64, count *tally) {
	t.Helper()
	for i, h := range histories {
		if i == resting {
			continue
		}
		for turn := range writersOf {
			disk, err := d.Disk(ctx, source(i))
			require.NoError(t, err)
			w := &writer{h: h, disk: disk, turn: turn, r: rand.New(rand.NewPCG(seed, uint64(i*writersOf+turn))), tally: count}
			wg.Go(func() { complain(dying, t, source(i), w.work(ctx)) })
		}
	}
}

// complain fails the test for an error that no crash explains.
func complain(dying context.Context, t *testing.T, what string, err error) {
	if _, wrong := errors.AsType[wrongError](err); wrong || err != nil && dying.Err() == nil {
		t.Errorf("%s: %v", what, err)
	}
}

// pause lets the daemon work: the moment of the kill is what the test varies.
func pause(ctx context.Context, delay time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, delay)
	defer cancel()
	<-ctx.Done()
}

// unfinished counts the jobs that have not ended.
func unfinished(t *testing.T, d *system.Daemon) int {
	t.Helper()
	n := 0
	for _, j := range instances(t, d, "CIM_ConcreteJob") {
		if state, _ := j.Get("JobState").(uint64); state < 7 {
			n++
		}
	}
	return n
}

// settled waits until no job runs and fails if one has failed.
func settled(t *testing.T, d *system.Daemon) {
	t.Helper()
	c := d.Client()
	require.Eventually(t, func() bool {
		jobs, err := system.List(t.Context(), c, "CIM_ConcreteJob")
		require.NoError(t, err)
		for _, j := range jobs {
			state, _ := j.Get("JobState").(uint64)
			require.LessOrEqual(t, state, uint64(7), "job %v: %v", j.Get("Name"), j.Get("ErrorDescription"))
			if state != 7 {
				return false
			}
			require.EqualValues(t, 100, j.Get("PercentComplete"))
		}
		return true
	}, time.Minute, 20*time.Millisecond)
}

// tidy ends all relationships and removes what they have made.
func tidy(t *testing.T, d *system.Daemon) {
	t.Helper()
	c := d.Client()
	for _, class := range []string{"CIM_GroupSynchronized", "CIM_StorageSynchronized"} {
		all, err := system.List(t.Context(), c, class)
		require.NoError(t, err)
		for _, in := range all {
			invoke(t, d, c, "CIM_ReplicationService", "ModifyReplicaSynchronization", system.Arg("Operation", 9), system.Arg("Synchronization", in.Path), system.Arg("Force", true))
		}
	}
	groups, err := system.List(t.Context(), c, "CIM_ReplicationGroup")
	require.NoError(t, err)
	for _, g := range groups {
		invoke(t, d, c, "CIM_ReplicationService", "DeleteGroup", system.Arg("ReplicationGroup", g.Path), system.Arg("RemoveElements", true))
	}
	paths, err := system.Volumes(t.Context(), c)
	require.NoError(t, err)
	for i := range volumes {
		delete(paths, source(i))
	}
	for _, p := range paths {
		invoke(t, d, c, "TWINLUN_ControllerConfigurationService", "HideVolume", system.Arg("Volume", p))
		invoke(t, d, c, "CIM_StorageConfigurationService", "ReturnToStoragePool", system.Arg("TheElement", p))
	}
}

func invoke(t *testing.T, d *system.Daemon, c *client.Client, class, method string, in ...cim.Arg) *cim.Reply {
	t.Helper()
	reply, err := d.Invoke(t.Context(), c, class, method, in...)
	require.NoError(t, err)
	require.Contains(t, []cim.Value{uint64(0), uint64(4096)}, reply.Return, "%s: %s", method, reply.Reason)
	return reply
}
