package replication

import (
	"context"

	"twinlun/blockdev"
	"twinlun/blockdev/pool"
)

// reverter is what is needed of a pool to take volumes back; see pool.Reverter.
type reverter interface {
	RestoreSet(ctx context.Context, set []pool.Restoration) (restored, kept []pool.Volume, err error)
	ResetSet(ctx context.Context, ids []pool.VolumeID) ([]pool.Volume, error)
	Revision(ctx context.Context, id pool.VolumeID) (uint64, error)
}

// reverterOf is a pool as one that can take volumes back; KindUnsupported if it
// cannot.
func reverterOf(p pool.Pool) (reverter, error) {
	if told, ok := p.(*toldPool); ok {
		return told.reverter()
	}
	if r, ok := p.(reverter); ok {
		return r, nil
	}
	return nil, blockdev.Errorf(blockdev.KindUnsupported, "restore", "pool %s cannot take volumes back", p.Name())
}

// resizerOf is a pool as one that can make volumes smaller; KindUnsupported if it
// cannot.
func resizerOf(p pool.Pool) (pool.Resizer, error) {
	if r, ok := p.(pool.Resizer); ok {
		return r, nil
	}
	return nil, blockdev.Errorf(blockdev.KindUnsupported, "resize volume", "volumes of pool %s cannot be made smaller", p.Name())
}
