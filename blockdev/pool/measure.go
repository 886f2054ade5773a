package pool

import (
	"context"
	"errors"
	"io/fs"

	"twinlun/blockdev"
	"twinlun/blockdev/layer"
)

// footprint is which files a layer has.
type footprint struct {
	id             string
	mapped, summed bool
}

// footprint needs mu or structure.
func (n *node) footprint() footprint {
	return footprint{id: n.id, mapped: n.rec.Parent != "", summed: n.top == ""}
}

// allocated is the space that a layer's files take.
func (p *LayerPool) allocated(n *node) (int64, error) {
	p.mu.Lock()
	f := n.footprint()
	p.mu.Unlock()
	size, _, err := p.measure(f)
	return size, err
}

// measure gives the space of a layer's files, and of that what its map and sums take.
func (p *LayerPool) measure(f footprint) (size, meta int64, err error) {
	size, err = p.spaceOf(layer.DataFile(f.id))
	if err == nil && f.mapped {
		meta, err = p.spaceOf(layer.MapFile(f.id))
	}
	if err == nil && f.summed {
		var more int64
		more, err = p.spaceOf(layer.SumFile(f.id))
		meta += more
	}
	return size + meta, meta, metaError("measure layer "+f.id, blockdev.Wrap(blockdev.KindIO, "stat", err))
}

// spaceOf is the space that a file takes: nothing where it is missing, which must not
// keep the rest of the pool from being measured (see missFiles).
func (p *LayerPool) spaceOf(name string) (int64, error) {
	size, err := p.fs.Allocated(name)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	return size, err
}

// probe is a layer that is to be measured.
type probe struct {
	node    *node
	files   footprint
	changes int
	size    int64
	meta    int64
	err     error
}

// survey measures layers without keeping a lock while it asks the filesystem.
type survey struct {
	pool *LayerPool
	done map[*node]bool // measured by this survey
}

// together is how many layers are measured between two times that mu is held.
const together = 512

// takeLocked lists some of those of nodes whose size is not known.
func (s *survey) takeLocked(nodes []*node) (out []probe) {
	for _, n := range nodes {
		if _, unsure := s.pool.tree.unsure[n]; unsure && !s.done[n] && len(out) < together {
			out = append(out, probe{node: n, files: n.footprint(), changes: n.changes})
		}
	}
	return out
}

// noteLocked puts what was measured into the nodes; it is remembered while the layer's
// files stay as they are. The error is that of a layer that is still there.
func (s *survey) noteLocked(list []probe) (failed error) {
	for _, m := range list {
		s.done[m.node] = true
		if m.err != nil {
			if !m.node.gone && m.files == m.node.footprint() {
				failed = m.err
			}
			continue
		}
		s.pool.tree.sized(m.node, m.size, m.meta, m.changes == m.node.changes && s.pool.stillLocked(m.node))
	}
	return failed
}

// run calls look, with mu held, until it needs no layer that was not measured. look
// lists the layers that it needs; what it found the last time counts. The error is that
// of a layer that could not be measured.
func (s *survey) run(look func() []*node) (failed error) {
	s.done = map[*node]bool{}
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	for {
		list := s.takeLocked(look())
		if len(list) == 0 {
			return failed
		}
		s.pool.mu.Unlock()
		for i := range list {
			list[i].size, list[i].meta, list[i].err = s.pool.measure(list[i].files)
		}
		s.pool.mu.Lock()
		if err := s.noteLocked(list); err != nil {
			failed = err
		}
	}
}

// stillLocked says whether nothing changes the files of a layer: nobody uses it, or
// it is frozen and no merge moves blocks from or to it.
func (p *LayerPool) stillLocked(n *node) bool {
	if n.users == 0 && n.live == nil {
		return true
	}
	merges := p.merge != nil && (p.merge.parent == n || p.merge.child == n)
	return n.top == "" && n.pins == 0 && !merges && !n.filling
}

// Get describes one volume.
func (p *LayerPool) Get(ctx context.Context, id VolumeID) (Volume, error) {
	const op = "get volume"
	if err := p.lockTree(ctx, op); err != nil {
		return Volume{}, err
	}
	p.mu.Unlock()
	if v, ok := p.describe(id); ok {
		return v, nil
	}
	return Volume{}, notFound(op, id)
}

// show describes a volume that has just been made or changed; what is left to say if it
// is gone already is its record.
func (p *LayerPool) show(r volumeRecord) Volume {
	if v, ok := p.describe(r.ID); ok {
		return v
	}
	return p.plain(r)
}

func (p *LayerPool) plain(r volumeRecord) Volume {
	r = r.clone()
	return Volume{ID: r.ID, Pool: p.name, Name: r.Name, Size: r.Size, Created: r.Created, Labels: r.Labels}
}

// describe is what callers see of a volume.
func (p *LayerPool) describe(id VolumeID) (out Volume, ok bool) {
	s := survey{pool: p}
	err := s.run(func() []*node {
		v := p.tree.volumes[id]
		if ok = v != nil; !ok {
			return nil
		}
		out = p.plain(v.rec)
		nodes := p.tree.chain(v)
		var own []*node
		own, out.Dependent = p.tree.exclusive(v)
		out.Damaged = p.damagedBelow(v)
		out.Allocated, out.Shared = sizeOf(own), sizeOf(nodes[len(own):])
		return nodes
	})
	if err != nil {
		p.log.Warn("layer could not be measured", "pool", p.name, "volume", id, "err", err)
	}
	return out, ok
}

func sizeOf(nodes []*node) (sum int64) {
	for _, n := range nodes {
		sum += n.size
	}
	return sum
}

// remeasured is how many layers are measured anew, used or not, when the pool is:
// filesystems give back what they kept ready for a file long after it was closed.
const remeasured = 16

// Info describes the pool and its space. Of more than 512 layers that are in use, it
// does not measure each again: what they take may be what it was some calls before.
func (p *LayerPool) Info(ctx context.Context) (Info, error) {
	const op = "describe pool"
	if err := p.lockTree(ctx, op); err != nil {
		return Info{}, err
	}
	p.forgetSizesLocked(remeasured)
	p.mu.Unlock()
	total, free, err := p.fs.Space()
	if err != nil {
		return Info{}, blockdev.Wrap(blockdev.KindIO, op, err)
	}
	var out Info
	s, used := survey{pool: p}, together
	err = s.run(func() []*node {
		out = p.infoLocked()
		list := p.unsureLocked(used)
		used = 0
		return list
	})
	out.Total, out.Free = total, free
	return out, err
}

// infoLocked is what the pool knows of itself. It does not depend on how many volumes
// there are what that costs.
func (p *LayerPool) infoLocked() Info {
	sums := p.tree.tally
	out := Info{
		Name: p.name, Reserve: p.spared, Volumes: len(p.tree.volumes),
		Provisioned: p.tree.provisioned, MaxProvisioned: p.limit, Merging: len(p.tree.due),
		LostFiles: p.lost.files, Lost: p.lost.bytes,
		Allocated: sums.allocated, Shared: sums.shared, Metadata: sums.metadata, Reclaimable: sums.reclaimable,
	}
	for n := range p.tree.hurt {
		out.Damaged += n.damage.below(n.rec.Size)
	}
	return out
}

// forgetSizesLocked has some layers measured anew, others each time.
func (p *LayerPool) forgetSizesLocked(many int) {
	for _, n := range p.tree.nodes { // in another order each time
		if many--; many < 0 {
			return
		}
		p.tree.changed(n)
	}
}
