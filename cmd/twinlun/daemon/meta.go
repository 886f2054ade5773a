package daemon

import (
	"context"

	"twinlun/blockdev/pool"
	"twinlun/replication/store"
)

// meta lets the block layer keep its records in the store. The two do not know
// each other: their transactions have the same methods.
type meta struct{ store store.Store }

// Update is store.Store.Update.
func (m meta) Update(ctx context.Context, fn func(pool.MetaTx) error) error {
	return m.store.Update(ctx, func(tx store.Tx) error { return fn(tx) })
}

// View is store.Store.View.
func (m meta) View(ctx context.Context, fn func(pool.MetaTx) error) error {
	return m.store.View(ctx, func(tx store.Tx) error { return fn(tx) })
}
