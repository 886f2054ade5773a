package pool

import (
	"context"
	"errors"
	"io"
	"io/fs"

	"twinlun/blockdev"
	"twinlun/blockdev/layer"
	"twinlun/blockdev/vfs"
)

// lost is what lies on the folder's shelf.
type lost struct {
	files int
	bytes int64 // allocated
}

// fate is what becomes of a file of a layer at the start.
type fate int

const (
	keep   fate = iota
	remove      // the store proves that nobody needs it
	shelve      // nobody knows it: it must not be lost
)

// tidyFolder removes what an interrupted operation of this pool left, and moves the
// files of layers that the store does not know to the shelf: a later state of the
// store may know them.
func (p *LayerPool) tidyFolder(ctx context.Context) error {
	op := "open pool " + p.name
	marked, err := p.loadMarks(ctx)
	if err != nil {
		return metaError(op, err)
	}
	files, err := p.layerFiles()
	if err != nil {
		return blockdev.Wrap(blockdev.KindIO, op, err)
	}
	if err := p.sortFiles(files, marked); err != nil {
		return blockdev.Wrap(blockdev.KindIO, op, err)
	}
	if err := p.countLost(); err != nil {
		return blockdev.Wrap(blockdev.KindIO, op, err)
	}
	if len(marked) == 0 {
		return nil
	}
	return metaError(op, p.meta.Update(ctx, func(tx MetaTx) error {
		for id := range marked {
			if err := tx.Delete(bucketFiles, p.key(id)); err != nil {
				return err
			}
		}
		return nil
	}))
}

// loadMarks reads the marks: what each says, by layer.
func (p *LayerPool) loadMarks(ctx context.Context) (map[string]string, error) {
	var marked map[string]string
	err := p.meta.View(ctx, func(tx MetaTx) error {
		marked = map[string]string{}
		return scan(tx, bucketFiles, p.key(""), func(id string, m fileMark) (int, error) {
			marked[id] = m.Is
			return m.Version, nil
		})
	})
	return marked, err
}

// sortFiles does with each file what is right. What was removed is gone for good
// afterwards.
func (p *LayerPool) sortFiles(files map[string]bool, marked map[string]string) error {
	decide := p.fates(files, marked)
	changed := len(marked) > 0 // an earlier start may have removed what they are about
	for name := range files {
		f := decide(name)
		switch f {
		case remove:
			p.log.Info("removing a file that an interrupted operation left", "pool", p.name, "file", name)
			if err := p.fs.Remove(name); err != nil {
				return err
			}
		case shelve:
			p.shelve(name)
		}
		changed = changed || f != keep
	}
	if !changed {
		return nil
	}
	return p.fs.SyncDir()
}

// fates gives the function that decides about each file; the files of a layer share
// their fate.
func (p *LayerPool) fates(files map[string]bool, marked map[string]string) func(name string) fate {
	strangers := map[string]fate{}
	return func(name string) fate {
		id, kind, _ := layerOf(name)
		if n := p.tree.nodes[id]; n != nil {
			if n.uses(kind) {
				return keep
			}
			return remove
		}
		f, ok := strangers[id]
		if !ok {
			f = p.strangerFate(id, marked[id], files)
			strangers[id] = f
		}
		return f
	}
}

// uses says whether a layer of the tree has a file of the kind.
func (n *node) uses(kind string) bool {
	switch kind {
	case kindMap:
		return n.rec.Parent != ""
	case kindSums:
		return n.top == ""
	}
	return true
}

// strangerFate decides about a layer that is not in the tree.
func (p *LayerPool) strangerFate(id, mark string, files map[string]bool) fate {
	switch {
	case mark == markGone, !files[layer.DataFile(id)] && !files[layer.MapFile(id)]:
		return remove
	case mark != markNew:
		return shelve
	}
	for _, name := range []string{layer.DataFile(id), layer.MapFile(id)} {
		if empty, err := p.unwritten(name); err != nil || !empty {
			return shelve // what cannot be read is not known to be empty
		}
	}
	return remove
}

// unwritten says whether a layer's file is as it was made: data files are holes, maps
// end with their header. What is not there was never written to.
func (p *LayerPool) unwritten(name string) (bool, error) {
	f, err := p.fs.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	if _, kind, _ := layerOf(name); kind == kindMap {
		size, err := f.Size()
		return size <= vfs.Sector, err
	}
	_, _, err = f.NextData(0)
	if errors.Is(err, io.EOF) {
		return true, nil
	}
	return false, err
}

// shelve moves a file aside. One that cannot be moved stays where it is: nothing is
// made of it.
func (p *LayerPool) shelve(name string) {
	size, _ := p.fs.Allocated(name) // for the log only
	log := p.log.With("pool", p.name, "file", name, "bytes", size)
	if err := p.fs.Shelve(name); err != nil {
		log.Error("a file of a layer that the store does not know could not be moved aside", "err", err)
		return
	}
	log.Warn("a file of a layer that the store does not know was moved aside: was an older store put back?")
}

// countLost measures what is on the shelf.
func (p *LayerPool) countLost() error {
	list, err := p.fs.Shelved()
	if err != nil {
		return err
	}
	var sum lost
	for _, f := range list {
		sum.files++
		sum.bytes += f.Allocated
	}
	if sum.files > 0 {
		p.log.Warn("the pool has files of layers that the store does not know", "pool", p.name, "files", sum.files, "bytes", sum.bytes)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lost = sum
	return nil
}

// The kinds of files that a layer has, as they end.
const (
	kindData = "data"
	kindMap  = "map"
	kindSums = "sum"
)

// isLayerKind says whether files of layers end so.
func isLayerKind(kind string) bool { return kind == kindData || kind == kindMap || kind == kindSums }
