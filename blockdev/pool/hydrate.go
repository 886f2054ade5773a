package pool

import (
	"context"
	"errors"
	"slices"
	"time"

	"twinlun/blockdev"
	"twinlun/blockdev/layer"
)

const opHydrate = "hydrate"

// filling is a Hydrate under way.
type filling struct {
	node   *node // the volume's top when it began
	held   []*node
	cancel context.CancelFunc
	ended  chan struct{}
}

// Hydrate copies what the volume shares with others into its own top layer and
// then cuts the layer off from those below. What the volume shares because of a
// snapshot that is taken of it meanwhile is not copied: the snapshot then depends
// on it, and both no longer on what was below.
func (p *LayerPool) Hydrate(ctx context.Context, id VolumeID, rate int64, progress Progress) error {
	for {
		again, err := p.hydrate(ctx, id, rate, progress)
		if err != nil || !again {
			return kinded(opHydrate, err)
		}
	}
}

// hydrate goes through the volume once; again says that its content was replaced
// meanwhile, or that another Hydrate was running.
func (p *LayerPool) hydrate(ctx context.Context, id VolumeID, rate int64, progress Progress) (again bool, err error) {
	u, err := p.acquire(ctx, opHydrate, id, 0)
	if err != nil {
		return false, err
	}
	v := u.vol
	defer p.release(v, 0)
	fillCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	f, err := p.beginFilling(v, cancel)
	if err != nil {
		return false, err
	}
	if f.node == nil {
		tell(progress, u.live.Chain().Top().Size())
		return false, p.forgetBase(ctx, v)
	}
	if f.cancel == nil {
		return true, await(ctx, f.ended)
	}
	defer p.endFilling(v, f)
	stop := context.AfterFunc(p.ctx, cancel)
	defer stop()
	if err := p.awaitMerge(fillCtx, f.node); err != nil {
		return p.interrupted(ctx, err)
	}
	if err := p.proveCopies(f.held[1:]...); err != nil {
		return false, err
	}
	top, below := f.layers()
	if err := top.Fill(fillCtx, below, newPace(top.Size(), rate, progress)); err != nil {
		return p.interrupted(ctx, err)
	}
	return p.cut(ctx, v, f)
}

// tell reports a whole that is done.
func tell(progress Progress, total int64) {
	if progress != nil {
		progress(total, total)
	}
}

// interrupted says what a copy that ended early means: a canceled one whose caller
// did not cancel it was canceled because the volume changed or the pool closes.
func (p *LayerPool) interrupted(ctx context.Context, err error) (again bool, _ error) {
	if errors.Is(err, context.Canceled) && ctx.Err() == nil {
		return true, nil
	}
	return false, err
}

// await waits for ended.
func await(ctx context.Context, ended <-chan struct{}) error {
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// beginFilling says what there is to do: nothing (node is nil), wait for another
// (cancel is nil), or copy, which endFilling ends.
func (p *LayerPool) beginFilling(v *volume, cancel context.CancelFunc) (*filling, error) {
	if err := p.lockStructure(context.Background(), opHydrate); err != nil {
		return nil, err
	}
	defer p.structure.Unlock()
	if p.tree.volumes[v.rec.ID] != v {
		return nil, notFound(opHydrate, v.rec.ID)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if v.filling != nil {
		return &filling{node: v.filling.node, ended: v.filling.ended}, nil
	}
	if _, shared := p.tree.exclusive(v); !shared {
		return &filling{}, nil
	}
	f := &filling{node: v.held[0], held: v.held, cancel: cancel, ended: make(chan struct{})}
	for _, n := range f.held {
		p.tree.hold(n)
	}
	f.node.filling = true
	v.filling = f
	p.tasks.Add(1)
	return f, nil
}

func (p *LayerPool) endFilling(v *volume, f *filling) {
	p.drop(f.held)
	p.mu.Lock()
	defer p.mu.Unlock()
	f.node.filling = false
	v.filling = nil
	close(f.ended)
	p.ringLocked()
	p.tasks.Done()
}

// layers is what to copy into and from.
func (f *filling) layers() (*layer.Layer, *layer.View) {
	below := make([]*layer.Layer, 0, len(f.held))
	for _, n := range f.held[1:] {
		below = append(below, n.live)
	}
	return f.held[0].live, layer.NewView(below, true)
}

// cut makes the layer that was filled stand on nothing; again says that v does not stand
// on it any more, which a snapshot does.
func (p *LayerPool) cut(ctx context.Context, v *volume, f *filling) (again bool, err error) {
	defer p.delayMerges()() // of what lies below, until nobody stands on it
	volumes, err := p.storeCut(ctx, f)
	if errors.Is(err, errGone) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	for _, n := range f.held[1:] {
		p.inherit(f.node, n)
	}
	p.rechain(volumes)
	return !slices.Contains(volumes, v), nil
}

// storeCut changes the tree, and gives the volumes that stand on the layer.
func (p *LayerPool) storeCut(ctx context.Context, f *filling) ([]*volume, error) {
	if err := p.lockStructure(ctx, opHydrate); err != nil {
		return nil, err
	}
	defer p.structure.Unlock()
	if f.node.gone {
		return nil, errGone
	}
	pl := newPlan(&p.tree)
	parent := f.node.rec.Parent
	pl.moveLayer(f.node.id, "")
	volumes := p.tree.above(f.node)
	for _, v := range volumes {
		pl.cutBase(v.rec)
	}
	pl.collect(parent)
	return volumes, p.commit(ctx, pl, nil)
}

// pacer keeps a copy to a rate and reports its progress.
type pacer struct {
	total, done  int64
	rate, copied int64
	began        time.Time
	progress     Progress
}

// newPace makes the Pace of a copy through total bytes; rate 0 is no limit.
func newPace(total, rate int64, progress Progress) layer.Pace {
	return (&pacer{total: total, rate: rate, progress: progress, began: time.Now()}).step
}

func (p *pacer) step(ctx context.Context, scanned, copied int64) error {
	p.done += scanned
	p.copied += copied
	if p.progress != nil {
		p.progress(min(p.done, p.total), p.total)
	}
	if p.rate <= 0 {
		return nil
	}
	due := p.began.Add(time.Duration(float64(p.copied) / float64(p.rate) * float64(time.Second)))
	wait := time.NewTimer(time.Until(due))
	defer wait.Stop()
	select {
	case <-wait.C:
		return nil
	case <-ctx.Done():
		return nil // the copy looks at ctx itself
	}
}

// errGone ends a merge whose layers have gone.
var errGone = blockdev.Errorf(blockdev.KindNotFound, "merge layers", "a layer has gone meanwhile")
