package eventing

import (
	"bytes"
	"context"
	"maps"
	"sync"
)

// Store keeps records by id. What Put and Delete did is durable when they return.
// The methods may be called at the same time. Records hold the credentials of
// subscribers: nobody but the service may be able to read them.
type Store interface {
	// All is every record; the caller may keep and change it.
	All(ctx context.Context) (map[string][]byte, error)
	// Put adds or replaces a record; data is the caller's again when it returns.
	Put(ctx context.Context, id string, data []byte) error
	// Delete of an id that is not there does nothing.
	Delete(ctx context.Context, id string) error
}

// MemStore is a Store that forgets with the process. The zero value is ready.
type MemStore struct {
	mu      sync.Mutex // guards what follows
	records map[string][]byte
}

// All is a copy.
func (s *MemStore) All(ctx context.Context) (map[string][]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := maps.Clone(s.records)
	if out == nil {
		out = map[string][]byte{}
	}
	for id, data := range out {
		out[id] = bytes.Clone(data)
	}
	return out, ctx.Err()
}

// Put keeps a copy.
func (s *MemStore) Put(ctx context.Context, id string, data []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.records == nil {
		s.records = map[string][]byte{}
	}
	s.records[id] = bytes.Clone(data)
	return nil
}

// Delete forgets a record.
func (s *MemStore) Delete(ctx context.Context, id string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.records, id)
	return nil
}
