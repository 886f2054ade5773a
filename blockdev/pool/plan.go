package pool

// plan is a change of the tree that is not made yet: what is in its maps replaces
// what the tree has; nil removes it. It is made with LayerPool.structure held.
type plan struct {
	tree    *tree
	volumes map[VolumeID]*volumeRecord
	layers  map[string]*layerRecord
}

func newPlan(t *tree) *plan {
	return &plan{tree: t, volumes: map[VolumeID]*volumeRecord{}, layers: map[string]*layerRecord{}}
}

// layer is the record of a layer as it will be; nil if it will not be there.
func (pl *plan) layer(id string) *layerRecord {
	if r, ok := pl.layers[id]; ok {
		return r
	}
	if n := pl.tree.nodes[id]; n != nil {
		return &n.rec
	}
	return nil
}

// used says whether a volume or another layer will stand on the layer.
func (pl *plan) used(id string) bool {
	for _, r := range pl.volumes {
		if r != nil && r.Top == id {
			return true
		}
	}
	for _, r := range pl.layers {
		if r != nil && r.Parent == id {
			return true
		}
	}
	n := pl.tree.nodes[id]
	if n == nil {
		return false
	}
	if _, changed := pl.volumes[n.top]; n.top != "" && !changed {
		return true
	}
	for child := range n.children {
		if _, changed := pl.layers[child]; !changed {
			return true
		}
	}
	return false
}

// collect removes the layer, and those below it, that nothing stands on any more.
func (pl *plan) collect(id string) {
	for id != "" && !pl.used(id) {
		parent := pl.layer(id).Parent
		pl.layers[id] = nil
		id = parent
	}
}

// addLayer plans a new layer. It is at least as long as its parent, so that a merge
// takes all of that; a volume may be shorter.
func (pl *plan) addLayer(id, parent string, size int64) {
	if r := pl.layer(parent); r != nil {
		size = max(size, r.Size)
	}
	pl.layers[id] = &layerRecord{Version: recordVersion, ID: id, Parent: parent, Size: size}
}

// moveLayer plans that a layer stands on another parent.
func (pl *plan) moveLayer(id, parent string) {
	r := *pl.layer(id)
	r.Parent = parent
	pl.layers[id] = &r
}

// putVolume plans a new or changed volume.
func (pl *plan) putVolume(r volumeRecord) {
	r.Version = recordVersion
	pl.volumes[r.ID] = &r
}

// removed lists the layers that the plan removes.
func (pl *plan) removed() []string {
	var out []string
	for id, r := range pl.layers {
		if r == nil {
			out = append(out, id)
		}
	}
	return out
}

// grounded lists the layers that were there and will stand on nothing from now on.
func (pl *plan) grounded() []string {
	var out []string
	for id, r := range pl.layers {
		if n := pl.tree.nodes[id]; r != nil && r.Parent == "" && n != nil && n.rec.Parent != "" {
			out = append(out, id)
		}
	}
	return out
}

// inverse is the plan that puts back what the tree has.
func (pl *plan) inverse() *plan {
	out := newPlan(pl.tree)
	for id := range pl.layers {
		out.layers[id] = nil
		if n := pl.tree.nodes[id]; n != nil {
			out.layers[id] = &n.rec
		}
	}
	for id := range pl.volumes {
		out.volumes[id] = nil
		if v := pl.tree.volumes[id]; v != nil {
			out.volumes[id] = &v.rec
		}
	}
	return out
}
