package classes

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/pool"
	"twinlun/cim"
	"twinlun/replication"
	"twinlun/replication/job"
)

func TestScrub(t *testing.T) {
	s := newSystem(t)
	r := s.invoke(poolPath("fast"), "Scrub", arg("RateLimit", uint64(5<<20)))
	require.Equal(t, uint64(4096), r.Return)
	j, ok := r.Out.Get("Job").(*cim.Path)
	require.True(t, ok)
	s.invoke(poolPath("slow"), "Scrub")
	require.Equal(t, []int64{5 << 20, 0}, s.scrubs)
	affected := s.associated(cim.AssociationQuery{Object: j, AssociationClass: "CIM_AffectedJobElement"})
	require.Equal(t, []string{poolPath("fast").String()}, pathsOf(affected))
	require.Equal(t, []string{j.String()}, pathsOf(s.associated(cim.AssociationQuery{Object: poolPath("fast"), ResultClass: "CIM_Job"})))
	owner := s.associated(cim.AssociationQuery{Object: j, AssociationClass: "CIM_OwningJobElement"})
	require.Equal(t, []string{s.m.servicePath(classStorageConfigSvc).String()}, pathsOf(owner))
	of := cim.AssociationQuery{Object: s.m.servicePath(classStorageConfigSvc), AssociationClass: "CIM_OwningJobElement"}
	require.Len(t, s.associated(of), 2)
	for _, c := range []struct {
		err    error
		in     []cim.Arg
		code   uint64
		reason string
	}{
		{nil, []cim.Arg{arg("RateLimit", uint64(1<<60+1))}, 5, "RateLimit: "},
		{replication.Errorf(replication.KindInUse, "", "pool fast is being scrubbed already by job 7"), nil, 6, "by job 7"},
		{replication.Errorf(replication.KindNotSupported, "", "pool fast has no checksums"), nil, 1, "no checksums"},
	} {
		s.fails = map[string]error{"ScrubPool": c.err}
		r := s.invoke(poolPath("fast"), "Scrub", c.in...)
		require.Equal(t, c.code, r.Return)
		require.Contains(t, r.Reason, c.reason)
	}
	require.Equal(t, uint64(1), s.invoke(poolPath("fast"), "GetAvailableExtents").Return, "Not Supported")
}

// TestScrubResult: a job that found nothing wrong says what it looked at.
func TestScrubResult(t *testing.T) {
	s := newSystem(t)
	s.jobs = []job.Record{{ID: "j", Name: "n", State: job.Completed, Result: "3 layers compared"}}
	require.Equal(t, "Completed: 3 layers compared", s.instances("CIM_ConcreteJob")[0].Get("JobStatus"))
}

func TestPoolFigures(t *testing.T) {
	s := newSystem(t)
	s.pools = []pool.Info{{
		Name: "fast", Total: 1000, Free: 400, Reserve: 100, Allocated: 500, Shared: 200, Provisioned: 3000, MaxProvisioned: 4000,
		Reclaimable: 30, Lost: 7, Metadata: 3, Volumes: 2,
	}}
	s.m.Space = map[string][]SpaceLevel{}
	in := s.instances("CIM_StoragePool")[0]
	want := map[string]cim.Value{
		"TotalManagedSpace": uint64(1000), "RemainingManagedSpace": uint64(300), "ReservedSpace": uint64(100),
		"AllocatedSpace": uint64(500), "SharedSpace": uint64(200), "ProvisionedSpace": uint64(3000), "ProvisionedLimit": uint64(4000),
		"ReclaimableSpace": uint64(37), "LostSpace": uint64(7), "ThinProvisionMetaDataSpace": uint64(3), "DamagedSpace": uint64(0), "LowSpaceWarningThreshold": uint64(20),
		"OperationalStatus": []cim.Value{uint64(2)}, "HealthState": uint64(5),
	}
	got := map[string]cim.Value{}
	for name := range want {
		got[name] = in.Get(name)
	}
	require.Equal(t, want, got)
	s.pools[0].Free = 50
	require.Equal(t, uint64(0), s.instances("CIM_StoragePool")[0].Get("RemainingManagedSpace"), "there is only the reserve")
}

// TestDamagedElements: as long as damage is known a pool is degraded and its volumes have
// lost data; the others are what they were.
func TestDamagedElements(t *testing.T) {
	s := newSystem(t)
	s.pools[0].Damaged, s.fake.volumes[1].Damaged = 8192, 4096
	for i, in := range s.instances("CIM_StoragePool") {
		want := map[string]cim.Value{"OperationalStatus": []cim.Value{uint64(2)}, "HealthState": uint64(5), "StatusDescriptions": nil}
		if i == 0 {
			want = map[string]cim.Value{"OperationalStatus": []cim.Value{uint64(3)}, "HealthState": uint64(10),
				"StatusDescriptions": []cim.Value{"8192 bytes of its content are damaged"}}
		}
		require.Equal(t, want, values(in, "OperationalStatus", "HealthState", "StatusDescriptions"))
	}
	for i, in := range s.instances("CIM_StorageVolume") {
		want := map[string]cim.Value{"OperationalStatus": []cim.Value{uint64(2)}, "HealthState": uint64(5), "ExtentStatus": []cim.Value{uint64(2)}, "DamagedSpace": uint64(0)}
		if i == 1 {
			want = map[string]cim.Value{"OperationalStatus": []cim.Value{uint64(6)}, "HealthState": uint64(20), "ExtentStatus": []cim.Value{uint64(4)}, "DamagedSpace": uint64(4096)}
		}
		require.Equal(t, want, values(in, "OperationalStatus", "HealthState", "ExtentStatus", "DamagedSpace"))
		checkComplete(t, in)
	}
}

// TestBeyondTheLimit: the reply names the limit and what there is, and the size that
// would do.
func TestBeyondTheLimit(t *testing.T) {
	s := newSystem(t)
	conf := s.m.servicePath(classStorageConfigSvc)
	for _, c := range []struct {
		provisioned int64
		fits        cim.Value
	}{{90 << 10, uint64(10 << 10)}, {100 << 10, nil}, {200 << 10, nil}} {
		limit := &pool.LimitError{Pool: "fast", Limit: 100 << 10, Provisioned: c.provisioned, More: 20 << 10}
		failed := &replication.Error{Kind: replication.KindFailed, Param: "ElementName", Msg: limit.Error(), Err: blockdev.Wrap(blockdev.KindNoSpace, "create", limit)}
		s.fails = map[string]error{"CreateVolume": failed}
		r := s.invoke(conf, "CreateOrModifyElementFromStoragePool", arg("ElementName", "v"), arg("Size", uint64(20<<10)))
		require.Equal(t, uint64(4097), r.Return)
		require.Equal(t, c.fits, r.Out.Get("Size"))
		require.Contains(t, r.Reason, fmt.Sprintf("Size: 20480 bytes more than the %d that pool fast has provisioned go beyond its limit of 102400", c.provisioned))
	}
	limit := &pool.LimitError{Pool: "fast", Limit: 2 << 30, Provisioned: 3 << 29, More: 1 << 30}
	s.fails = map[string]error{"UpdateVolume": limit}
	r := s.invoke(conf, "CreateOrModifyElementFromStoragePool", arg("TheElement", s.vol(1)), arg("Size", uint64(2<<30)))
	require.Equal(t, uint64(3<<29), r.Out.Get("Size"), "it may grow as far")
}
