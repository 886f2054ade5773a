// Package storetest is the conformance suite of store.Store.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"twinlun/replication/store"
)

// Run checks one implementation. open makes an empty store; the suite closes it.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := open(t)
			t.Cleanup(func() { _ = s.Close() })
			c.run(t, s)
		})
	}
}

var cases = []struct {
	name string
	run  func(*testing.T, store.Store)
}{
	{"get what was put", testPut},
	{"an update sees its own writes", testOwnWrites},
	{"a failed update changes nothing", testRollback},
	{"a panic changes nothing and locks nothing", testPanic},
	{"scan is in byte order and by prefix", testScan},
	{"scan stops", testScanStops},
	{"a view is one state", testSnapshot},
	{"a view cannot write", testReadOnly},
	{"bad keys are refused", testBadKeys},
	{"updates are one after the other", testSerial},
	{"a canceled context is seen before", testCanceled},
	{"close", testClose},
	{"close waits for transactions", testCloseWaits},
	{"model", testModel},
}

func testPut(t *testing.T, s store.Store) {
	update(t, s, func(tx store.Tx) error {
		return errors.Join(tx.Put("a", "k", []byte("v")), tx.Put("a", "empty", nil), tx.Put("b", "k", []byte("w")))
	})
	expect(t, s, "a", "k", "v")
	expect(t, s, "b", "k", "w")
	view(t, s, func(tx store.Tx) error {
		if v, err := tx.Get("a", "empty"); v == nil || len(v) != 0 || err != nil {
			t.Errorf("an empty value is %v, %v", v, err)
		}
		for _, key := range []string{"x", "kk", ""} {
			if v, err := tx.Get("a", key); v != nil || err != nil {
				t.Errorf("%q that is not there is %v, %v", key, v, err)
			}
		}
		if v, err := tx.Get("no bucket", "k"); v != nil || err != nil {
			t.Errorf("key of no bucket is %v, %v", v, err)
		}
		return nil
	})
	update(t, s, func(tx store.Tx) error {
		return errors.Join(tx.Delete("a", "k"), tx.Delete("a", "not there"), tx.Delete("no bucket", "k"))
	})
	expect(t, s, "a", "k", "")
}

func testOwnWrites(t *testing.T, s store.Store) {
	update(t, s, func(tx store.Tx) error {
		for i := range 3 {
			if err := tx.Put("a", fmt.Sprint(i), []byte{byte('0' + i)}); err != nil {
				return err
			}
		}
		if err := tx.Delete("a", "1"); err != nil {
			return err
		}
		if v, err := tx.Get("a", "2"); string(v) != "2" || err != nil {
			t.Errorf("own write is %q, %v", v, err)
		}
		if got := keys(t, tx, "a", ""); got != "0 2" {
			t.Errorf("scan of own writes: %q", got)
		}
		return nil
	})
}

func testRollback(t *testing.T, s store.Store) {
	update(t, s, func(tx store.Tx) error { return tx.Put("a", "k", []byte("old")) })
	boom := errors.New("boom")
	err := s.Update(context.Background(), func(tx store.Tx) error {
		return errors.Join(tx.Put("a", "k", []byte("new")), tx.Put("new bucket", "k", nil), boom)
	})
	if !errors.Is(err, boom) {
		t.Fatalf("the function's error is %v", err)
	}
	expect(t, s, "a", "k", "old")
	expect(t, s, "new bucket", "k", "")
}

func testPanic(t *testing.T, s store.Store) {
	func() {
		defer func() {
			if r := recover(); r != "mine" {
				t.Errorf("recovered %v", r)
			}
		}()
		_ = s.Update(context.Background(), func(tx store.Tx) error {
			_ = tx.Put("a", "k", []byte("v"))
			panic("mine")
		})
	}()
	expect(t, s, "a", "k", "")
	update(t, s, func(tx store.Tx) error { return tx.Put("a", "k", []byte("v")) })
}

func testScan(t *testing.T, s store.Store) {
	update(t, s, func(tx store.Tx) error {
		for _, k := range strings.Fields("b/2 a b b/10 b/1 c \xff b0 B") {
			if err := tx.Put("x", k, []byte(k)); err != nil {
				return err
			}
		}
		return tx.Put("y", "b/3", nil)
	})
	for prefix, want := range map[string]string{
		"": "B a b b/1 b/10 b/2 b0 c \xff", "b/": "b/1 b/10 b/2", "b/1": "b/1 b/10", "d": "", "\xff": "\xff", "b/3": "",
	} {
		view(t, s, func(tx store.Tx) error {
			if got := keys(t, tx, "x", prefix); got != want {
				t.Errorf("prefix %q: %q, want %q", prefix, got, want)
			}
			return nil
		})
	}
}

func testScanStops(t *testing.T, s store.Store) {
	boom := errors.New("boom")
	update(t, s, func(tx store.Tx) error { return errors.Join(tx.Put("x", "1", nil), tx.Put("x", "2", nil)) })
	n := 0
	err := s.View(context.Background(), func(tx store.Tx) error {
		return tx.Scan("x", "", func(string, []byte) error { n++; return boom })
	})
	if n != 1 || !errors.Is(err, boom) {
		t.Errorf("%d calls, %v", n, err)
	}
}

func testSnapshot(t *testing.T, s store.Store) {
	update(t, s, func(tx store.Tx) error { return tx.Put("a", "k", []byte("1")) })
	view(t, s, func(tx store.Tx) error {
		done := make(chan error)
		go func() {
			done <- s.Update(context.Background(), func(tx store.Tx) error { return tx.Put("a", "k", []byte("2")) })
		}()
		if err := <-done; err != nil {
			t.Errorf("update beside a view: %v", err)
		}
		v, err := tx.Get("a", "k")
		if string(v) != "1" {
			t.Errorf("the view changed to %q", v)
		}
		return err
	})
	expect(t, s, "a", "k", "2")
}

func testReadOnly(t *testing.T, s store.Store) {
	view(t, s, func(tx store.Tx) error {
		if err := tx.Put("a", "k", nil); !errors.Is(err, store.ErrReadOnly) {
			t.Errorf("put: %v", err)
		}
		if err := tx.Delete("a", "k"); !errors.Is(err, store.ErrReadOnly) {
			t.Errorf("delete: %v", err)
		}
		return nil
	})
}

func testBadKeys(t *testing.T, s store.Store) {
	long := strings.Repeat("k", store.MaxKey+1)
	for _, k := range [][2]string{{"", "k"}, {"b", ""}, {"b", long}, {long, "k"}} {
		update(t, s, func(tx store.Tx) error {
			if err := tx.Put(k[0], k[1], nil); !errors.Is(err, store.ErrKey) {
				t.Errorf("%.9q: %v", k, err)
			}
			return nil
		})
	}
	update(t, s, func(tx store.Tx) error { return tx.Put("b", long[1:], []byte("v")) })
	expect(t, s, "b", long[1:], "v")
}

func testSerial(t *testing.T, s store.Store) {
	var wg sync.WaitGroup
	const writers, each = 4, 10
	for range writers {
		wg.Go(func() {
			for range each {
				update(t, s, func(tx store.Tx) error {
					v, err := tx.Get("a", "n")
					return errors.Join(err, tx.Put("a", "n", append([]byte("x"), v...)))
				})
			}
		})
	}
	wg.Wait()
	expect(t, s, "a", "n", strings.Repeat("x", writers*each))
}

func testCanceled(t *testing.T, s store.Store) {
	ctx, cancel := context.WithCancel(context.Background())
	err := s.Update(ctx, func(tx store.Tx) error { cancel(); return tx.Put("a", "k", []byte("v")) })
	if err != nil {
		t.Errorf("canceled within: %v", err)
	}
	expect(t, s, "a", "k", "v")
	never := func(store.Tx) error { t.Error("began"); return nil }
	if err := s.Update(ctx, never); !errors.Is(err, context.Canceled) {
		t.Errorf("update: %v", err)
	}
	if err := s.View(ctx, never); !errors.Is(err, context.Canceled) {
		t.Errorf("view: %v", err)
	}
}

func testClose(t *testing.T, s store.Store) {
	for range 2 {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	never := func(store.Tx) error { t.Error("began"); return nil }
	if err := s.Update(context.Background(), never); !errors.Is(err, store.ErrClosed) {
		t.Errorf("update: %v", err)
	}
	if err := s.View(context.Background(), never); !errors.Is(err, store.ErrClosed) {
		t.Errorf("view: %v", err)
	}
}

func testCloseWaits(t *testing.T, s store.Store) {
	in, closed, out := make(chan struct{}), make(chan error, 1), make(chan error, 1)
	leave := make(chan struct{})
	go func() {
		out <- s.View(context.Background(), func(tx store.Tx) error { close(in); <-leave; return nil })
	}()
	<-in
	go func() { closed <- s.Close() }()
	select {
	case <-closed:
		t.Error("closed while a transaction ran")
	default:
	}
	close(leave)
	if err := errors.Join(<-out, <-closed); err != nil {
		t.Error(err)
	}
}
