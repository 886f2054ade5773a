package store

import "errors"

// Failures that callers tell apart.
var (
	// ErrClosed: the store has been closed.
	ErrClosed = errors.New("store: closed")
	// ErrLocked: another process has the file open; the text names it where
	// the system tells.
	ErrLocked = errors.New("store: in use by another process")
	// ErrCorrupt: the file is damaged, or not a store. Nothing in it was
	// changed; once seen, every later call fails with it.
	ErrCorrupt = errors.New("store: damaged")
	// ErrFormat: the file was written by a version that knows more than this
	// one.
	ErrFormat = errors.New("store: format not known")
	// ErrReadOnly: a write in a View.
	ErrReadOnly = errors.New("store: write in a read-only transaction")
	// ErrKey: an empty or too long bucket or key.
	ErrKey = errors.New("store: invalid key")
)

// Limits of what can be stored.
const (
	MaxKey   = 1024     // bytes of a bucket name or a key
	MaxValue = 64 << 20 // bytes of a value
)

// checkPut is what every implementation checks before a Put.
func checkPut(bucket, key string, value []byte) error {
	switch {
	case bucket == "" || key == "" || len(bucket) > MaxKey || len(key) > MaxKey:
		return ErrKey
	case len(value) > MaxValue:
		return errors.New("store: value too large")
	}
	return nil
}
