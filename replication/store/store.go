// Package store is the persistent memory of the daemon: relationships, groups,
// jobs, volumes and exposures are records in it.
//
// Open gives the store that lives in one bbolt file; NewMem one that forgets.
package store

import "context"

// Store is an ordered, durable, transactional map of buckets. All methods may be
// called at the same time.
type Store interface {
	// Update runs fn and makes all that it wrote durable at once, or nothing
	// if fn fails. Updates run one after the other. fn must not start
	// another transaction. A canceled ctx is seen before fn begins only.
	Update(ctx context.Context, fn func(Tx) error) error
	// View runs fn on one unchanging state.
	View(ctx context.Context, fn func(Tx) error) error
	// Close waits for running transactions. Later calls fail with ErrClosed.
	Close() error
}

// Tx is one transaction; it must not be used after fn returns. Buckets need not
// be made first. Byte slices that it hands out belong to it and end with it;
// those given to it may not be changed before it ends.
type Tx interface {
	// Get returns nil if the key is not there.
	Get(bucket, key string) ([]byte, error)
	// Put of an empty key, or in a View, fails.
	Put(bucket, key string, value []byte) error
	// Delete of a key that is not there does nothing.
	Delete(bucket, key string) error
	// Scan calls fn for each key with the prefix in ascending byte order
	// until fn fails; fn must not write.
	Scan(bucket, prefix string, fn func(key string, value []byte) error) error
}
