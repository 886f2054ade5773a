package pool

import (
	"context"
	"maps"
	"slices"
	"strings"

	"twinlun/blockdev"
	"twinlun/blockdev/layer"
)

// bucketPools has a record for each pool whose folder is in the care of the store,
// under the pool's name.
const bucketPools = "pool.pools"

// poolRecord is a pool as it is stored.
type poolRecord struct {
	Version int `json:"v"`
}

// adoptFolder makes sure that the folder and the records belong together, before
// anything in the folder is touched: layers that a store never knew are another
// store's, and a folder that has none of the layers that the store knows is not
// the pool's, but most likely one where its filesystem is not mounted. The first
// Open of a pool takes an empty folder into the care of the store.
func (p *LayerPool) adoptFolder(ctx context.Context) error {
	op := "open pool " + p.name
	files, err := p.layerFiles()
	if err != nil {
		return blockdev.Wrap(blockdev.KindIO, op, err)
	}
	known, err := p.known(ctx)
	if err != nil {
		return metaError(op, err)
	}
	if err := p.foreignFolder(known, files, slices.Collect(maps.Keys(p.tree.nodes))); err != nil {
		return err
	}
	p.missFiles(files)
	if known {
		return nil
	}
	return metaError(op, p.meta.Update(ctx, func(tx MetaTx) error {
		return put(tx, bucketPools, p.name, &poolRecord{Version: recordVersion})
	}))
}

// missFiles notes layers that lack a file as damaged from end to end. The volumes that
// stand on them cannot be opened; all others can.
func (p *LayerPool) missFiles(files map[string]bool) {
	for id, n := range p.tree.nodes {
		name := layer.DataFile(id)
		if files[name] && n.rec.Parent != "" {
			name = layer.MapFile(id)
		}
		if files[name] {
			continue
		}
		p.log.Error("a file of a layer is missing", "pool", p.name, "file", name)
		p.damaged(n, layer.Damage{Layer: id, Len: n.rec.Size})
		n.damage.keep() // no scrub can find it right
	}
}

// foreignFolder says, as an error, that a folder with these files is not the pool's
// whose layers have these ids.
func (p *LayerPool) foreignFolder(known bool, files map[string]bool, ids []string) error {
	op := "open pool " + p.name
	switch {
	case !known && len(files) > 0 && len(ids) == 0:
		return blockdev.Errorf(blockdev.KindExists, op,
			"its folder holds %d files of layers that the store does not know: it belongs to another data dir and is left alone", len(files))
	case len(ids) > 0 && !slices.ContainsFunc(ids, func(id string) bool { return files[layer.DataFile(id)] }):
		return blockdev.Errorf(blockdev.KindIO, op,
			"its folder has none of its %d layers: is the filesystem mounted?", len(ids))
	}
	return nil
}

// known says whether the store has taken the folder into its care.
func (p *LayerPool) known(ctx context.Context) (known bool, err error) {
	err = p.meta.View(ctx, func(tx MetaTx) error {
		value, err := tx.Get(bucketPools, p.name)
		known = value != nil
		return err
	})
	return known, err
}

// layerFiles lists the files of layers in the folder.
func (p *LayerPool) layerFiles() (map[string]bool, error) {
	names, err := p.fs.List()
	if err != nil {
		return nil, err
	}
	files := map[string]bool{}
	for _, name := range names {
		if _, _, ok := layerOf(name); ok {
			files[name] = true
		}
	}
	return files, nil
}

// layerOf takes the name of a layer's file apart; ok is false for other files.
func layerOf(name string) (id, kind string, ok bool) {
	id, kind, _ = strings.Cut(name, ".")
	return id, kind, len(id) == layerIDDigits && isLayerKind(kind)
}
