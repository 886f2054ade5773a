package classes

import (
	"context"

	"twinlun/blockdev/pool"
	"twinlun/cim"
	"twinlun/cim/provider"
	"twinlun/replication"
	"twinlun/replication/job"
)

// shower makes instances of values; the providers of classes are such.
type shower[T any] interface {
	instance(v T) (*cim.Instance, error)
}

// shows are the providers whose instances indications carry.
type shows struct {
	volumes shower[shownVolume]
	jobs    shower[job.Record]
	pairs   shower[replication.Relationship]
	ties    shower[replication.GroupRelationship]
	groups  shower[replication.Group]
	members *association
}

func newShows(c Config) (s shows, err error) {
	all, err := All(c)
	if err != nil {
		return s, err
	}
	by := make(map[string]provider.Provider, len(all))
	for _, p := range all {
		by[p.Class()] = p
	}
	var found [6]bool
	s.volumes, found[0] = by[classStorageVolume].(shower[shownVolume])
	s.jobs, found[1] = by[classConcreteJob].(shower[job.Record])
	s.pairs, found[2] = by[classStorageSynced].(shower[replication.Relationship])
	s.ties, found[3] = by[classGroupSynced].(shower[replication.GroupRelationship])
	s.groups, found[4] = by[classReplicationGroup].(shower[replication.Group])
	s.members, found[5] = by[classOrderedMember].(*association)
	if found != [6]bool{true, true, true, true, true, true} {
		return s, cim.Errorf(cim.StatusFailed, "a class that indications are about is not served")
	}
	return s, nil
}

// lifeCycle raises the life cycle indication of an object that is shown as an
// instance: CIM_InstCreation, CIM_InstModification or CIM_InstDeletion. A change
// that no property shows raises none; one of a key is the end of one instance and
// the beginning of another (DSP0004 section 5.1.2.8: keys do not change).
func lifeCycle[T any](ctx context.Context, n *Indicator, c replication.Change[T], show func(context.Context, T) (*cim.Instance, error)) {
	before, err := showOne(ctx, c.Before, show)
	if err != nil {
		n.failed("an instance", err)
		return
	}
	after, err := showOne(ctx, c.After, show)
	switch {
	case err != nil:
		n.failed("an instance", err)
	case before == nil && after == nil:
	case after == nil:
		n.goneLocked(before)
	case before == nil:
		n.madeLocked(after)
	case !before.Path.Equal(after.Path):
		n.goneLocked(before)
		n.madeLocked(after)
	default:
		n.changedLocked(before, after)
	}
}

func showOne[T any](ctx context.Context, v *T, show func(context.Context, T) (*cim.Instance, error)) (*cim.Instance, error) {
	if v == nil {
		return nil, nil
	}
	return show(ctx, *v)
}

func (n *Indicator) madeLocked(in *cim.Instance) {
	n.emitLocked(classInstCreation, &n.counts.created, func(b *cim.Builder) { n.setSource(b, in) })
}

func (n *Indicator) goneLocked(in *cim.Instance) {
	n.emitLocked(classInstDeletion, &n.counts.deleted, func(b *cim.Builder) { n.setSource(b, in) })
}

func (n *Indicator) changedLocked(before, after *cim.Instance) {
	names := differing(before, after)
	if len(names) == 0 {
		return
	}
	n.emitLocked(classInstModification, &n.counts.modified, func(b *cim.Builder) {
		n.setSource(b, after)
		b.Set("PreviousInstance", embedded(before)).Set("ChangedPropertyNames", names)
	})
}

// differing names the properties that differ.
func differing(before, after *cim.Instance) (names []string) {
	for _, p := range after.Class.Properties {
		if !cim.Equal(before.At(p.Index), after.At(p.Index)) {
			names = append(names, p.Name)
		}
	}
	return names
}

// setSource sets what an indication says of its instance.
func (n *Indicator) setSource(b *cim.Builder, in *cim.Instance) {
	b.Set("SourceInstance", embedded(in)).Set("SourceInstanceModelPath", in.Path.String()).
		Set("SourceInstanceHost", n.model.System)
}

// embedded is an instance as a value: without a path.
func embedded(in *cim.Instance) *cim.Instance {
	out := *in
	out.Path = nil
	return &out
}

func (n *Indicator) showVolume(_ context.Context, v pool.Volume) (*cim.Instance, error) {
	return n.shows.volumes.instance(n.model.showVolume(v))
}

func (n *Indicator) showJob(_ context.Context, j job.Record) (*cim.Instance, error) {
	return n.shows.jobs.instance(j)
}

// relationshipLocked raises the indications of a pair.
func (n *Indicator) relationshipLocked(ctx context.Context, c replication.Change[replication.Relationship]) {
	lifeCycle(ctx, n, c, n.showPair)
	n.breakageLocked(c)
}

func (n *Indicator) showPair(_ context.Context, r replication.Relationship) (*cim.Instance, error) {
	return n.shows.pairs.instance(r)
}

// tieLocked raises the indications of a group relationship.
func (n *Indicator) tieLocked(ctx context.Context, c replication.Change[replication.GroupRelationship]) {
	lifeCycle(ctx, n, c, func(_ context.Context, t replication.GroupRelationship) (*cim.Instance, error) {
		return n.shows.ties.instance(t)
	})
}
