package pool

import "context"

// Meta keeps a pool's records: an ordered, durable, transactional map. It is the
// part of the persistent store that the block layer needs.
type Meta interface {
	// Update runs fn and makes all that it wrote durable at once, or nothing
	// if fn fails. Updates run one after the other.
	Update(ctx context.Context, fn func(MetaTx) error) error
	// View runs fn on one unchanging state.
	View(ctx context.Context, fn func(MetaTx) error) error
}

// MetaTx is one transaction of a Meta; it must not be used after fn returns.
// Buckets need not be made first. Byte slices that it hands out belong to it and
// end with it; those given to it may not be changed before it ends.
type MetaTx interface {
	// Get returns nil if the key is not there.
	Get(bucket, key string) ([]byte, error)
	Put(bucket, key string, value []byte) error
	// Delete of a key that is not there does nothing.
	Delete(bucket, key string) error
	// Scan calls fn for each key with the prefix in ascending order until fn
	// fails; fn must not write.
	Scan(bucket, prefix string, fn func(key string, value []byte) error) error
}
