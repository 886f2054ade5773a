package setting

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/replication/store"
	"twinlun/replication/store/faultstore"
)

var (
	ctx  = context.Background()
	then = time.Date(2026, 11, 22, 10, 30, 0, 0, time.UTC)
)

// keeper makes a Keeper whose clock goes a second with each look.
func keeper(t *testing.T, s store.Store, most int) *Keeper {
	var looks atomic.Int64
	k, err := New(Config{Store: s, Max: most, Time: func() time.Time { return then.Add(time.Duration(looks.Add(1)) * time.Second) }})
	require.NoError(t, err)
	return k
}

func gold(id string) Record {
	return Record{Kind: Storage, ID: id, Name: "Gold", Description: "the\nbest", Values: map[string]string{"Redundancy": "1"}}
}

// Every store keeps settings over a restart.
func TestSettings(t *testing.T) {
	file := filepath.Join(t.TempDir(), "s.db")
	bolt := func() store.Store {
		s, err := store.Open(file, store.Options{})
		require.NoError(t, err)
		return s
	}
	for name, open := range map[string]func() store.Store{"memory": store.NewMem, "bolt": bolt} {
		t.Run(name, func(t *testing.T) {
			s := open()
			k := keeper(t, s, 10)
			made, err := k.CreateSetting(ctx, gold("b"))
			require.NoError(t, err)
			want := gold("b")
			want.Created, want.Changed = then.Add(time.Second), then.Add(time.Second)
			require.Equal(t, want, made)
			other, err := k.CreateSetting(ctx, gold("a"))
			require.NoError(t, err)
			_, err = k.CreateSetting(ctx, Record{Kind: Replication, ID: "a", Name: "x"})
			require.NoError(t, err, "kinds have identifiers of their own")

			want, err = k.UpdateSetting(ctx, Storage, "b", func(r *Record) error {
				r.Kind, r.ID, r.Created = Replication, "z", time.Time{}
				r.Name, r.Values["Redundancy"] = "Silver", "2"
				return nil
			})
			require.NoError(t, err)
			require.Equal(t, Record{Kind: Storage, ID: "b", Name: "Silver", Description: "the\nbest", Values: map[string]string{"Redundancy": "2"}, Created: made.Created, Changed: then.Add(4 * time.Second)}, want)
			if name == "bolt" {
				require.NoError(t, s.Close())
				s = open()
				k = keeper(t, s, 10)
			}
			got, err := k.Setting(ctx, Storage, "b")
			require.NoError(t, err)
			require.Equal(t, want, got)
			all, err := k.Settings(ctx, Storage)
			require.NoError(t, err)
			require.Equal(t, []Record{other, want}, all)
			require.NoError(t, k.DeleteSetting(ctx, Storage, "b"))
			require.ErrorIs(t, k.DeleteSetting(ctx, Storage, "b"), ErrNotFound)
			_, err = k.Setting(ctx, Storage, "b")
			require.ErrorIs(t, err, ErrNotFound)
			_, err = k.UpdateSetting(ctx, Storage, "b", func(*Record) error { return nil })
			require.ErrorIs(t, err, ErrNotFound)
			require.NoError(t, s.Close())
		})
	}
}

func TestIdentifiers(t *testing.T) {
	k, err := New(Config{Store: store.NewMem(), Rand: bytes.NewReader(bytes.Repeat([]byte{0xab}, 16))})
	require.NoError(t, err)
	r, err := k.CreateSetting(ctx, gold(""))
	require.NoError(t, err)
	require.Equal(t, strings.Repeat("ab", 16), r.ID)
	_, err = k.CreateSetting(ctx, gold(r.ID))
	require.ErrorIs(t, err, ErrExists)
	_, err = k.CreateSetting(ctx, gold(""))
	require.ErrorContains(t, err, "EOF", "no randomness, no identifier")
	_, err = New(Config{})
	require.Error(t, err)
}

func TestRefused(t *testing.T) {
	many := map[string]string{}
	for i := range maxValues + 1 {
		many[fmt.Sprint(i)] = ""
	}
	for name, spoil := range map[string]func(*Record){
		"kind":              func(r *Record) { r.Kind = "x" },
		"id with a slash":   func(r *Record) { r.ID = "a/b" },
		"id with a colon":   func(r *Record) { r.ID = "a:b" },
		"long id":           func(r *Record) { r.ID = strings.Repeat("a", MaxID+1) },
		"no name":           func(r *Record) { r.Name = "" },
		"long name":         func(r *Record) { r.Name = strings.Repeat("a", MaxName+1) },
		"name with a bell":  func(r *Record) { r.Name = "a\a" },
		"name with a space": func(r *Record) { r.Name = " a" },
		"name not UTF-8":    func(r *Record) { r.Name = "a\xff" },
		"long description":  func(r *Record) { r.Description = strings.Repeat("a", MaxDescription+1) },
		"odd description":   func(r *Record) { r.Description = "\x00" },
		"many values":       func(r *Record) { r.Values = many },
		"long value":        func(r *Record) { r.Values = map[string]string{"a": strings.Repeat("a", maxValue+1)} },
		"value of nothing":  func(r *Record) { r.Values = map[string]string{"": "a"} },
	} {
		t.Run(name, func(t *testing.T) {
			k := keeper(t, store.NewMem(), 10)
			r := gold("a")
			spoil(&r)
			_, err := k.CreateSetting(ctx, r)
			require.ErrorAs(t, err, new(*InvalidError))
			for _, kind := range []Kind{Storage, Replication} {
				all, err := k.Settings(ctx, kind)
				require.NoError(t, err)
				require.Empty(t, all)
			}
			made, err := k.CreateSetting(ctx, gold("b"))
			require.NoError(t, err)
			if r.Kind != Storage || r.ID != "a" {
				return // an update leaves those as they are
			}
			_, err = k.UpdateSetting(ctx, Storage, "b", func(b *Record) error { spoil(b); return nil })
			require.ErrorAs(t, err, new(*InvalidError))
			got, err := k.Setting(ctx, Storage, "b")
			require.NoError(t, err)
			require.Equal(t, made, got)
		})
	}
	k := keeper(t, store.NewMem(), 10)
	for _, id := range []string{"", "a/b", strings.Repeat("k", 1<<16)} {
		_, err := k.Setting(ctx, Storage, id)
		require.ErrorIs(t, err, ErrNotFound, "%.9q", id)
	}
}

func TestQuota(t *testing.T) {
	k := keeper(t, store.NewMem(), 3)
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wg.Go(func() { _, errs[i] = k.CreateSetting(ctx, gold(fmt.Sprint(i))) })
	}
	wg.Wait()
	full := 0
	for _, err := range errs {
		if err != nil {
			require.ErrorIs(t, err, ErrFull)
			full++
		}
	}
	require.Equal(t, 5, full)
	_, err := k.CreateSetting(ctx, Record{Kind: Replication, Name: "x"})
	require.NoError(t, err, "the other kind has a quota of its own")
	all, err := k.Settings(ctx, Storage)
	require.NoError(t, err)
	require.NoError(t, k.DeleteSetting(ctx, Storage, all[0].ID))
	_, err = k.CreateSetting(ctx, gold("new"))
	require.NoError(t, err)
}

// No update is lost.
func TestUpdatesAtOnce(t *testing.T) {
	k := keeper(t, store.NewMem(), 3)
	_, err := k.CreateSetting(ctx, gold("a"))
	require.NoError(t, err)
	const writers = 16
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			_, err := k.UpdateSetting(ctx, Storage, "a", func(r *Record) error { r.Values[fmt.Sprint(i)] = "x"; return nil })
			require.NoError(t, err)
		})
	}
	wg.Wait()
	r, err := k.Setting(ctx, Storage, "a")
	require.NoError(t, err)
	require.Len(t, r.Values, writers+1)
}

func TestStoreFaults(t *testing.T) {
	for _, point := range []faultstore.Point{faultstore.Before, faultstore.AtCommit} {
		s := faultstore.New(store.NewMem())
		k := keeper(t, s, 10)
		made, err := k.CreateSetting(ctx, gold("a"))
		require.NoError(t, err)
		for name, change := range map[string]func() error{
			"create": func() error { _, err := k.CreateSetting(ctx, gold("b")); return err },
			"update": func() error {
				_, err := k.UpdateSetting(ctx, Storage, "a", func(r *Record) error { r.Name = "x"; return nil })
				return err
			},
			"delete": func() error { return k.DeleteSetting(ctx, Storage, "a") },
		} {
			s.Plan(faultstore.Fault{Update: 1, Point: point})
			require.ErrorIs(t, change(), faultstore.ErrFault, name)
			all, err := k.Settings(ctx, Storage)
			require.NoError(t, err)
			require.Equal(t, []Record{made}, all, name)
		}
	}
	mine := errors.New("mine")
	k := keeper(t, store.NewMem(), 10)
	_, err := k.CreateSetting(ctx, gold("a"))
	require.NoError(t, err)
	_, err = k.UpdateSetting(ctx, Storage, "a", func(r *Record) error { r.Name = "x"; return mine })
	require.ErrorIs(t, err, mine)
	r, err := k.Setting(ctx, Storage, "a")
	require.NoError(t, err)
	require.Equal(t, "Gold", r.Name)
}

// A record that cannot be read is an error and no empty setting.
func TestDamage(t *testing.T) {
	s := store.NewMem()
	require.NoError(t, s.Update(ctx, func(tx store.Tx) error { return tx.Put(bucket, "storage/a", []byte("{")) }))
	k := keeper(t, s, 10)
	_, err := k.Setting(ctx, Storage, "a")
	require.ErrorContains(t, err, "storage/a")
	require.NotErrorIs(t, err, ErrNotFound)
	_, err = k.Settings(ctx, Storage)
	require.ErrorContains(t, err, "storage/a")
	_, err = k.CreateSetting(ctx, gold("a"))
	require.Error(t, err)
}
