// Package pooltest has the conformance suite of pool.Pool, a pool.Meta in memory
// and a model of volumes, for the tests of pools and of what stands on them.
package pooltest

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"

	"twinlun/blockdev/pool"
)

// Meta is a pool.Meta in memory.
type Meta struct {
	// Commit, if it is set, is asked when a transaction is about to be made:
	// whether it is made, and what Update returns. Both may disagree, as
	// when power is lost.
	Commit func() (apply bool, err error)

	mu   sync.Mutex
	data map[string]string // bucket, NUL, key
}

// NewMeta makes an empty one.
func NewMeta() *Meta { return &Meta{data: map[string]string{}} }

// Update runs fn on a copy, which then takes the place of what was.
func (m *Meta) Update(ctx context.Context, fn func(pool.MetaTx) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	tx := &metaTx{data: maps.Clone(m.data), write: true}
	if err := fn(tx); err != nil {
		return err
	}
	apply, err := true, error(nil)
	if m.Commit != nil {
		apply, err = m.Commit()
	}
	if apply {
		m.data = tx.data
	}
	return err
}

// SetCommit sets Commit while the Meta is in use.
func (m *Meta) SetCommit(f func() (apply bool, err error)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.Commit = f
}

// View runs fn on what is there.
func (m *Meta) View(ctx context.Context, fn func(pool.MetaTx) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	return fn(&metaTx{data: m.data})
}

// Len is the number of records.
func (m *Meta) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.data)
}

type metaTx struct {
	data  map[string]string
	write bool
}

var errReadOnly = errors.New("pooltest: write in a View")

func (t *metaTx) Get(bucket, key string) ([]byte, error) {
	if v, ok := t.data[bucket+"\x00"+key]; ok {
		return []byte(v), nil
	}
	return nil, nil
}

func (t *metaTx) Put(bucket, key string, value []byte) error {
	if !t.write {
		return errReadOnly
	}
	t.data[bucket+"\x00"+key] = string(value)
	return nil
}

func (t *metaTx) Delete(bucket, key string) error {
	if !t.write {
		return errReadOnly
	}
	delete(t.data, bucket+"\x00"+key)
	return nil
}

func (t *metaTx) Scan(bucket, prefix string, fn func(key string, value []byte) error) error {
	begin := bucket + "\x00"
	for _, k := range slices.Sorted(maps.Keys(t.data)) {
		if !strings.HasPrefix(k, begin+prefix) {
			continue
		}
		if err := fn(k[len(begin):], []byte(t.data[k])); err != nil {
			return err
		}
	}
	return nil
}

// Clone is another Meta with what is there now: a backup.
func (m *Meta) Clone() *Meta {
	m.mu.Lock()
	defer m.mu.Unlock()
	return &Meta{data: maps.Clone(m.data)}
}
