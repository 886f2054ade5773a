package pool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"twinlun/blockdev"
	"twinlun/blockdev/layer"
	"twinlun/blockdev/vfs"
)

// CheckOptions say what Check may change.
type CheckOptions struct {
	// Repair has what Check can mend without losing anything mended.
	Repair bool
	// Purge removes, for good, the files that were moved aside because the store
	// does not know their layers.
	Purge bool
}

// Problem is something that is not as it must be.
type Problem struct {
	Object   string // such as "layer 0a..." with the volumes that stand on it, or "volume db01"
	What     string
	Repair   string // what Repair does about it; empty: nothing can be done here
	Repaired bool
}

// Report is what Check found.
type Report struct {
	Pool     string
	Volumes  int
	Layers   int
	Unsummed int           // frozen layers without sums, which is no problem
	Lost     []vfs.Shelved // what was moved aside, and is still there
	Problems []Problem
}

// Left is how many problems have not been repaired.
func (r Report) Left() (n int) {
	for _, p := range r.Problems {
		if !p.Repaired {
			n++
		}
	}
	return n
}

// Check verifies the records of a pool that nobody has open against its files: that
// records can be read and fit each other, that each layer has the files that it needs,
// that maps and files of sums can be true, and that there are no other files of layers.
// It reads no content: Scrub does. KindBusy: the folder is open; KindExists, KindIO:
// the folder is not the pool's, or is not mounted. Then nothing is changed.
func Check(ctx context.Context, cfg Config, o CheckOptions) (Report, error) {
	if err := cfg.check(); err != nil {
		return Report{}, err
	}
	p := newLayerPool(cfg)
	defer p.stop()
	if err := p.openFolder(cfg); err != nil {
		return Report{}, err
	}
	c := &checker{p: p, o: o, volumes: map[VolumeID]*volumeRecord{}, layers: map[string]*layerRecord{}, report: Report{Pool: p.name}, tidy: map[int][]string{}}
	err := c.run(ctx)
	return c.report, kinded("check pool "+p.name, errors.Join(err, p.unfs()))
}

// checker is a Check that runs.
type checker struct {
	p       *LayerPool
	o       CheckOptions
	volumes map[VolumeID]*volumeRecord
	layers  map[string]*layerRecord
	files   map[string]bool
	report  Report
	broken  bool // the records contradict each other: no file is taken for a leftover
	// tidy are the numbers of the problems that are repaired when the files are gone
	// from the folder.
	tidy map[int][]string
}

func (c *checker) run(ctx context.Context) error {
	for _, step := range []func(context.Context) error{
		c.readRecords, c.readFolder, c.checkRecords, c.checkBases, c.checkUnused, c.checkLayers, c.checkStrangers, c.checkLost,
	} {
		if err := errors.Join(ctx.Err(), step(ctx)); err != nil {
			return err
		}
	}
	return nil
}

// found notes a problem. With Repair, mend is called; nil: there is nothing that it
// could do.
func (c *checker) found(object, what, repair string, mend func() error) error {
	p := Problem{Object: object, What: what, Repair: repair}
	var err error
	if c.o.Repair && mend != nil {
		err = mend()
		p.Repaired = err == nil
	}
	c.report.Problems = append(c.report.Problems, p)
	return err
}

// foundFiles is found of what tidyFolder repairs, by taking files away.
func (c *checker) foundFiles(object, what, repair string, files ...string) {
	_ = c.found(object, what, repair, nil)
	c.tidy[len(c.report.Problems)-1] = files
}

// readRecords reads what can be read.
func (c *checker) readRecords(ctx context.Context) error {
	return c.p.meta.View(ctx, func(tx MetaTx) error {
		err := c.scan(tx, bucketVolumes, func(id string, value []byte) (int, error) {
			r := &volumeRecord{ID: VolumeID(id)}
			err := json.Unmarshal(value, r)
			c.volumes[r.ID] = r
			return r.Version, err
		})
		if err != nil {
			return err
		}
		return c.scan(tx, bucketLayers, func(id string, value []byte) (int, error) {
			r := &layerRecord{ID: id}
			err := json.Unmarshal(value, r)
			c.layers[id] = r
			return r.Version, err
		})
	})
}

// scan is scan that goes on after a record that cannot be read.
func (c *checker) scan(tx MetaTx, bucket string, add func(id string, value []byte) (int, error)) error {
	return tx.Scan(bucket, c.p.key(""), func(key string, value []byte) error {
		version, err := add(strings.TrimPrefix(key, c.p.key("")), value)
		if err == nil && version != recordVersion {
			err = fmt.Errorf("it has format version %d, this program knows %d", version, recordVersion)
		}
		if err == nil {
			return nil
		}
		c.broken = true
		return c.found("record "+key+" of "+bucket, "cannot be read: "+err.Error(), "", nil)
	})
}

// readFolder lists the files, and refuses a folder that is not the pool's.
func (c *checker) readFolder(ctx context.Context) (err error) {
	if c.files, err = c.p.layerFiles(); err != nil {
		return blockdev.Wrap(blockdev.KindIO, "list files", err)
	}
	known, err := c.p.known(ctx)
	if err != nil {
		return err
	}
	c.report.Volumes, c.report.Layers = len(c.volumes), len(c.layers)
	return c.p.foreignFolder(known, c.files, slices.Collect(maps.Keys(c.layers)))
}

// checkRecords looks for records that do not fit each other.
func (c *checker) checkRecords(context.Context) error {
	before := len(c.report.Problems)
	names, tops := map[string]VolumeID{}, map[string]VolumeID{}
	for _, id := range slices.Sorted(maps.Keys(c.volumes)) {
		v := c.volumes[id]
		object := fmt.Sprintf("volume %s (%q)", id, v.Name)
		what := ""
		switch l := c.layers[v.Top]; {
		case l == nil:
			what = fmt.Sprintf("its layer %q has no record", v.Top)
		case l.Size < v.Size:
			what = fmt.Sprintf("it has %d bytes, its layer %s has %d", v.Size, v.Top, l.Size)
		case tops[v.Top] != "":
			what = fmt.Sprintf("volume %s has the same layer %s", tops[v.Top], v.Top)
		case names[foldName(v.Name)] != "":
			what = fmt.Sprintf("volume %s has the same name", names[foldName(v.Name)])
		}
		names[foldName(v.Name)], tops[v.Top] = id, id
		if what != "" {
			_ = c.found(object, what, "", nil)
		}
	}
	c.checkParents(tops)
	c.broken = c.broken || len(c.report.Problems) > before
	return nil
}

// checkParents looks for layers that stand on what is not there, on themselves, or on
// the layer that a volume writes to.
func (c *checker) checkParents(tops map[string]VolumeID) {
	pl := newPlan(&c.p.tree)
	pl.layers = c.layers
	for _, id := range slices.Sorted(maps.Keys(c.layers)) {
		r := c.layers[id]
		if r.Parent != "" && c.layers[r.Parent] != nil && tops[r.Parent] != "" {
			_ = c.found(c.layer(id), fmt.Sprintf("stands on layer %s, which volume %s writes to", r.Parent, tops[r.Parent]), "", nil)
		}
		if err := pl.checkAncestors(id); err != nil {
			_ = c.found(c.layer(id), err.Error(), "", nil)
		}
	}
}

// checkBases looks for snapshots that do not stand on what they can be reset to.
func (c *checker) checkBases(ctx context.Context) error {
	if c.broken {
		return nil
	}
	pl := newPlan(&c.p.tree)
	pl.layers = c.layers
	for _, id := range slices.Sorted(maps.Keys(c.volumes)) {
		v := c.volumes[id]
		r := *v
		if pl.checkBase(&r); r.Base == v.Base {
			continue
		}
		object, what := fmt.Sprintf("volume %s (%q)", id, v.Name), fmt.Sprintf("it can be reset to layer %q, on which it does not stand", v.Base)
		err := c.found(object, what, "it cannot be reset any more", func() error {
			return c.p.meta.Update(ctx, func(tx MetaTx) error { return put(tx, bucketVolumes, c.p.key(string(id)), &r) })
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// checkUnused looks for layers that no volume stands on.
func (c *checker) checkUnused(ctx context.Context) error {
	if c.broken {
		return nil
	}
	used := map[string]bool{}
	for _, v := range c.volumes {
		for id := v.Top; id != "" && !used[id]; id = c.layers[id].Parent {
			used[id] = true
		}
	}
	var unused []string
	for _, id := range slices.Sorted(maps.Keys(c.layers)) {
		if used[id] {
			continue
		}
		unused = append(unused, id)
		c.foundFiles("layer "+id, "no volume stands on it", "its files are moved aside and its record is removed",
			layer.DataFile(id), layer.MapFile(id), layer.SumFile(id))
	}
	if !c.o.Repair || len(unused) == 0 {
		return nil
	}
	return c.forgetLayers(ctx, unused)
}

// forgetLayers removes records, all or none: of layers that stand on each other.
func (c *checker) forgetLayers(ctx context.Context, ids []string) error {
	err := c.p.meta.Update(ctx, func(tx MetaTx) error {
		for _, id := range ids {
			if err := tx.Delete(bucketLayers, c.p.key(id)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, id := range ids {
		delete(c.layers, id)
	}
	return nil
}

// checkLayers looks at the files of every layer of the tree.
func (c *checker) checkLayers(ctx context.Context) error {
	tops := map[string]bool{}
	for _, v := range c.volumes {
		tops[v.Top] = true
	}
	for _, id := range slices.Sorted(maps.Keys(c.layers)) {
		r := c.layers[id]
		if err := errors.Join(ctx.Err(), c.checkData(r), c.checkMap(r)); err != nil {
			return err
		}
		if !tops[id] {
			if err := c.checkSums(r); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *checker) checkData(r *layerRecord) error {
	name := layer.DataFile(r.ID)
	if !c.files[name] {
		return c.found(c.layer(r.ID), "its file "+name+" is missing", "", nil)
	}
	f, err := c.p.fs.Open(name)
	if err != nil {
		return c.found(c.layer(r.ID), err.Error(), "", nil)
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil || size >= r.Size {
		return err
	}
	what := fmt.Sprintf("its file %s has %d bytes instead of %d", name, size, r.Size)
	return c.found(c.layer(r.ID), what, "it is made longer; what is missing reads as zeros", func() error {
		return errors.Join(f.Truncate(r.Size), f.Sync())
	})
}

func (c *checker) checkMap(r *layerRecord) error {
	if r.Parent == "" {
		return nil
	}
	if err := layer.CheckMap(c.p.fs, r.ID, r.Size); err != nil {
		return c.found(c.layer(r.ID), err.Error(), "", nil)
	}
	return nil
}

func (c *checker) checkSums(r *layerRecord) error {
	done, err := layer.CheckSums(c.p.fs, r.ID, r.Size)
	switch {
	case err != nil && !errors.Is(err, layer.ErrSums):
		return c.found(c.layer(r.ID), err.Error(), "", nil)
	case err != nil:
		return c.found(c.layer(r.ID), err.Error(), "its sums are removed, and made anew", func() error { return layer.DropSums(c.p.fs, r.ID) })
	case !done:
		c.report.Unsummed++
	}
	return nil
}

// checkStrangers looks for files of layers that are not in the tree. They are dealt
// with as at every start.
func (c *checker) checkStrangers(ctx context.Context) error {
	if c.broken {
		return nil
	}
	var volumes []volumeRecord
	var layers []layerRecord
	for _, v := range c.volumes {
		volumes = append(volumes, *v)
	}
	for _, l := range c.layers {
		layers = append(layers, *l)
	}
	if err := c.p.tree.load(volumes, layers); err != nil {
		return err
	}
	marked, err := c.p.loadMarks(ctx)
	if err != nil {
		return err
	}
	decide := c.p.fates(c.files, marked)
	for _, name := range slices.Sorted(maps.Keys(c.files)) {
		c.stranger(name, decide(name))
	}
	if !c.o.Repair {
		return nil
	}
	if err := c.p.tidyFolder(ctx); err != nil {
		return err
	}
	return c.tidied()
}

// tidied notes which problems tidyFolder has repaired: it leaves alone what it cannot
// move aside.
func (c *checker) tidied() error {
	left, err := c.p.layerFiles()
	if err != nil {
		return blockdev.Wrap(blockdev.KindIO, "list files", err)
	}
	for i, files := range c.tidy {
		c.report.Problems[i].Repaired = !slices.ContainsFunc(files, func(name string) bool { return left[name] })
	}
	return nil
}

// stranger notes a file that is to go.
func (c *checker) stranger(name string, f fate) {
	switch f {
	case remove:
		c.foundFiles("file "+name, "an interrupted operation left it", "it is removed", name)
	case shelve:
		c.foundFiles("file "+name, "the store does not know its layer", "it is moved aside", name)
	}
}

// checkLost lists what was moved aside, and removes it with Purge.
func (c *checker) checkLost(context.Context) error {
	list, err := c.p.fs.Shelved()
	if err != nil || !c.o.Purge || len(list) == 0 {
		c.report.Lost = list
		return err
	}
	for i, f := range list {
		if err := c.p.fs.Unshelve(f.Name); err != nil {
			c.report.Lost = list[i:]
			return err
		}
	}
	err = c.p.fs.SyncDir()
	if err != nil {
		c.report.Lost = list // they may come back
	}
	return err
}
