package classes

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/faultdev"
	"twinlun/blockdev/pool"
	"twinlun/cim"
	"twinlun/replication"
	"twinlun/replication/store"
)

// frail is a pool the next raw write of which can be made to fail, as that of a
// mirror to its target.
type frail struct {
	*pool.LayerPool
	mu    sync.Mutex
	plans []*faultdev.Plan
}

func (p *frail) OpenRaw(ctx context.Context, id pool.VolumeID) (blockdev.Device, error) {
	d, err := p.LayerPool.OpenRaw(ctx, id)
	if err != nil {
		return nil, err
	}
	d, plan := faultdev.Wrap(d)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.plans = append(p.plans, plan)
	return d, nil
}

// failOnce lets the next write of each open device fail.
func (p *frail) failOnce() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, plan := range p.plans {
		plan.Inject(faultdev.Fault{
			Ops: []faultdev.Op{faultdev.OpWrite, faultdev.OpFUA}, Times: 1, Err: blockdev.Errorf(blockdev.KindIO, "write", "injected"),
		})
	}
}

// heardSystem is a real system whose indications are heard.
type heardSystem struct {
	*realSystem
	frail *frail
	store store.Store
	svc   *replication.Service
	stop  func()

	mu  sync.Mutex
	got []*cim.Instance
}

func newHeardSystem(t *testing.T) *heardSystem {
	kept := store.NewMem()
	p, err := pool.Open(t.Context(), pool.Config{Dir: t.TempDir(), Name: "fast", Meta: poolMeta{kept}})
	require.NoError(t, err)
	s := &heardSystem{frail: &frail{LayerPool: p}, store: kept}
	s.start(t)
	t.Cleanup(func() {
		s.stop()
		require.NoError(t, p.Close())
	})
	return s
}

// start brings up a Service and an Indicator on what is stored.
func (s *heardSystem) start(t *testing.T) {
	var n *Indicator
	svc, err := replication.New(replication.Config{
		Store: s.store, Pools: []pool.Pool{s.frail}, Reconnect: time.Millisecond, Events: func(e replication.Event) { n.Notify(e) },
	})
	require.NoError(t, err)
	c := testConfig(t, &fake{})
	c.PoolNames, c.Time = []string{"fast"}, time.Now
	c.Replicator, c.Relationships, c.Groups, c.Volumes, c.Pools, c.Jobs, c.Editor = svc, svc, svc, svc, svc, svc, svc
	n, err = NewIndicator(IndicatorConfig{Classes: c, Emit: s.hear, Rand: strings.NewReader("12345678")})
	require.NoError(t, err)
	require.NoError(t, svc.Start(t.Context()))
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { n.Run(ctx) })
	s.svc = svc
	s.realSystem = &realSystem{&system{Broker: brokerOf(t, c), fake: &fake{}, t: t, m: &model{Config: c}}, s.frail.LayerPool}
	s.stop = func() {
		require.NoError(t, svc.Close())
		cancel()
		wg.Wait()
	}
}

func (s *heardSystem) hear(in *cim.Instance) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got = append(s.got, in)
}

// heard waits for an indication that a query selects and gives all since the last
// time.
func (s *heardSystem) heard(language, query string) []*cim.Instance {
	s.t.Helper()
	f, err := s.Filter(Namespace, cim.Query{Language: language, Text: query})
	require.NoError(s.t, err, query)
	require.Eventually(s.t, func() bool { return len(selected(f, s.now())) > 0 }, time.Minute, time.Millisecond, query)
	s.mu.Lock()
	defer s.mu.Unlock()
	got := s.got
	s.got = nil
	return got
}

func (s *heardSystem) now() []*cim.Instance {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*cim.Instance(nil), s.got...)
}

// selected are those that a filter lets through.
func selected(f cim.Filter, all []*cim.Instance) (l []*cim.Instance) {
	for _, in := range all {
		if in.Class.IsA(f.Class().Name) && f.Match(in) {
			l = append(l, in)
		}
	}
	return l
}

// jobOver selects the end of a job, as SMI-S clients do.
const jobOver = `SELECT * FROM CIM_InstModification WHERE SourceInstance ISA CIM_ConcreteJob AND ANY SourceInstance.CIM_ConcreteJob::OperationalStatus[*] = 17`

// kinds are the classes of the instances in indications of a class.
func kinds(got []*cim.Instance, class string) (words []string) {
	for _, in := range got {
		if in.Class.Name == class {
			words = append(words, in.Get("SourceInstance").(*cim.Instance).Class.Name)
		}
	}
	return words
}

// TestRealIndications makes a list replica and wants what a client of SMI-S waits
// for: each object is made before it changes, the job ends last, and what the last
// indication of an object shows is what the class shows.
func TestRealIndications(t *testing.T) {
	s := newHeardSystem(t)
	sources := []*cim.Path{s.create("a", 'a'), s.create("b", 'b')}
	s.heard(cim.LanguageWQL, `SELECT * FROM CIM_InstCreation WHERE SourceInstance ISA "CIM_StorageVolume" AND SourceInstance.ElementName = "b"`)
	r := s.invoke(classReplicationSvc, "CreateListReplica", arg("SyncType", 8), arg("SourceElements", sources))
	require.Contains(t, []uint64{0, 4096}, r.Return)
	got := s.heard(cim.LanguageCQL, jobOver)
	require.Equal(t, []string{classStorageVolume, classStorageVolume, classConcreteJob, classStorageSynced, classStorageSynced}, kinds(got, classInstCreation))
	require.Empty(t, kinds(got, classInstDeletion))
	last := map[string]*cim.Instance{}
	for _, in := range got {
		checkIndication(t, in)
		path := in.Get("SourceInstanceModelPath").(string)
		require.Equal(t, in.Class.Name != classInstCreation, last[path] != nil, "%s of %s", in.Class.Name, path)
		if previous, ok := in.Get("PreviousInstance").(*cim.Instance); ok {
			requireSame(t, last[path], previous)
		}
		last[path] = in.Get("SourceInstance").(*cim.Instance)
	}
	for _, class := range []string{classStorageSynced, classConcreteJob} {
		for _, in := range s.instances(class) {
			requireSame(t, embedded(in), last[in.Path.String()])
		}
	}
	s.queries(got)
}

// requireSame compares what does not move with the time or the data.
func requireSame(t *testing.T, want, got *cim.Instance) {
	t.Helper()
	for _, name := range differing(want, got) {
		require.Contains(t, []string{"ElapsedTime", "AllocatedSpace", "SharesSpace"}, name)
	}
}

// queries are those that SMI-S clients subscribe with, and how many of the
// indications of a list replica each selects at least.
func (s *heardSystem) queries(got []*cim.Instance) {
	s.t.Helper()
	const is, was = `SourceInstance.CIM_StorageSynchronized::`, `PreviousInstance.CIM_StorageSynchronized::`
	for _, q := range []struct {
		language, text string
		least          int
	}{
		{cim.LanguageCQL, `SELECT * FROM CIM_InstCreation WHERE SourceInstance ISA CIM_StorageSynchronized`, 2},
		{cim.LanguageCQL, `SELECT * FROM CIM_InstModification WHERE SourceInstance ISA CIM_StorageSynchronized AND ` + is + `CopyState <> ` + was + `CopyState`, 2},
		{cim.LanguageCQL, `SELECT * FROM CIM_InstModification WHERE SourceInstance ISA CIM_StorageSynchronized AND ` + is + `ProgressStatus <> ` + was + `ProgressStatus`, 2},
		{cim.LanguageCQL, `SELECT * FROM CIM_InstModification WHERE SourceInstance ISA CIM_ConcreteJob AND SourceInstance.CIM_ConcreteJob::PercentComplete <> PreviousInstance.CIM_ConcreteJob::PercentComplete`, 1},
		{cim.LanguageCQL, `SELECT * FROM CIM_InstModification WHERE SourceInstance ISA CIM_ConcreteJob AND ANY SourceInstance.CIM_ConcreteJob::OperationalStatus[*] = 17 AND ANY SourceInstance.CIM_ConcreteJob::OperationalStatus[*] = 2`, 1},
		{cim.LanguageCQL, `SELECT * FROM CIM_InstModification WHERE SourceInstance ISA CIM_ConcreteJob AND SourceInstance.CIM_ConcreteJob::JobState <> PreviousInstance.CIM_ConcreteJob::JobState`, 2},
		{cim.LanguageCQL, `SELECT * FROM CIM_InstCreation WHERE SourceInstance ISA CIM_ConcreteJob`, 1},
		{cim.LanguageWQL, `SELECT * FROM CIM_InstCreation WHERE SourceInstance ISA 'CIM_StorageVolume'`, 2},
		{cim.LanguageWQL, `SELECT * FROM CIM_InstModification WHERE SourceInstance ISA "CIM_StorageSynchronized" AND SourceInstance.CopyState <> PreviousInstance.CopyState`, 2},
	} {
		f, err := s.Filter(Namespace, cim.Query{Language: q.language, Text: q.text})
		require.NoError(s.t, err, q.text)
		require.GreaterOrEqual(s.t, len(selected(f, got)), q.least, q.text)
	}
}

// TestRealGroupIndications makes and returns a group of snapshots.
func TestRealGroupIndications(t *testing.T) {
	s := newHeardSystem(t)
	sources := []*cim.Path{s.create("a", 'a'), s.create("b", 'b')}
	r := s.invoke(classReplicationSvc, "CreateGroupReplicaFromElements", arg("SyncType", 7), arg("RelationshipName", "nightly"), arg("SourceElements", sources))
	require.Equal(t, uint64(0), r.Return, r.Reason)
	got := s.heard(cim.LanguageCQL, `SELECT * FROM CIM_InstCreation WHERE SourceInstance ISA CIM_GroupSynchronized`)
	require.Equal(t, []string{
		classStorageVolume, classStorageVolume, classStorageVolume, classStorageVolume, classStorageSynced, classStorageSynced,
		classReplicationGroup, classOrderedMember, classOrderedMember, classReplicationGroup, classOrderedMember, classOrderedMember, classGroupSynced,
	}, kinds(got, classInstCreation))
	tie := s.instances(classGroupSynced)[0]
	requireSame(t, embedded(tie), got[len(got)-1].Get("SourceInstance").(*cim.Instance))

	r = s.invoke(classReplicationSvc, "ModifyReplicaSynchronization", arg("Operation", 19), arg("Synchronization", tie.Path))
	require.Equal(t, uint64(0), r.Return, r.Reason)
	got = s.heard(cim.LanguageCQL, `SELECT * FROM CIM_InstDeletion WHERE SourceInstance ISA CIM_GroupSynchronized`)
	deleted := kinds(got, classInstDeletion)
	require.Subset(t, deleted, []string{classStorageVolume, classStorageSynced, classGroupSynced})
	for _, in := range got {
		if src := in.Get("SourceInstance").(*cim.Instance); src.Class.Name == classStorageSynced {
			require.Equal(t, "nightly", src.Get("GroupRelationshipName"))
		}
	}
}

// TestRealBrokenMirror: the target of a mirror fails once, so that the mirror breaks
// and is mended.
func TestRealBrokenMirror(t *testing.T) {
	s := newHeardSystem(t)
	a := s.create("a", 'a')
	r := s.invoke(classReplicationSvc, "CreateElementReplica", arg("SyncType", 6), arg("SourceElement", a), arg("WaitForCopyState", 4))
	require.Equal(t, uint64(0), r.Return, r.Reason)
	s.heard(cim.LanguageCQL, `SELECT * FROM CIM_InstCreation WHERE SourceInstance ISA CIM_StorageSynchronized`)
	s.frail.failOnce()
	s.open(a, func(d blockdev.Device) {
		require.NoError(t, d.WriteAt(context.Background(), bytes.Repeat([]byte{'x'}, blockdev.SectorSize), 0))
	})
	got := s.heard(cim.LanguageWQL, `SELECT * FROM CIM_AlertIndication WHERE OwningEntity = "TWINLUN" AND MessageID = "TWINLUN2"`)
	told := alerts(t, got)
	require.Len(t, told, 2)
	require.Equal(t, "TWINLUN1", told[0].Get("MessageID"))
	require.Equal(t, []cim.Value{told[0].Get("IndicationIdentifier")}, told[1].Get("CorrelatedIndications"))
	pair := s.instances(classStorageSynced)[0]
	require.Equal(t, pair.Path.String(), told[0].Get("AlertingManagedElement"))
}

// TestRealRestart: what goes on is not raised as new.
func TestRealRestart(t *testing.T) {
	s := newHeardSystem(t)
	a := s.create("a", 'a')
	r := s.invoke(classReplicationSvc, "CreateElementReplica", arg("SyncType", 6), arg("SourceElement", a), arg("WaitForCopyState", 4))
	require.Equal(t, uint64(0), r.Return, r.Reason)
	s.heard(cim.LanguageCQL, `SELECT * FROM CIM_InstCreation WHERE SourceInstance ISA CIM_StorageSynchronized`)
	s.stop()
	s.mu.Lock()
	s.got = nil
	s.mu.Unlock()
	s.start(t)
	got := s.heard(cim.LanguageCQL, `SELECT * FROM CIM_InstModification WHERE SourceInstance ISA CIM_StorageSynchronized AND SourceInstance.CIM_StorageSynchronized::CopyState = 4`)
	require.Empty(t, kinds(got, classInstCreation))
	require.Empty(t, kinds(got, classInstDeletion))
}
