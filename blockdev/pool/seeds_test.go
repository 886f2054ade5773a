package pool_test

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// seeds are those that a randomized test runs with: 1 to n. TWINLUN_CRASH_RUNS makes
// it more, TWINLUN_CRASH_FROM begins elsewhere, TWINLUN_CRASH_SEED is one seed alone.
func seeds(t *testing.T, n int) (from, to uint64) {
	t.Helper()
	if one := variable(t, "TWINLUN_CRASH_SEED", 0); one > 0 {
		return one, one + 1
	}
	from = variable(t, "TWINLUN_CRASH_FROM", 1)
	return from, from + variable(t, "TWINLUN_CRASH_RUNS", uint64(n/slowness))
}

func variable(t *testing.T, name string, otherwise uint64) uint64 {
	t.Helper()
	s := os.Getenv(name)
	if s == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(s, 10, 64)
	require.NoError(t, err, name)
	return n
}

// eachSeed runs fn for many seeds, as many at once as there are processors. A seed
// that fails ends the test, which says how to run it again.
func eachSeed(t *testing.T, n int, fn func(t *testing.T, seed uint64)) {
	t.Helper()
	from, to := seeds(t, n)
	var next atomic.Uint64
	next.Store(from)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for seed := next.Add(1) - 1; seed < to && !t.Failed(); seed = next.Add(1) - 1 {
				if !t.Run(fmt.Sprint("seed", seed), func(t *testing.T) { fn(t, seed) }) {
					t.Errorf("again: TWINLUN_CRASH_SEED=%d go test -run '^%s$' ./blockdev/pool", seed, t.Name())
				}
			}
		})
	}
	workers.Wait()
}
