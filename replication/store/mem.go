package store

import (
	"context"
	"sync"
)

// mem is a Store that keeps immutable trees: a View is a look at the tree of the
// moment, an Update makes the next one.
type mem struct {
	writing sync.Mutex     // one Update after the other
	running sync.WaitGroup // transactions

	mu     sync.Mutex // guards closed and root
	closed bool
	root   map[string]*node // never changed once it is here
}

// NewMem makes a store that forgets all when it is closed; otherwise it behaves
// like that of Open.
func NewMem() Store { return &mem{} }

// begin is the root of the moment, and a transaction that Close waits for.
func (m *mem) begin() (map[string]*node, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, ErrClosed
	}
	m.running.Add(1)
	return m.root, nil
}

// Update implements Store.
func (m *mem) Update(ctx context.Context, fn func(Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.writing.Lock()
	defer m.writing.Unlock()
	root, err := m.begin()
	if err != nil {
		return err
	}
	defer m.running.Done()
	tx := &memTx{write: true, root: make(map[string]*node, len(root)+1)}
	for name, n := range root {
		tx.root[name] = n
	}
	if err := fn(tx); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.root = tx.root
	return nil
}

// View implements Store.
func (m *mem) View(ctx context.Context, fn func(Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	root, err := m.begin()
	if err != nil {
		return err
	}
	defer m.running.Done()
	return fn(&memTx{root: root})
}

// Close implements Store.
func (m *mem) Close() error {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	m.running.Wait()
	return nil
}

// memTx is one transaction; root is its own when it writes.
type memTx struct {
	write bool
	root  map[string]*node
}

// Get implements Tx.
func (t *memTx) Get(bucket, key string) ([]byte, error) {
	return t.root[bucket].get(key), nil
}

// Put implements Tx.
func (t *memTx) Put(bucket, key string, value []byte) error {
	if !t.write {
		return ErrReadOnly
	}
	if err := checkPut(bucket, key, value); err != nil {
		return err
	}
	t.root[bucket] = t.root[bucket].put(key, append([]byte{}, value...))
	return nil
}

// Delete implements Tx.
func (t *memTx) Delete(bucket, key string) error {
	if !t.write {
		return ErrReadOnly
	}
	if t.root[bucket].get(key) != nil {
		t.root[bucket] = t.root[bucket].remove(key)
	}
	return nil
}

// Scan implements Tx.
func (t *memTx) Scan(bucket, prefix string, fn func(key string, value []byte) error) error {
	return t.root[bucket].scan(prefix, fn)
}
