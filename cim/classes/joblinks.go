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
		return yield(link{near: m.servicePath(owningService(j)), far: jobPath(j.ID)})
	}
	a.all = func(ctx context.Context, yield links) error {
		return m.Jobs.EachJob(ctx, func(j job.Record) error { return give(j, yield) })
	}
	a.of = func(ctx context.Context, object *cim.Path, yield links) error {
		switch object.Class {
		case classReplicationSvc, classStorageConfigSvc:
			return m.Jobs.EachJob(ctx, func(j job.Record) error {
				if owningService(j) != object.Class {
					return nil
				}
				return give(j, yield)
			})
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

// owningService is the class of the service that a job works for.
func owningService(j job.Record) string {
	if len(j.Affected) > 0 && j.Affected[0].Kind == job.Pool {
		return classStorageConfigSvc
	}
	return classReplicationSvc
}

// Values of AffectedJobElement.ElementEffects (CIM 2.49).
const (
	effectPerformance = 3
	effectCreate      = 5
)

// effectOf is what a job does to an element.
func effectOf(e job.Element) uint16 {
	if e.Kind == job.Pool {
		return effectPerformance
	}
	return effectCreate
}

// affectedJobElement ties a job to the volumes and groups that it makes or to the
// pool that it reads, and to nothing else: clients take what they find for what the
// job has made.
func affectedJobElement(r *registry) {
	m := r.model
	a := &association{class: r.class("TWINLUN_AffectedJobElement"), near: "AffectedElement", far: "AffectingElement"}
	give := func(j job.Record, wanted func(job.Element) bool, yield links) error {
		for _, e := range j.Affected {
			if !wanted(e) {
				continue
			}
			p := m.elementPath(e)
			if p == nil {
				continue
			}
			set := func(b *cim.Builder) { b.Set("ElementEffects", []uint16{effectOf(e)}) }
			if err := yield(link{near: p, far: jobPath(j.ID), set: set}); err != nil {
				return err
			}
		}
		return nil
	}
	a.all = func(ctx context.Context, yield links) error {
		return m.Jobs.EachJob(ctx, func(j job.Record) error { return give(j, anyElement, yield) })
	}
	a.of = func(ctx context.Context, object *cim.Path, yield links) error {
		switch object.Class {
		case classStorageVolume, classReplicationGroup, classStoragePool:
			e, err := m.elementAt(ctx, object)
			if err != nil {
				return err
			}
			jobs, err := m.Jobs.JobsOf(ctx, e)
			if err != nil {
				return err
			}
			wanted := func(other job.Element) bool { return other == e }
			return inTurn(jobs, func(j job.Record) error { return give(j, wanted, yield) })
		case classConcreteJob:
			j, err := m.jobAt(ctx, object)
			if err != nil {
				return err
			}
			return give(j, anyElement, yield)
		}
		return nil
	}
	r.add(a)
}

func anyElement(job.Element) bool { return true }

// elementAt is the volume, group or pool at a path as jobs name it.
func (m *model) elementAt(ctx context.Context, p *cim.Path) (job.Element, error) {
	switch p.Class {
	case classReplicationGroup:
		id, _ := localID(p, idGroup)
		return job.Element{Kind: job.Group, ID: id}, nil
	case classStoragePool:
		name, _ := localID(p, idPool)
		return job.Element{Kind: job.Pool, ID: name}, nil
	}
	v, err := m.volumeAt(ctx, p)
	return job.Element{Kind: job.Volume, Pool: v.Pool, ID: string(v.ID)}, err
}

// elementPath is the path of what a job makes, nil for what is an association.
func (m *model) elementPath(e job.Element) *cim.Path {
	switch e.Kind {
	case job.Volume:
		return m.volumePath(pool.VolumeID(e.ID))
	case job.Group:
		return groupPath(e.ID)
	case job.Pool:
		return poolPath(e.ID)
	}
	return nil
}
