package store_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"

	"twinlun/replication/store"
	"twinlun/replication/store/storetest"
)

var ctx = context.Background()

func open(t testing.TB, path string) store.Store {
	s, err := store.Open(path, store.Options{LockTimeout: 50 * time.Millisecond})
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestBolt(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return open(t, filepath.Join(t.TempDir(), "db")) })
}

func TestMem(t *testing.T) {
	storetest.Run(t, func(*testing.T) store.Store { return store.NewMem() })
}

// fill writes n records of size bytes.
func fill(t testing.TB, s store.Store, n, size int) {
	require.NoError(t, s.Update(ctx, func(tx store.Tx) error {
		for i := range n {
			if err := tx.Put("records", fmt.Sprintf("%06d", i), []byte(strings.Repeat("x", size))); err != nil {
				return err
			}
		}
		return nil
	}))
}

func count(s store.Store) (n int, err error) {
	err = s.View(ctx, func(tx store.Tx) error {
		return tx.Scan("records", "", func(string, []byte) error { n++; return nil })
	})
	return n, err
}

func TestKeepsWhatWasWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	s := open(t, path)
	fill(t, s, 100, 50)
	require.NoError(t, s.Close())

	n, err := count(open(t, path))
	require.NoError(t, err)
	require.Equal(t, 100, n)
	st, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), st.Mode().Perm())
}

func TestLockNamesTheHolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	first := open(t, path)
	_, err := store.Open(path, store.Options{LockTimeout: 50 * time.Millisecond})
	require.ErrorIs(t, err, store.ErrLocked)
	require.ErrorContains(t, err, path)
	if locks, _ := os.ReadFile("/proc/locks"); strings.Contains(string(locks), fmt.Sprintf(" %d ", os.Getpid())) {
		require.ErrorContains(t, err, fmt.Sprintf("process %d (", os.Getpid()))
	}
	require.NoError(t, first.Close())
	open(t, path)
}

func TestOpenRefuses(t *testing.T) {
	foreign := func(path string) error {
		db, err := bbolt.Open(path, 0o600, nil)
		if err != nil {
			return err
		}
		return errors.Join(db.Update(func(tx *bbolt.Tx) error { _, err := tx.CreateBucket([]byte("theirs")); return err }), db.Close())
	}
	format := func(v string) func(path string) error {
		return func(path string) error {
			s, err := store.Open(path, store.Options{})
			if err != nil {
				return err
			}
			return errors.Join(s.Update(ctx, func(tx store.Tx) error { return tx.Put("store", "format", []byte(v)) }), s.Close())
		}
	}
	for name, c := range map[string]struct {
		make func(path string) error
		want error
	}{
		"text":             {func(p string) error { return os.WriteFile(p, []byte(strings.Repeat("hello ", 9999)), 0o600) }, store.ErrCorrupt},
		"one byte":         {func(p string) error { return os.WriteFile(p, []byte{1}, 0o600) }, store.ErrCorrupt},
		"zeros":            {func(p string) error { return os.WriteFile(p, make([]byte, 1<<16), 0o600) }, store.ErrCorrupt},
		"another program":  {foreign, store.ErrCorrupt},
		"later version":    {format("2"), store.ErrFormat},
		"odd version":      {format("one"), store.ErrCorrupt},
		"folder":           {func(p string) error { return os.Mkdir(p, 0o700) }, nil},
		"no such folder":   {func(p string) error { return os.RemoveAll(filepath.Dir(p)) }, os.ErrNotExist},
		"negative version": {format("-1"), store.ErrCorrupt},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "sub", "db")
			require.NoError(t, os.Mkdir(filepath.Dir(path), 0o700))
			require.NoError(t, c.make(path))
			s, err := store.Open(path, store.Options{LockTimeout: 50 * time.Millisecond})
			require.Nil(t, s)
			require.Error(t, err)
			require.ErrorContains(t, err, path)
			if c.want != nil {
				require.ErrorIs(t, err, c.want)
			}
		})
	}
}

// TestDamage flips and cuts in the file. Every outcome is fine but a panic, a hang
// or a lock that is left behind.
func TestDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	s := open(t, path)
	fill(t, s, 400, 200)
	fill(t, s, 200, 100)
	require.NoError(t, s.Close())
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	whole = whole[:min(len(whole), 64*4096)] // bbolt makes files larger than they need be

	rnd := rand.New(rand.NewPCG(3, 4))
	corrupt := 0
	for i := range 45 {
		bad := append([]byte(nil), whole...)
		if i%3 == 0 {
			bad = bad[:rnd.IntN(len(bad))]
		}
		for range rnd.IntN(30) {
			if len(bad) > 0 {
				bad[rnd.IntN(min(len(bad), 1<<rnd.IntN(18)))] = byte(rnd.Uint32())
			}
		}
		for range i % 3 * 4 { // whole pages, behind the two that say where all is
			if len(bad) < 4*4096 {
				break
			}
			page := bad[4096*(2+rnd.IntN(len(bad)/4096-2)):][:4096]
			for k := range page {
				page[k] = byte(rnd.Uint32())
			}
		}
		require.NoError(t, os.WriteFile(path, bad, 0o600))
		err := useDamaged(path)
		require.NotErrorIs(t, err, store.ErrLocked, "round %d", i)
		if errors.Is(err, store.ErrCorrupt) {
			corrupt++
		}
	}
	require.Greater(t, corrupt, 10, "damage is seen")
}

// useDamaged does what a daemon would do, and gives the first error.
func useDamaged(path string) error {
	s, err := store.Open(path, store.Options{LockTimeout: 50 * time.Millisecond})
	if err != nil {
		return err
	}
	_, first := count(s)
	for i := range 6 {
		err := s.Update(ctx, func(tx store.Tx) error {
			return errors.Join(tx.Delete("records", fmt.Sprintf("%06d", i*57)), tx.Put("more", fmt.Sprint(i), make([]byte, 3000)))
		})
		if first == nil {
			first = err
		}
	}
	_, _ = count(s)
	_ = s.Close()
	return first
}

// TestDamageIsRemembered cuts the file under an open store: the first look beyond
// the end is a fault, and nothing is written after it.
func TestDamageIsRemembered(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	s := open(t, path)
	fill(t, s, 2000, 200)
	require.NoError(t, os.Truncate(path, 3*4096))
	_, err := count(s)
	require.ErrorIs(t, err, store.ErrCorrupt)
	err = s.Update(ctx, func(store.Tx) error { t.Error("began"); return nil })
	require.ErrorIs(t, err, store.ErrCorrupt)
	_ = s.Close()
}

func TestSwallowedDamageIsNotCommitted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	s := open(t, path)
	fill(t, s, 2000, 200)
	err := s.Update(ctx, func(tx store.Tx) error {
		require.NoError(t, os.Truncate(path, 3*4096))
		_ = tx.Scan("records", "", func(string, []byte) error { return nil })
		return nil
	})
	require.ErrorIs(t, err, store.ErrCorrupt)
}

func BenchmarkUpdate(b *testing.B) {
	s := open(b, filepath.Join(b.TempDir(), "db"))
	fill(b, s, 10_000, 300)
	for i := 0; b.Loop(); i++ {
		require.NoError(b, s.Update(ctx, func(tx store.Tx) error {
			return tx.Put("records", fmt.Sprintf("%06d", i%10_000), make([]byte, 300))
		}))
	}
}

func BenchmarkView10k(b *testing.B) {
	s := open(b, filepath.Join(b.TempDir(), "db"))
	fill(b, s, 10_000, 300)
	for b.Loop() {
		n, err := count(s)
		require.NoError(b, err)
		require.Equal(b, 10_000, n)
	}
}
