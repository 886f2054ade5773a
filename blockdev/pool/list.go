package pool

import (
	"context"
	"slices"
	"strings"

	"twinlun/blockdev"
)

var (
	_ Walker = (*LayerPool)(nil)
	_ Namer  = (*LayerPool)(nil)
)

// List describes all volumes, ordered by name. They are described one after the
// other, so that nobody waits for the list.
func (p *LayerPool) List(ctx context.Context) ([]Volume, error) {
	var out []Volume
	err := p.Walk(ctx, func(v Volume) error {
		out = append(out, v)
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(out, func(a, b Volume) int { return strings.Compare(a.Name, b.Name) }) // some may have new names
	return out, nil
}

// Walk calls f for one volume after the other; see Walker. No lock is held
// meanwhile.
func (p *LayerPool) Walk(ctx context.Context, f func(Volume) error) error {
	all, err := p.inOrder(ctx)
	if err != nil {
		return err
	}
	for _, at := range all {
		v, err := p.Get(ctx, at.id)
		if blockdev.Is(err, blockdev.KindNotFound) {
			continue
		}
		if err == nil {
			err = f(v)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Count says how many volumes there are.
func (p *LayerPool) Count(ctx context.Context) (int, error) {
	if err := p.lockTree(ctx, "count volumes"); err != nil {
		return 0, err
	}
	defer p.mu.Unlock()
	return len(p.tree.volumes), nil
}

// inOrder lists the volumes by name. The list is shared and not changed any more.
func (p *LayerPool) inOrder(ctx context.Context) ([]named, error) {
	if err := p.lockTree(ctx, "list volumes"); err != nil {
		return nil, err
	}
	defer p.mu.Unlock()
	return p.tree.sorted(), nil
}
