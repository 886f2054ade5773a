package storetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"twinlun/replication/store"
)

// testModel compares random transactions, some of which fail, with a map.
func testModel(t *testing.T, s store.Store) {
	rnd := rand.New(rand.NewPCG(1, 2))
	model := map[string]string{}
	boom := errors.New("boom")
	for range 60 {
		next := maps.Clone(model)
		fail := rnd.IntN(4) == 0
		err := s.Update(context.Background(), func(tx store.Tx) error {
			for range rnd.IntN(20) {
				if err := change(rnd, tx, next); err != nil {
					return err
				}
			}
			if fail {
				return boom
			}
			return nil
		})
		switch {
		case fail && !errors.Is(err, boom), !fail && err != nil:
			t.Fatal(err)
		case !fail:
			model = next
		}
		same(t, s, model)
	}
}

// change does one random thing to both.
func change(rnd *rand.Rand, tx store.Tx, model map[string]string) error {
	key := fmt.Sprintf("%02d", rnd.IntN(60))
	if rnd.IntN(3) == 0 {
		delete(model, key)
		return tx.Delete("m", key)
	}
	value := strings.Repeat(key, rnd.IntN(400))
	model[key] = value
	return tx.Put("m", key, []byte(value))
}

func same(t *testing.T, s store.Store, model map[string]string) {
	t.Helper()
	got := map[string]string{}
	view(t, s, func(tx store.Tx) error {
		var order []string
		err := tx.Scan("m", "", func(k string, v []byte) error {
			order = append(order, k)
			got[k] = string(v)
			return nil
		})
		if !slices.IsSorted(order) {
			t.Errorf("order: %v", order)
		}
		return err
	})
	if !maps.Equal(got, model) {
		t.Fatalf("the store has %d keys, the model %d, or values differ", len(got), len(model))
	}
}

func update(t *testing.T, s store.Store, fn func(store.Tx) error) {
	t.Helper()
	if err := s.Update(context.Background(), fn); err != nil {
		t.Errorf("update: %v", err)
	}
}

func view(t *testing.T, s store.Store, fn func(store.Tx) error) {
	t.Helper()
	if err := s.View(context.Background(), fn); err != nil {
		t.Errorf("view: %v", err)
	}
}

// expect wants a value, or with "" that there is none.
func expect(t *testing.T, s store.Store, bucket, key, want string) {
	t.Helper()
	view(t, s, func(tx store.Tx) error {
		v, err := tx.Get(bucket, key)
		if string(v) != want || want == "" && v != nil {
			t.Errorf("%s/%.20s is %.60q, want %.60q", bucket, key, v, want)
		}
		return err
	})
}

func keys(t *testing.T, tx store.Tx, bucket, prefix string) string {
	t.Helper()
	var all []string
	if err := tx.Scan(bucket, prefix, func(k string, _ []byte) error { all = append(all, k); return nil }); err != nil {
		t.Errorf("scan: %v", err)
	}
	return strings.Join(all, " ")
}
