package pool

import (
	"fmt"
	"sync"
	"time"

	"twinlun/blockdev/layer"
)

// tree is the volumes and the layers they stand on. Its maps are changed with
// LayerPool.structure and LayerPool.mu held, and read with either.
type tree struct {
	volumes map[VolumeID]*volume
	names   map[string]VolumeID // folded
	nodes   map[string]*node
	// due are the frozen layers with one child that no volume can be reset to: they
	// can be merged with it. LayerPool.mu guards it.
	due map[string]struct{}
	// bare are the frozen layers that stay and lack sums, as far as is known.
	// LayerPool.mu guards it.
	bare map[string]struct{}
	// unsure are the layers whose size may not be what was measured, hurt those that are
	// known to be damaged, and tally is the sums. LayerPool.mu guards them.
	unsure, hurt map[*node]struct{}
	tally        tally
	// provisioned is the sum of the volumes' sizes.
	provisioned int64
	// order is the volumes by name. Only LayerPool.mu guards it.
	order order
}

// volume is a volume, and how it is in use.
type volume struct {
	id      VolumeID
	turn    chan struct{} // who has claimed it has an item in it
	rec     volumeRecord
	live    *layer.Volume // nil: nobody uses it
	held    []*node       // what the chain of live uses, the top first
	users   int           // who needs live
	opens   uint64        // how often somebody began to
	handles int           // handles and hooks
	hooked  int           // of these, hooks, which do not need live
	hooks   *layer.Hooks  // nil: there were none, and live never was
	filling *filling      // a Hydrate that runs
	merging bool          // a merge of its top is among the users
	lifting bool          // the layer below is about to be its top
	bar     chan struct{} // closed when the volume may be opened again; nil: it may be
}

// node is a layer, and how it is in use.
type node struct {
	id       string
	rec      layerRecord
	children map[string]struct{}
	top      VolumeID     // the volume whose writable layer it is
	bases    int          // volumes that can be reset to it
	live     *layer.Layer // nil: not open
	opening  sync.Mutex   // held by who opens it
	users    int          // chains and copies that use live
	filling  bool         // a Hydrate fills it
	pins     int          // how many want it to stay as it is; see LayerPool.pin
	summed   bool         // it has its sums
	gone     bool         // not in the tree any more
	damage   damages
	failed   error     // a sync of it failed: it takes no writes until the next start, also if it was closed meanwhile; guarded by LayerPool.mu
	shared   bool      // it does not belong to one volume alone
	size     int64     // of its files when they were measured, or 0; guarded by LayerPool.mu
	meta     int64     // of that, its map and sums; likewise
	measured bool      // it was, and is not known to have changed
	changes  int       // of its size, as far as is known
	refused  time.Time // a merge of it and its child found damage and waits until then; guarded by LayerPool.mu

	sums sync.Mutex // to drop its sums, or to begin to compare what is copied with them
}

func newTree() tree {
	return tree{
		volumes: map[VolumeID]*volume{}, names: map[string]VolumeID{},
		nodes: map[string]*node{}, due: map[string]struct{}{}, bare: map[string]struct{}{},
		unsure: map[*node]struct{}{}, hurt: map[*node]struct{}{}, order: order{stale: map[VolumeID]struct{}{}},
	}
}

// load fills an empty tree and refuses records that contradict each other.
func (t *tree) load(volumes []volumeRecord, layers []layerRecord) error {
	pl, tops := newPlan(t), map[string]VolumeID{}
	var bases []*volumeRecord
	for i := range layers {
		pl.layers[layers[i].ID] = &layers[i]
	}
	for i := range volumes {
		v := &volumes[i]
		if l := pl.layers[v.Top]; l == nil || l.Size < v.Size {
			return fmt.Errorf("volume %s (%q): its layer %q is not there or too small", v.ID, v.Name, v.Top)
		}
		if other, taken := tops[v.Top]; taken {
			return fmt.Errorf("volumes %s and %s have the same layer %q", v.ID, other, v.Top)
		}
		tops[v.Top] = v.ID
		pl.volumes[v.ID] = v
		bases = append(bases, v)
	}
	for _, l := range layers {
		if err := pl.checkAncestors(l.ID); err != nil {
			return err
		}
	}
	for _, v := range bases {
		pl.checkBase(v)
	}
	t.apply(pl)
	return nil
}

// checkBase forgets the base of a volume that does not stand on it any more: an
// older version merges it away.
func (pl *plan) checkBase(r *volumeRecord) {
	at := r.Top
	for at != "" && at != r.Base {
		at = pl.layer(at).Parent
	}
	r.Base = at
}

// checkAncestors refuses parents that are missing or their own ancestors.
func (pl *plan) checkAncestors(id string) error {
	steps := 0
	for at := id; at != ""; at = pl.layers[at].Parent {
		if pl.layers[at] == nil {
			return fmt.Errorf("layer %s stands on layer %s, which is not there", id, at)
		}
		if steps++; steps > len(pl.layers) {
			return fmt.Errorf("layer %s stands on itself", id)
		}
	}
	return nil
}

// chain is the nodes that a volume stands on, its top first.
func (t *tree) chain(v *volume) []*node {
	return t.under(t.nodes[v.rec.Top])
}

// under is a node and those that it stands on.
func (t *tree) under(n *node) []*node {
	out := []*node{n}
	for n.rec.Parent != "" {
		n = t.nodes[n.rec.Parent]
		out = append(out, n)
	}
	return out
}

// above lists the volumes that stand on n, n's own included.
func (t *tree) above(n *node) []*volume {
	if n.top != "" {
		return []*volume{t.volumes[n.top]}
	}
	var out []*volume
	for id := range n.children {
		out = append(out, t.above(t.nodes[id])...)
	}
	return out
}

// exclusive counts the nodes from the top down that belong to v alone; shared says
// that there are others.
func (t *tree) exclusive(v *volume) (own []*node, shared bool) {
	for id := v.rec.Top; id != ""; {
		n := t.nodes[id]
		if len(n.children) > 1 {
			return own, true
		}
		own, id = append(own, n), n.rec.Parent
	}
	return own, false
}

// apply puts what the plan changes into the tree.
func (t *tree) apply(pl *plan) {
	touched := t.touched(pl)
	for id, r := range pl.layers {
		t.applyLayer(id, r)
	}
	for id, r := range pl.volumes {
		t.applyVolume(id, r)
	}
	for id := range touched {
		t.note(id)
		t.noteBare(id)
		t.noteShared(id)
	}
}

// touched is the layers that the plan changes, and those under them before and
// after.
func (t *tree) touched(pl *plan) map[string]struct{} {
	out := map[string]struct{}{}
	for id, r := range pl.layers {
		out[id] = struct{}{}
		if n := t.nodes[id]; n != nil {
			out[n.rec.Parent] = struct{}{}
		}
		if r != nil {
			out[r.Parent] = struct{}{}
		}
	}
	for id, r := range pl.volumes {
		if v := t.volumes[id]; v != nil {
			out[v.rec.Top], out[v.rec.Base] = struct{}{}, struct{}{}
		}
		if r != nil {
			out[r.Top], out[r.Base] = struct{}{}, struct{}{}
		}
	}
	return out
}

// applyLayer stores, moves or removes (nil) one layer.
func (t *tree) applyLayer(id string, r *layerRecord) {
	n := t.nodes[id]
	if n == nil {
		n = t.need(id)
	} else if p := t.nodes[n.rec.Parent]; p != nil {
		delete(p.children, id)
	}
	if r == nil {
		t.forget(n)
		return
	}
	n.rec = *r
	t.changed(n)
	if r.Parent != "" {
		t.need(r.Parent).children[id] = struct{}{}
	}
}

// need is the node of a layer, which may come before its record.
func (t *tree) need(id string) *node {
	n := t.nodes[id]
	if n == nil {
		n = &node{id: id, children: map[string]struct{}{}}
		t.nodes[id] = n
	}
	return n
}

func (t *tree) applyVolume(id VolumeID, r *volumeRecord) {
	v := t.volumes[id]
	if v == nil || r == nil || v.rec.Name != r.Name {
		t.order.changed(id)
	}
	if v != nil {
		t.provisioned -= v.rec.Size
		delete(t.names, foldName(v.rec.Name))
		if n := t.nodes[v.rec.Top]; n != nil && n.top == id {
			n.top = ""
		}
		if n := t.nodes[v.rec.Base]; n != nil {
			n.bases--
		}
	}
	if r == nil {
		delete(t.volumes, id)
		return
	}
	if v == nil {
		v = &volume{id: id, turn: make(chan struct{}, 1)}
		t.volumes[id] = v
	}
	v.rec = *r
	t.provisioned += r.Size
	t.names[foldName(r.Name)] = id
	if n := t.nodes[r.Top]; n.top != id {
		n.top = id
		t.changed(n)
	}
	if n := t.nodes[r.Base]; n != nil {
		n.bases++
	}
}

// note keeps due right after a change around layer id.
func (t *tree) note(id string) {
	n := t.nodes[id]
	if n == nil {
		return
	}
	t.count(n, -1)
	defer t.count(n, 1)
	if n.top == "" && !n.stays() && n.pins == 0 && len(n.children) == 1 {
		t.due[id] = struct{}{}
		return
	}
	delete(t.due, id)
}

// stays says whether a layer is frozen and will not be merged with what stands on it:
// that is more than one, or a volume can be reset to the layer.
func (n *node) stays() bool { return n.top == "" && (n.bases > 0 || len(n.children) > 1) }
