package pool

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"syscall"
	"time"

	"twinlun/blockdev"
	"twinlun/blockdev/layer"
	"twinlun/blockdev/vfs"
)

// LayerPool is the Pool that keeps volumes as chains of layer files in a folder.
//
// Two locks: structure is held by whoever changes the tree of layers, also while
// the change is stored; mu guards what is in memory, for moments. Reading and
// writing volumes takes neither. turn.go says what else keeps changes apart.
type LayerPool struct {
	name  string
	fs    vfs.FS
	unfs  func() error // closes fs if it is ours
	meta  Meta
	log   *slog.Logger
	now   func() time.Time
	rand  io.Reader
	ctx   context.Context // ends with Close
	stop  context.CancelFunc
	tasks sync.WaitGroup // the merger, hydrations, retired chains, changes under way

	limit  int64 // of the sum of the volumes' sizes; 0: none
	spared int64 // Config.Reserve
	zeros  bool  // Config.DetectZeros
	budget *layer.Budget

	structure sync.Mutex
	unsettled *plan // what the store may have otherwise than the tree; nil: nothing. structure guards it
	mergeRate int64 // bytes a second

	marks       marks
	checksums   bool
	verifyReads bool
	sumRate     int64 // bytes a second
	onDamage    func(Damage)

	mu         sync.Mutex
	tree       tree
	closed     bool
	lost       lost
	summing    *summing                     // nil: no layer is summed or verified
	scrubs     int                          // that are running
	doubt      []string                     // layers that a failed transaction may have stored
	draining   map[<-chan struct{}]struct{} // retired chains that are being read, and what delays merges
	merge      *merging
	discarding int                 // goroutines that remove files
	stuck      map[string]struct{} // layers that could not be merged
	bell       chan struct{}       // closed and made anew when something above changes
}

var _ Pool = (*LayerPool)(nil)

// Open opens the pool that cfg describes, or makes an empty one, removes what an
// interrupted operation left behind, moves aside the files of layers that Meta does
// not know, and goes on with what was left undone. KindBusy: the folder is open
// already; KindInvalid: cfg lacks something.
func Open(ctx context.Context, cfg Config) (*LayerPool, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	p := newLayerPool(cfg)
	if err := p.open(ctx, cfg); err != nil {
		p.stop()
		return nil, errors.Join(err, p.unfs())
	}
	if len(p.tree.unsure) > together {
		p.tasks.Go(p.measureAll)
	}
	p.tasks.Go(p.mergeLayers)
	if p.checksums {
		p.tasks.Go(p.sumLayers)
	}
	return p, nil
}

func (c Config) check() error {
	const op = "open pool"
	if err := ValidName(c.Name); err != nil {
		return err
	}
	switch {
	case strings.Contains(c.Name, "/"):
		return blockdev.Errorf(blockdev.KindInvalid, op, "its name %q has a '/'", c.Name)
	case c.Meta == nil:
		return blockdev.Errorf(blockdev.KindInvalid, op, "it has no Meta")
	case c.Dir == "" && c.FS == nil:
		return blockdev.Errorf(blockdev.KindInvalid, op, "it has no folder")
	}
	return nil
}

func newLayerPool(cfg Config) *LayerPool {
	p := &LayerPool{
		name: cfg.Name, fs: cfg.FS, meta: cfg.Meta, log: cfg.Logger, now: cfg.Time, rand: cfg.Rand,
		unfs: func() error { return nil }, tree: newTree(), bell: make(chan struct{}),
		draining: map[<-chan struct{}]struct{}{}, stuck: map[string]struct{}{},
		mergeRate: cmp.Or(cfg.MergeRate, mergeRate), marks: marks{issued: map[string]struct{}{}},
		checksums: cfg.Checksums, verifyReads: cfg.VerifyReads, sumRate: cmp.Or(cfg.SumRate, sumRate), onDamage: cfg.Damaged,
		limit: max(0, cfg.MaxProvisioned), spared: cfg.Reserve, zeros: cfg.DetectZeros,
	}
	p.ctx, p.stop = context.WithCancel(context.Background())
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	if p.now == nil {
		p.now = time.Now
	}
	if p.rand == nil {
		p.rand = rand.Reader
	}
	return p
}

func (p *LayerPool) open(ctx context.Context, cfg Config) error {
	if err := p.openFolder(cfg); err != nil {
		return err
	}
	if err := p.openBudget(); err != nil {
		return err
	}
	if err := p.load(ctx); err != nil {
		return metaError("open pool "+p.name, err)
	}
	if err := p.adoptFolder(ctx); err != nil {
		return err
	}
	return p.tidyFolder(ctx)
}

// openFolder opens the folder and has it for itself.
func (p *LayerPool) openFolder(cfg Config) error {
	if p.fs != nil {
		return nil
	}
	dir, err := vfs.OpenDir(cfg.Dir)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return blockdev.Errorf(blockdev.KindBusy, "open pool "+p.name, "another process has it open: %w", err)
	}
	if err != nil {
		return blockdev.Wrap(blockdev.KindIO, "open pool "+p.name, err)
	}
	p.fs, p.unfs = dir, dir.Close
	return nil
}

// Name is the pool's name.
func (p *LayerPool) Name() string { return p.name }

// Close ends the background work and every Hydrate, makes all volumes durable,
// waits for reads that are under way, and gives the folder free. Handles that are
// still open fail with KindClosed. The error is that of the volumes that could not
// be made durable. A second Close does nothing.
func (p *LayerPool) Close() error {
	p.structure.Lock()
	p.mu.Lock()
	already := p.closed
	p.closed = true
	p.mu.Unlock()
	p.structure.Unlock()
	if already {
		return nil
	}
	p.stop()
	err := p.closeVolumes()
	p.tasks.Wait()
	p.closeMarks()
	return errors.Join(err, p.unfs())
}

// closeVolumes flushes and closes all volumes that are in use. Nobody opens one any
// more.
func (p *LayerPool) closeVolumes() error {
	p.mu.Lock()
	var all []inUse
	for _, v := range p.tree.volumes {
		if v.live != nil {
			all = append(all, v.useLocked())
		}
	}
	p.mu.Unlock()
	var failed error
	for _, u := range all {
		failed = errors.Join(failed, p.closeVolume(u))
	}
	return failed
}

// closeVolume makes a volume durable and closes it, unless it is deleted meanwhile.
func (p *LayerPool) closeVolume(u inUse) error {
	u.live.Close()
	err := u.live.Drain()
	p.mu.Lock()
	defer p.mu.Unlock()
	if u.vol.live != u.live {
		return nil
	}
	if err != nil {
		p.log.Error("volume could not be made durable", "volume", u.vol.id, "name", u.vol.rec.Name, "err", err)
	}
	p.shutLocked(u.vol)
	return err
}

// commit stores the plan and puts it into the tree. If it cannot be stored, nothing
// has changed. Of fresh, the layers that were made for it, those that are in the tree
// then are open there, and stay so until fresh is closed; those that the store may have
// although it failed are removed as soon as it cannot. structure is held.
func (p *LayerPool) commit(ctx context.Context, pl *plan, fresh *freshLayers) error {
	sure, err := p.store(ctx, pl)
	if err != nil {
		if !sure {
			p.undo(pl, err, fresh.doubt())
		}
		return err
	}
	grounded := pl.grounded()
	p.mu.Lock()
	p.tree.apply(pl)
	fresh.adoptLocked()
	p.unstickLocked()
	p.ringLocked()
	p.mu.Unlock()
	p.discard(append(pl.removed(), p.settled()...), grounded)
	return nil
}

// discard removes the files of layers that are gone, and the maps of those that need
// none any more, without letting the caller wait.
func (p *LayerPool) discard(gone, grounded []string) {
	if len(gone)+len(grounded) == 0 {
		return
	}
	p.mu.Lock()
	p.discarding++
	p.mu.Unlock()
	p.tasks.Go(func() {
		for _, id := range gone {
			_ = p.stopSumming(context.Background(), id) // else it might make a file of sums again
			p.removeFiles(id)
		}
		for _, id := range grounded {
			p.ground(id)
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.discarding--
		p.ringLocked()
	})
}

// undo stores again what the tree has, after a plan that may have been stored
// although it failed. If that fails, too, the next start may find the plan, so the
// layers that it removes must take no writes that would be gone then, and the next
// transaction that is made undoes it. fresh are the layers that it adds.
func (p *LayerPool) undo(pl *plan, cause error, fresh []string) {
	p.mu.Lock()
	p.doubt = append(p.doubt, fresh...)
	p.mu.Unlock()
	if _, err := p.store(context.Background(), pl.inverse()); err == nil {
		p.discard(p.settled(), nil)
		return
	}
	p.log.Error("the store is in doubt about a change", "pool", p.name, "err", cause)
	if p.unsettled == nil {
		p.unsettled = newPlan(&p.tree)
	}
	maps.Copy(p.unsettled.layers, pl.layers)
	maps.Copy(p.unsettled.volumes, pl.volumes)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range pl.removed() {
		if n := p.tree.nodes[id]; n != nil && n.live != nil {
			n.live.Fail(cause)
		}
	}
}

// settleDoubt makes sure that the store has what the tree has.
func (p *LayerPool) settleDoubt(ctx context.Context) error {
	if err := p.lockStructure(ctx, "settle a change in doubt"); err != nil {
		return err
	}
	defer p.structure.Unlock()
	return p.makeSure(ctx)
}

// makeSure is settleDoubt with structure held.
func (p *LayerPool) makeSure(ctx context.Context) error {
	if p.unsettled == nil {
		return nil
	}
	return p.commit(ctx, newPlan(&p.tree), nil)
}

// settled gives the layers of transactions that are not in doubt any more.
func (p *LayerPool) settled() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	ids := p.doubt
	p.doubt = nil
	return ids
}

// ground removes the map of a layer that stands on nothing now.
func (p *LayerPool) ground(id string) {
	p.mu.Lock()
	n := p.tree.nodes[id]
	p.mu.Unlock()
	if n != nil {
		p.closeMap(n)
	}
	p.remove(layer.MapFile(id))
}

// closeMap closes the map of a layer that is open, or about to be.
func (p *LayerPool) closeMap(n *node) {
	n.opening.Lock()
	defer n.opening.Unlock()
	p.mu.Lock()
	live := n.live
	if live != nil {
		p.tree.hold(n)
	}
	p.mu.Unlock()
	if live == nil {
		return
	}
	if err := live.Ground(); err != nil {
		p.log.Warn("map could not be closed", "pool", p.name, "layer", n.id, "err", err)
	}
	p.drop([]*node{n})
}

func (p *LayerPool) remove(file string) {
	if err := p.fs.Remove(file); err != nil {
		p.log.Warn("file could not be removed", "pool", p.name, "file", file, "err", err)
	}
}

// ringLocked wakes those who wait for a change.
func (p *LayerPool) ringLocked() {
	close(p.bell)
	p.bell = make(chan struct{})
}

// layerIDDigits is the length of a layer's id.
const layerIDDigits = 32

func isKinded(err error) bool {
	_, ok := errors.AsType[*blockdev.Error](err)
	return ok
}

// isFull says whether err means that there is no space.
func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// kinded gives an error that has no kind one, and keeps its cause.
func kinded(op string, err error) error {
	if err == nil || isKinded(err) {
		return err
	}
	return blockdev.Wrap(blockdev.KindInternal, op, err)
}
