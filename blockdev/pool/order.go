package pool

import (
	"slices"
	"strings"
)

// order is the volumes by name. One that is new, or gone, or has another name does not
// cost that all are sorted again.
type order struct {
	list  []named // never changed: others have it
	stale map[VolumeID]struct{}
}

// named is a volume under the name that it had.
type named struct {
	id   VolumeID
	name string
}

// changed says that a volume may have another place in the order.
func (o *order) changed(id VolumeID) { o.stale[id] = struct{}{} }

// sorted is the volumes by name. The list is shared and not changed any more;
// LayerPool.mu is held.
func (t *tree) sorted() []named {
	o := &t.order
	if len(o.stale) == 0 {
		return o.list
	}
	var add []named
	for id := range o.stale {
		if v := t.volumes[id]; v != nil {
			add = append(add, named{id, v.rec.Name})
		}
	}
	slices.SortFunc(add, func(a, b named) int { return strings.Compare(a.name, b.name) })
	o.list = o.with(add)
	o.stale = map[VolumeID]struct{}{}
	return o.list
}

// with is the list without what is stale, and with add, which is sorted.
func (o *order) with(add []named) []named {
	out := make([]named, 0, len(o.list)+len(add))
	for _, v := range o.list {
		if _, stale := o.stale[v.id]; stale {
			continue
		}
		for len(add) > 0 && add[0].name < v.name {
			out, add = append(out, add[0]), add[1:]
		}
		out = append(out, v)
	}
	return append(out, add...)
}
