package classes

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev/export"
	"twinlun/blockdev/pool"
	"twinlun/cim"
	"twinlun/replication"
	"twinlun/replication/job"
	"twinlun/replication/pairstate"
)

// crowd is a fake with n of everything, which finds volumes by their number.
type crowd struct{ *fake }

func newCrowd(n int) *crowd {
	f := &fake{pools: []pool.Info{{Name: "fast"}}}
	for i := range n {
		at := volRef("fast", i)
		f.volumes = append(f.volumes, pool.Volume{ID: at.ID, Pool: "fast", Name: fmt.Sprint("v", i), Size: 1 << 20})
		f.exports = append(f.exports, export.Export{Volume: exportRef(at), Target: fmt.Sprint("iqn.x:v", i)})
		f.jobs = append(f.jobs, job.Record{ID: fmt.Sprint(i), Name: "n", State: job.Completed, Affected: []job.Element{{Kind: job.Volume, Pool: "fast", ID: string(at.ID)}}})
		f.groups = append(f.groups, replication.Group{ID: fmt.Sprint(i), Name: "g", Members: []replication.VolumeRef{at}})
		f.ties = append(f.ties, replication.GroupRelationship{ID: fmt.Sprint(i), Name: "t", Source: fmt.Sprint(i), Target: fmt.Sprint((i + 1) % n), Type: pairstate.Clone})
		f.pairs = append(f.pairs, replication.Relationship{ID: fmt.Sprint(i), Name: "p", Source: at, Target: volRef("fast", (i+1)%n), Group: fmt.Sprint(i), Type: pairstate.Clone})
	}
	return &crowd{f}
}

func number(id pool.VolumeID) (n int) {
	_, _ = fmt.Sscanf(string(id[len(id)-8:]), "%x", &n)
	return n
}

func (c *crowd) Volume(_ context.Context, ref replication.VolumeRef) (pool.Volume, error) {
	return c.volumes[number(ref.ID)], nil
}

func (c *crowd) Export(_ context.Context, v export.VolumeRef) (export.Export, error) {
	return c.exports[number(v.ID)], nil
}

func (c *crowd) RelationshipsOf(_ context.Context, v replication.VolumeRef) ([]replication.Relationship, error) {
	n := number(v.ID)
	return []replication.Relationship{c.pairs[n], c.pairs[(n+len(c.pairs)-1)%len(c.pairs)]}, nil
}

func (c *crowd) TargetOf(v export.VolumeRef) string { return c.exports[number(v.ID)].Target }

func (c *crowd) GroupRelationship(_ context.Context, id string) (replication.GroupRelationship, error) {
	var n int
	_, err := fmt.Sscan(id, &n)
	return c.ties[n], err
}

func (c *crowd) GroupRelationshipsOf(ctx context.Context, id string) ([]replication.GroupRelationship, error) {
	var n int
	_, err := fmt.Sscan(id, &n)
	return []replication.GroupRelationship{c.ties[n], c.ties[(n+len(c.ties)-1)%len(c.ties)]}, err
}

func (c *crowd) GroupsOf(_ context.Context, v replication.VolumeRef) ([]replication.Group, error) {
	return c.groups[number(v.ID):][:1], nil
}

func (c *crowd) JobsOf(_ context.Context, e job.Element) ([]job.Record, error) {
	n := number(pool.VolumeID(e.ID))
	return c.jobs[n : n+1], nil
}

func crowded(b *testing.B) *system {
	c := newCrowd(10000)
	cfg := testConfig(b, c.fake)
	cfg.PoolNames = []string{"fast"}
	cfg.Volumes, cfg.Exports, cfg.Relationships, cfg.Groups, cfg.Jobs = c, c, c, c, c
	return &system{Broker: brokerOf(b, cfg), fake: c.fake, t: b, m: &model{Config: cfg}}
}

// BenchmarkRequests is what single requests cost with 10,000 of everything.
func BenchmarkRequests(b *testing.B) {
	s := crowded(b)
	vol := s.vol(5000)
	for _, class := range []string{
		classStorageVolume, classStorageSynced, classGroupSynced, classController, classEndpoint, "TWINLUN_SystemDevice",
		"TWINLUN_AllocatedFromStoragePool", "TWINLUN_OrderedMemberOfCollection", "TWINLUN_AffectedJobElement", "TWINLUN_ProtocolControllerForUnit",
	} {
		p := s.instances(class)[5000].Path
		b.Run("get "+class, func(b *testing.B) {
			for b.Loop() {
				_, err := s.Get(context.Background(), p)
				require.NoError(b, err)
			}
		})
	}
	b.Run("all that is associated with a volume", func(b *testing.B) {
		for b.Loop() {
			s.associated(cim.AssociationQuery{Object: vol})
		}
	})
	for _, class := range []string{classStorageVolume, classStorageSynced, classConcreteJob} {
		b.Run("enumerate "+class, func(b *testing.B) {
			for b.Loop() {
				s.instances(class)
			}
		})
	}
	b.Run("replicate", func(b *testing.B) {
		for b.Loop() {
			s.list, s.result = nil, replication.Result{Targets: []replication.VolumeRef{}}
			s.invoke(classReplicationSvc, "CreateListReplica", arg("SyncType", 8), arg("SourceElements", vol))
		}
	})
}
