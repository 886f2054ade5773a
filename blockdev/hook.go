package blockdev

import "context"

// Op is what a Change does to a device.
type Op uint8

// The operations that pass through hooks.
const (
	OpWrite Op = iota + 1 // Data replaces [Off, Off+Len)
	OpZero                // [Off, Off+Len) becomes zeros
	OpFlush               // everything written before becomes durable; Off and Len are 0
)

// Change is one modification on its way to a device.
type Change struct {
	Op       Op
	Off, Len int64  // bytes
	Data     []byte // OpWrite: Len bytes, valid only until Apply returns; otherwise nil
	FUA      bool   // the change must be durable when it is answered
}

// Hook stands in the write path of a device: a mirror, a tracker of changes, a
// guard that refuses writes.
type Hook interface {
	// Apply lets c happen by calling next, at most once, and may act before,
	// after or instead. What it returns is what the writer gets. Apply runs
	// at the same time for changes that are under way together, also where
	// they overlap.
	Apply(ctx context.Context, c Change, next func() error) error
}
