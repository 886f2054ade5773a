package auth

import (
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
)

// clock is a time that the test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)} }

func (c *clock) time() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// seeded is a generator that is the same in every run; safe for concurrent use.
type seeded struct {
	mu  sync.Mutex
	gen *rand.ChaCha8
}

func (s *seeded) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gen.Read(p)
}

// cheap makes hashes cost nothing, so that tests are quick.
func cheap() HashParams { return HashParams{MemoryKiB: 64, Time: 1, Parallelism: 1} }

func testConfig(c *clock) Config {
	return Config{Time: c.time, Rand: &seeded{gen: rand.NewChaCha8([32]byte{1})}, Hash: cheap()}
}

func newUsers(t *testing.T) (*Users, *clock) {
	t.Helper()
	c := newClock()
	u, err := Open(filepath.Join(t.TempDir(), "users.json"), testConfig(c))
	require.NoError(t, err)
	return u, c
}

const remote = "192.0.2.7:50000"

func requireLogin(t *testing.T, u *Users, name, password string, role cim.Role) {
	t.Helper()
	p, err := u.Verify(t.Context(), name, password, remote)
	require.NoError(t, err)
	require.Equal(t, cim.Principal{Name: name, Role: role, Remote: remote}, p)
}
