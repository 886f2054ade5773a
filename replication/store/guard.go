package store

import (
	"fmt"
	"runtime/debug"
)

// guard runs f, which calls bbolt, and turns its panics - also those of reading
// beyond the end of a mapped file - into ErrCorrupt.
func guard(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", ErrCorrupt, r)
		}
	}()
	return f()
}

// guard is guard that remembers: after damage was seen it does not run f.
func (b *bolt) guard(f func() error) error {
	if err := b.damage(); err != nil {
		return err
	}
	err := guard(f)
	if err == nil {
		return nil
	}
	return b.note(err)
}

// damage is the damage that was seen, or nil.
func (b *bolt) damage() error {
	b.state.Lock()
	defer b.state.Unlock()
	return b.state.damage
}
