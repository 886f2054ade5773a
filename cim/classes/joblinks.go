package classes

import (
	"context"

	"twinlun/blockdev/pool"
	"twinlun/cim"
	"twinlun/replication/job"
)

// owningJobElement ties each job to the service that it works for.
func owningJobElement(r *registry) {
	m := r.model
	a := &association{class: r.class("TWINLUN_OwningJobElement"), near: "OwningElement", far: "OwnedElement"}
	give := func(j job.Record, yield links) error {
		return yield(link{near: m.servicePath(classReplicationSvc), far: jobPath(j.ID)})
	}
	a.all = func(ctx context.Context, yield links) error {
		return each(ctx, m.Jobs.Jobs, func(j job.Record) error { return give(j, yield) })
	}
	a.of = func(ctx context.Context, object *cim.Path, yield links) error {
		switch object.Class {
		case classReplicationSvc:
			return a.all(ctx, yield)
		case classConcreteJob:
			j, err := m.jobAt(ctx, object)
			if err != nil {
				return err
			}
			return give(j, yield)
		}
		return nil
	}
	r.add(a)
}

// affectedJobElement ties a job to the volumes and groups that it makes, and to
// nothing else: clients take what they find for what the job has made.
func affectedJobElement(r *registry) {
	m := r.model
	a := &association{class: r.class("TWINLUN_AffectedJobElement"), near: "AffectedElement", far: "AffectingElement"}
	// give yields the links of a job, or only that to one object.
	give := func(j job.Record, only *cim.Path, yield links) error {
		for _, e := range j.Affected {
			p := m.elementPath(e)
			if p == nil || only != nil && !p.Equal(only) {
				continue
			}
			set := func(b *cim.Builder) { b.Set("ElementEffects", []uint16{5}) } // Create
			if err := yield(link{near: p, far: jobPath(j.ID), set: set}); err != nil {
				return err
			}
		}
		return nil
	}
	a.all = func(ctx context.Context, yield links) error {
		return each(ctx, m.Jobs.Jobs, func(j job.Record) error { return give(j, nil, yield) })
	}
	a.of = func(ctx context.Context, object *cim.Path, yield links) error {
		switch object.Class {
		case classStorageVolume, classReplicationGroup:
			return each(ctx, m.Jobs.Jobs, func(j job.Record) error { return give(j, object, yield) })
		case classConcreteJob:
			j, err := m.jobAt(ctx, object)
			if err != nil {
				return err
			}
			return give(j, nil, yield)
		}
		return nil
	}
	r.add(a)
}

// elementPath is the path of what a job makes, nil for what is an association.
func (m *model) elementPath(e job.Element) *cim.Path {
	switch e.Kind {
	case job.Volume:
		return m.volumePath(pool.VolumeID(e.ID))
	case job.Group:
		return groupPath(e.ID)
	}
	return nil
}
