package mirror

import (
	"context"
	"errors"

	"twinlun/blockdev"
	"twinlun/replication/bitmap"
	"twinlun/replication/store"
)

// Mirror keeps one pair equal. All methods may be called at the same time.
type Mirror struct{}

var errLater = errors.New("mirror: being written")

// Start puts the hook in place and brings both sides together: it copies what
// the log says, or all that the source holds when there is no log yet. It returns
// when every write is tracked; the copy goes on in the background. After a
// restart of the daemon it must be called before hosts can write to the source.
func Start(ctx context.Context, c Config) (*Mirror, error) { return nil, errLater }

// Reconnect gives a Mirror that is broken its target again, and copies what
// changed meanwhile.
func (m *Mirror) Reconnect(ctx context.Context, target blockdev.Device) error { return errLater }

// Status is how the Mirror stands now.
func (m *Mirror) Status() Status { return Status{} }

// Stop takes the hook out and waits for writes and the copy to end. The log stays
// in the store and holds what is still to be copied; ctx bounds only the flush
// that shortens it. A second call does nothing.
func (m *Mirror) Stop(ctx context.Context) error { return errLater }

// Forget removes the log of a relationship, as part of the caller's transaction.
// Its Mirror must be stopped.
func Forget(tx store.Tx, id string) error { return bitmap.Remove(tx, id) }
