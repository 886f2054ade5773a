// Package setting keeps the settings that users make: named sets of values that a
// volume or a replica can be asked for by. What the values mean is for those who use
// them; here they are text by name.
package setting

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"twinlun/replication/store"
)

// Kind says what a setting is for. Each kind has identifiers and a quota of its own.
type Kind string

// The kinds.
const (
	Storage     Kind = "storage"     // how a volume is to be
	Replication Kind = "replication" // how a replica is to be made
)

// The failures beside InvalidError that a caller can do something about.
var (
	ErrNotFound = errors.New("setting: not found")
	ErrExists   = errors.New("setting: the identifier is taken")
	ErrFull     = errors.New("setting: there are as many as there may be")
)

// Record is one setting. The value is a copy.
type Record struct {
	Kind Kind   `json:"kind"`
	ID   string `json:"id"` // unique within its kind
	Name string `json:"name"`
	// Description may be empty.
	Description string            `json:"description,omitempty"`
	Values      map[string]string `json:"values,omitempty"`
	Created     time.Time         `json:"created"`
	Changed     time.Time         `json:"changed"`
}

// Config is what settings are kept with. Store is needed.
type Config struct {
	Store store.Store
	Time  func() time.Time // default: time.Now
	Rand  io.Reader        // of identifiers; default: crypto/rand
	// Max is how many there may be of each kind; default 1024.
	Max int
}

// bucket is where the settings are in the store, by kind/id; values are JSON.
const bucket = "settings"

// Keeper keeps settings. All methods may be called at the same time.
type Keeper struct {
	cfg Config

	randMu sync.Mutex // held while cfg.Rand is read
}

// New makes a Keeper. There may be one for a store.
func New(cfg Config) (*Keeper, error) {
	if cfg.Store == nil {
		return nil, errors.New("setting: a store is needed")
	}
	if cfg.Time == nil {
		cfg.Time = time.Now
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.Reader
	}
	if cfg.Max < 1 {
		cfg.Max = 1024
	}
	return &Keeper{cfg: cfg}, nil
}

// Setting is one setting; ErrNotFound if there is none.
func (k *Keeper) Setting(ctx context.Context, kind Kind, id string) (r Record, err error) {
	err = k.cfg.Store.View(ctx, func(tx store.Tx) error {
		r, err = get(tx, kind, id)
		return err
	})
	return r, err
}

// Settings lists those of a kind by ID.
func (k *Keeper) Settings(ctx context.Context, kind Kind) ([]Record, error) {
	var all []Record
	err := k.cfg.Store.View(ctx, func(tx store.Tx) error {
		all = nil
		return tx.Scan(bucket, string(kind)+"/", func(key string, b []byte) error {
			r, err := decode(key, b)
			all = append(all, r)
			return err
		})
	})
	return all, err
}

// CreateSetting keeps a new setting and returns it as it is kept: with times, and
// with an ID where r has none. It is durable then. ErrExists, ErrFull, *InvalidError.
func (k *Keeper) CreateSetting(ctx context.Context, r Record) (Record, error) {
	if r.ID == "" {
		id, err := k.newID()
		if err != nil {
			return Record{}, err
		}
		r.ID = id
	}
	if err := r.check(); err != nil {
		return Record{}, err
	}
	r.Created = k.cfg.Time()
	r.Changed = r.Created
	return r, k.cfg.Store.Update(ctx, func(tx store.Tx) error {
		_, err := get(tx, r.Kind, r.ID)
		switch {
		case err == nil:
			return fmt.Errorf("%w: %s", ErrExists, r.ID)
		case !errors.Is(err, ErrNotFound):
			return err
		}
		if err := k.checkRoom(tx, r.Kind); err != nil {
			return err
		}
		return put(tx, r)
	})
}

func (k *Keeper) checkRoom(tx store.Tx, kind Kind) error {
	n := 0
	err := tx.Scan(bucket, string(kind)+"/", func(string, []byte) error { n++; return nil })
	if err == nil && n >= k.cfg.Max {
		err = fmt.Errorf("%w: %d of kind %s", ErrFull, n, kind)
	}
	return err
}

// UpdateSetting changes a setting as f does and returns it as it is afterwards; it is
// durable then. f may change the name, the description and the values, and is called
// in a transaction: it must not use the store. When it fails nothing is changed.
// ErrNotFound, *InvalidError.
func (k *Keeper) UpdateSetting(ctx context.Context, kind Kind, id string, f func(*Record) error) (r Record, err error) {
	err = k.cfg.Store.Update(ctx, func(tx store.Tx) error {
		old, err := get(tx, kind, id)
		if err != nil {
			return err
		}
		r = old
		if err := f(&r); err != nil {
			return err
		}
		r.Kind, r.ID, r.Created, r.Changed = old.Kind, old.ID, old.Created, k.cfg.Time()
		if err := r.check(); err != nil {
			return err
		}
		return put(tx, r)
	})
	return r, err
}

// DeleteSetting forgets a setting; ErrNotFound if there is none.
func (k *Keeper) DeleteSetting(ctx context.Context, kind Kind, id string) error {
	return k.cfg.Store.Update(ctx, func(tx store.Tx) error {
		if _, err := get(tx, kind, id); err != nil {
			return err
		}
		return tx.Delete(bucket, key(kind, id))
	})
}

// newID makes an identifier that is unique for ever.
func (k *Keeper) newID() (string, error) {
	k.randMu.Lock()
	defer k.randMu.Unlock()
	var b [16]byte
	if _, err := io.ReadFull(k.cfg.Rand, b[:]); err != nil {
		return "", fmt.Errorf("make the identifier of a setting: %w", err)
	}
	return hex.EncodeToString(b[:]), nil
}

func key(kind Kind, id string) string { return string(kind) + "/" + id }

// get reads a record. What no setting can be called is not looked for: the store
// refuses some of it.
func get(tx store.Tx, kind Kind, id string) (Record, error) {
	if checkID(id) != nil {
		return Record{}, ErrNotFound
	}
	b, err := tx.Get(bucket, key(kind, id))
	switch {
	case err != nil:
		return Record{}, err
	case b == nil:
		return Record{}, fmt.Errorf("%w: %s", ErrNotFound, id)
	}
	return decode(key(kind, id), b)
}

func decode(key string, b []byte) (r Record, err error) {
	if err := json.Unmarshal(b, &r); err != nil {
		return Record{}, fmt.Errorf("decode setting %s: %w", key, err)
	}
	return r, nil
}

func put(tx store.Tx, r Record) error {
	b, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode setting %s: %w", r.ID, err)
	}
	return tx.Put(bucket, key(r.Kind, r.ID), b)
}
