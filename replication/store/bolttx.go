package store

import (
	"bytes"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"
)

// boltTx is one transaction; each step is guarded on its own, so that a panic of
// the caller's function stays one.
type boltTx struct {
	b     *bolt
	tx    *bbolt.Tx
	write bool
}

// note wraps what bbolt says, and remembers damage.
func (b *bolt) note(err error) error {
	if !errors.Is(err, ErrCorrupt) {
		return fmt.Errorf("store: %w", err)
	}
	b.state.Lock()
	defer b.state.Unlock()
	if b.state.damage == nil {
		b.state.damage = err
	}
	return b.state.damage
}

// Get implements Tx.
func (t *boltTx) Get(bucket, key string) (v []byte, err error) {
	err = t.b.guard(func() error {
		if bk := t.tx.Bucket([]byte(bucket)); bk != nil {
			v = bk.Get([]byte(key))
		}
		return nil
	})
	return v, err
}

// Put implements Tx.
func (t *boltTx) Put(bucket, key string, value []byte) error {
	if !t.write {
		return ErrReadOnly
	}
	if err := checkPut(bucket, key, value); err != nil {
		return err
	}
	return t.b.guard(func() error {
		bk, err := t.tx.CreateBucketIfNotExists([]byte(bucket))
		if err != nil {
			return err
		}
		return bk.Put([]byte(key), value)
	})
}

// Delete implements Tx.
func (t *boltTx) Delete(bucket, key string) error {
	if !t.write {
		return ErrReadOnly
	}
	return t.b.guard(func() error {
		if bk := t.tx.Bucket([]byte(bucket)); bk != nil {
			return bk.Delete([]byte(key))
		}
		return nil
	})
}

// Scan implements Tx.
func (t *boltTx) Scan(bucket, prefix string, fn func(key string, value []byte) error) error {
	var cursor *bbolt.Cursor
	var k, v []byte
	step := func(move func() ([]byte, []byte)) error {
		return t.b.guard(func() error { k, v = move(); return nil })
	}
	err := step(func() ([]byte, []byte) {
		if bk := t.tx.Bucket([]byte(bucket)); bk != nil {
			cursor = bk.Cursor()
			return cursor.Seek([]byte(prefix))
		}
		return nil, nil
	})
	for err == nil && k != nil && bytes.HasPrefix(k, []byte(prefix)) {
		if err := fn(string(k), v); err != nil {
			return err
		}
		err = step(cursor.Next)
	}
	return err
}
