package pool

import (
	"context"

	"twinlun/blockdev"
)

// LayerPool is the Pool that keeps volumes as chains of layer files in a folder.
type LayerPool struct {
	Pool
}

// Open opens the pool that cfg describes, or makes an empty one, removes what an
// interrupted operation left behind and goes on with what it left undone.
func Open(ctx context.Context, cfg Config) (*LayerPool, error) {
	return nil, blockdev.Errorf(blockdev.KindUnsupported, "open pool "+cfg.Name, "the layer store is not here yet")
}

// Close ends the background work, makes all volumes durable and gives the folder
// free. Handles that are still open fail afterwards with KindClosed.
func (p *LayerPool) Close() error { return nil }

// WaitIdle returns when no merge of layers is running or due.
func (p *LayerPool) WaitIdle(ctx context.Context) error { return ctx.Err() }
