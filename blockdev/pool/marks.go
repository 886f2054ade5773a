package pool

import (
	"context"
	"encoding/hex"
	"io"
	"slices"
	"sync"
	"sync/atomic"

	"twinlun/blockdev"
	"twinlun/blockdev/layer"
)

// bucketFiles has a mark for each layer that may have files although it is not in
// the tree: so that the files that an interrupted operation leaves can be told from
// those that only a later state of the store knows.
//
// The ids of layers to come are marked as new before any file of them is made, and
// the transaction that puts a layer into the tree takes its mark away. The one that
// takes a layer out of the tree marks it as gone; that mark goes when the files have
// gone for good. Marks come and go with transactions that are made anyway.
const bucketFiles = "pool.files"

// What a mark says of a layer.
const (
	markNew  = "new"  // it may have files that nothing was ever written to
	markGone = "gone" // nothing of it is needed
)

// fileMark is a mark as it is stored.
type fileMark struct {
	Version int    `json:"v"`
	ID      string `json:"-"`
	Is      string `json:"is"`
}

const (
	spareIDs    = 64 // how many ids are marked as new at a time
	fewSpareIDs = 16 // when there are fewer, the next transaction marks more
	maxRemoved  = 64 // how many removed layers wait for somebody else's SyncDir
)

// marks is what the pool has in memory of them.
type marks struct {
	mu      sync.Mutex
	spare   []string              // marked as new, and not used yet
	issued  map[string]struct{}   // likewise, and in the hands of somebody who makes no files yet
	removed []string              // the files are removed, but the names may come back
	clean   []string              // and may not: the marks can go
	failed  atomic.Pointer[error] // of a sync of the folder

	syncing sync.Mutex    // of who syncs the folder
	begun   atomic.Uint64 // syncs of it
	synced  uint64        // the last that succeeded; guarded by syncing
}

// markChange is what a transaction does to marks, apart from what it does to layers.
type markChange struct{ add, forget []string }

// write puts the change into a transaction of the pool's.
func (c markChange) write(p *LayerPool, tx MetaTx) error {
	for _, id := range c.forget {
		if err := tx.Delete(bucketFiles, p.key(id)); err != nil {
			return err
		}
	}
	for _, id := range c.add {
		if err := p.mark(tx, id, markNew); err != nil {
			return err
		}
	}
	return nil
}

func (p *LayerPool) mark(tx MetaTx, id, is string) error {
	return put(tx, bucketFiles, p.key(id), &fileMark{Version: recordVersion, Is: is})
}

// markLayer says in a transaction what the files of a layer are from now on.
func (p *LayerPool) markLayer(tx MetaTx, id string, there bool) error {
	if there {
		return tx.Delete(bucketFiles, p.key(id))
	}
	return p.mark(tx, id, markGone)
}

// nextMarks is what the next transaction shall do to marks; endMarks follows.
func (p *LayerPool) nextMarks() (markChange, error) {
	p.marks.mu.Lock()
	defer p.marks.mu.Unlock()
	c := markChange{forget: p.marks.clean}
	p.marks.clean = nil
	if len(p.marks.spare) >= fewSpareIDs {
		return c, nil
	}
	var err error
	c.add, err = makeLayerIDs(p.rand, spareIDs)
	return c, err
}

// endMarks says whether the transaction was made. One that may have been made all
// the same has done no harm.
func (p *LayerPool) endMarks(c markChange, made bool) {
	p.marks.mu.Lock()
	defer p.marks.mu.Unlock()
	if made {
		p.marks.spare = append(p.marks.spare, c.add...)
		return
	}
	p.marks.clean = append(p.marks.clean, c.forget...)
}

// newLayerID gives the id of a new layer, which the store has marked.
func (p *LayerPool) newLayerID() (string, error) {
	for {
		if err := p.reserve(p.ctx, 1); err != nil {
			return "", err
		}
		if id, ok := p.issue(); ok {
			return id, nil
		}
	}
}

// issue hands out an id that is at hand; ok is false if others took them all.
func (p *LayerPool) issue() (id string, ok bool) {
	p.marks.mu.Lock()
	defer p.marks.mu.Unlock()
	if len(p.marks.spare) == 0 {
		return "", false
	}
	id, p.marks.spare = p.marks.spare[0], p.marks.spare[1:]
	p.marks.issued[id] = struct{}{}
	return id, true
}

// giveBack takes ids back that no files were made for.
func (p *LayerPool) giveBack(ids ...string) {
	p.marks.mu.Lock()
	defer p.marks.mu.Unlock()
	for _, id := range ids {
		if _, unused := p.marks.issued[id]; unused {
			delete(p.marks.issued, id)
			p.marks.spare = append(p.marks.spare, id)
		}
	}
}

// reserve sees to it that n ids are at hand.
func (p *LayerPool) reserve(ctx context.Context, n int) error {
	p.marks.mu.Lock()
	short := n - len(p.marks.spare)
	p.marks.mu.Unlock()
	if short <= 0 {
		return nil
	}
	ids, err := makeLayerIDs(p.rand, max(short, spareIDs))
	if err != nil {
		return err
	}
	c := markChange{add: ids}
	err = p.meta.Update(ctx, func(tx MetaTx) error { return c.write(p, tx) })
	p.endMarks(c, err == nil)
	return metaError("mark the ids of layers to come", err)
}

// makeLayerIDs makes n random ids.
func makeLayerIDs(rand io.Reader, n int) ([]string, error) {
	out := make([]string, n)
	var b [layerIDDigits / 2]byte
	for i := range out {
		if _, err := io.ReadFull(rand, b[:]); err != nil {
			return nil, blockdev.Wrap(blockdev.KindInternal, "make layer id", err)
		}
		out[i] = hex.EncodeToString(b[:])
	}
	return out, nil
}

// filesMade says that the layer may have files from now on.
func (p *LayerPool) filesMade(id string) {
	p.marks.mu.Lock()
	defer p.marks.mu.Unlock()
	delete(p.marks.issued, id)
}

// removeFiles removes a layer; what cannot be removed now goes at the next start.
func (p *LayerPool) removeFiles(id string) {
	if err := layer.Remove(p.fs, id); err != nil {
		p.log.Warn("layer could not be removed", "pool", p.name, "layer", id, "err", err)
		return
	}
	p.marks.mu.Lock()
	p.marks.removed = append(p.marks.removed, id)
	many := len(p.marks.removed) >= maxRemoved
	p.marks.mu.Unlock()
	if !many {
		return
	}
	if err := p.syncDir(); err != nil {
		p.log.Warn("folder could not be synced", "pool", p.name, "err", err)
	}
}

// syncDir makes the names of files durable. What was removed before is gone then. An
// error is that of all later calls, too, and of those that wait meanwhile: names that are
// lost stay lost, whatever a later sync says. One sync at a time is for all who wait.
func (p *LayerPool) syncDir() error {
	seen := p.marks.begun.Load()
	p.marks.syncing.Lock()
	defer p.marks.syncing.Unlock()
	if err := p.marks.failed.Load(); err != nil {
		return *err
	}
	if p.marks.synced > seen { // by another that began later
		return nil
	}
	run := p.marks.begun.Add(1)
	err := p.syncNames()
	if err != nil {
		p.marks.failed.Store(&err)
		p.log.Error("the folder cannot be made durable: no volumes or snapshots are made any more", "pool", p.name, "err", err)
		return err
	}
	p.marks.synced = run
	return nil
}

func (p *LayerPool) syncNames() error {
	p.marks.mu.Lock()
	removed := p.marks.removed
	p.marks.removed = nil
	p.marks.mu.Unlock()
	err := p.fs.SyncDir()
	p.marks.mu.Lock()
	defer p.marks.mu.Unlock()
	if err != nil {
		p.marks.removed = append(p.marks.removed, removed...)
		return err
	}
	p.marks.clean = append(p.marks.clean, removed...)
	return nil
}

// closeMarks takes the marks away that say nothing any more. If it fails, the next
// start does.
func (p *LayerPool) closeMarks() {
	err := p.syncDir()
	p.marks.mu.Lock()
	ids := slices.Concat(p.marks.clean, p.marks.spare)
	for id := range p.marks.issued {
		ids = append(ids, id)
	}
	p.marks.mu.Unlock()
	if len(ids) == 0 || err != nil {
		return
	}
	c := markChange{forget: ids}
	if err := p.meta.Update(context.Background(), func(tx MetaTx) error { return c.write(p, tx) }); err != nil {
		p.log.Debug("marks of layers stay until the next start", "pool", p.name, "err", err)
	}
}
