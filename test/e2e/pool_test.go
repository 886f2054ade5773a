package e2e

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/cim"
	"twinlun/test/system"
	"twinlun/wsman/client"
)

const mib = 1 << 20

// poolLab is a lab whose pool has settings of its own.
func poolLab(t *testing.T, settings string) *lab {
	t.Helper()
	file := filepath.Join(t.TempDir(), "twinlun.yaml")
	require.NoError(t, os.WriteFile(file, []byte("pools:\n  - {name: default, "+settings+"}\n"), 0o600))
	return newLab(t, "--config", file)
}

// folder is where the files of the pool are if its path was not given.
func (l *lab) folder() string { return filepath.Join(l.d.DataDir, "pools", "default") }

func (l *lab) pool() *cim.Instance { return l.list("CIM_StoragePool")[0] }

// number is a property of an instance.
func (l *lab) number(in *cim.Instance, name string) int64 {
	l.t.Helper()
	n, ok := in.Get(name).(uint64)
	require.True(l.t, ok, "%s is %v", name, in.Get(name))
	return int64(n)
}

// method calls a method of an instance.
func (l *lab) method(p *cim.Path, name string, in ...cim.Arg) *cim.Reply {
	l.t.Helper()
	reply, err := l.c.Invoke(l.t.Context(), &cim.Call{Path: p, Method: name, In: in})
	require.NoError(l.t, err)
	return reply
}

// scrub begins a scrub of the pool.
func (l *lab) scrub(rate int) *cim.Path {
	l.t.Helper()
	reply := l.method(l.pool().Path, "Scrub", arg("RateLimit", rate))
	require.EqualValues(l.t, started, reply.Return, reply.Reason)
	return reply.Out.Get("Job").(*cim.Path)
}

// ends waits for the end of a job, whatever it is.
func (l *lab) ends(job *cim.Path) *cim.Instance {
	l.t.Helper()
	var in *cim.Instance
	require.Eventually(l.t, func() bool {
		in = l.get(job)
		return l.number(in, "PercentComplete") == 100
	}, waitLimit, pollEvery)
	return in
}

// fill writes random data over iSCSI and returns it.
func (l *lab) fill(volume string, seed uint64, off int64, n int) []byte {
	l.t.Helper()
	d, err := l.d.Disk(l.t.Context(), volume)
	require.NoError(l.t, err)
	defer d.Close()
	data := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(seed)}).Read(data)
	require.NoError(l.t, d.WriteAt(l.t.Context(), data, off))
	require.NoError(l.t, d.Flush(l.t.Context()))
	return data
}

func (l *lab) snapshotOf(source, name string) *cim.Path {
	l.t.Helper()
	reply := l.must("CreateElementReplica", arg("SyncType", snapshot), arg("SourceElement", l.refs(source)[0]), arg("ElementName", name))
	return reply.Out.Get("Synchronization").(*cim.Path)
}

// giveBack ends a snapshot and deletes it.
func (l *lab) giveBack(sync *cim.Path) {
	l.t.Helper()
	l.must("ModifyReplicaSynchronization", arg("Operation", 19), arg("Synchronization", sync))
}

func (l *lab) remove(volume string) {
	l.t.Helper()
	ref := l.refs(volume)[0]
	if l.get(ref.(*cim.Path)).Get("TargetName") != nil {
		require.EqualValues(l.t, done, l.call("TWINLUN_ControllerConfigurationService", "HideVolume", arg("Volume", ref)).Return)
	}
	reply := l.call("CIM_StorageConfigurationService", "ReturnToStoragePool", arg("TheElement", ref))
	require.EqualValues(l.t, done, reply.Return, reply.Reason)
}

// alarms are the alerts that a subscriber got.
type alarms struct {
	mu  sync.Mutex
	got []*cim.Instance
}

// listen subscribes to alerts until the test ends.
func (l *lab) listen() *alarms {
	l.t.Helper()
	a, ctx := &alarms{}, l.t.Context()
	s, err := l.c.Subscribe(ctx, system.Namespace, cim.Query{Language: cim.LanguageWQL, Text: "SELECT * FROM CIM_AlertIndication"}, client.SubscribeOptions{})
	require.NoError(l.t, err)
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		for ctx.Err() == nil {
			ev, err := s.Pull(ctx)
			if err != nil {
				return
			}
			a.mu.Lock()
			a.got = append(a.got, ev.Instances...)
			a.mu.Unlock()
		}
	})
	l.t.Cleanup(func() { cancel(); wg.Wait() })
	return a
}

// await waits for an alert with an identifier of its message and a severity, and
// forgets it and those before it.
func (a *alarms) await(t *testing.T, id string, severity uint64) *cim.Instance {
	t.Helper()
	var found *cim.Instance
	require.Eventually(t, func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		i := slices.IndexFunc(a.got, func(in *cim.Instance) bool {
			return in.Get("MessageID") == cim.Value(id) && in.Get("PerceivedSeverity") == cim.Value(severity)
		})
		if i >= 0 {
			found, a.got = a.got[i], a.got[i+1:]
		}
		return i >= 0
	}, waitLimit, pollEvery, "%s of severity %d", id, severity)
	return found
}

// metric is one figure of /metrics.
func (l *lab) metric(line string) int64 {
	l.t.Helper()
	r, err := http.Get("http://" + l.d.Metrics + "/metrics")
	require.NoError(l.t, err)
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	require.NoError(l.t, err)
	found := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(line) + ` (\S+)$`).FindStringSubmatch(string(text))
	require.NotNil(l.t, found, "there is no %s", line)
	n, err := strconv.ParseFloat(found[1], 64)
	require.NoError(l.t, err)
	return int64(n)
}

// TestDamagedDisk changes a byte of a frozen layer behind the daemon's back: a scrub
// finds it, an alert and the volumes tell of it, and a host gets a medium error.
func TestDamagedDisk(t *testing.T) {
	t.Parallel()
	l := poolLab(t, "verify_reads: true")
	l.volumes(16*mib, "db")
	l.expose("db")
	data := l.fill("db", 1, 0, 16*mib)
	l.snapshotOf("db", "snap")
	l.expose("snap")
	require.Eventually(t, func() bool {
		return strings.Contains(l.ends(l.scrub(0)).Get("JobStatus").(string), "1 layers compared, 0 without checksums, 0 bytes damaged")
	}, waitLimit, pollEvery, "the layer gets its checksums")
	l.scrubJobs()
	l = l.scrubGoesOn()

	a := l.listen()
	sums, err := filepath.Glob(filepath.Join(l.folder(), "*.sum"))
	require.NoError(t, err)
	require.Len(t, sums, 1)
	f, err := os.OpenFile(strings.TrimSuffix(sums[0], ".sum")+".data", os.O_RDWR, 0)
	require.NoError(t, err)
	_, err = f.WriteAt([]byte{data[8200] ^ 1}, 8200)
	require.NoError(t, err)
	require.NoError(t, f.Close())

	job := l.ends(l.scrub(0))
	require.EqualValues(t, 10, job.Get("JobState"), "exception")
	says := job.Get("ErrorDescription")
	require.Contains(t, says, "4096 bytes are damaged: 4096 of volume ")
	for _, name := range []string{"db", "snap"} {
		require.Contains(t, says, "volume "+name)
	}
	reply := l.method(job.Path, "GetError")
	require.Equal(t, says, reply.Out.Get("Error").(*cim.Instance).Get("Message"))

	alert := a.await(t, "TWINLUN4", 6)
	require.Equal(t, []cim.Value{"default", "4096", "8192", "4096"}, alert.Get("MessageArguments").([]cim.Value)[:4])
	require.ElementsMatch(t, []cim.Value{"db", "snap"}, alert.Get("MessageArguments").([]cim.Value)[4:])
	require.Contains(t, l.d.Log(), "content of a pool is damaged")
	require.EqualValues(t, 10, l.pool().Get("HealthState"), "degraded")
	require.EqualValues(t, 4096, l.number(l.pool(), "DamagedSpace"))
	for _, v := range l.list("CIM_StorageVolume") {
		require.Equal(t, []cim.Value{uint64(6)}, v.Get("OperationalStatus"))
	}
	require.EqualValues(t, 4096, l.metric(`twinlun_pool_damaged_bytes{pool="default"}`))
	_, errs, code := l.d.CLI(t.Context(), "pool", "scrub", "default")
	require.Equal(t, 1, code)
	require.Contains(t, errs, "4096 bytes are damaged")
	l.mediumErrors("db", data)
	l.mediumErrors("snap", data)

	l.d.Stop()
	out, _, code := l.d.CLI(t.Context(), "pool", "scrub", "--data-dir", l.d.DataDir)
	require.Equal(t, 1, code)
	require.Contains(t, out, "8192", "without the daemon it lists the places")
	l.d.Run()
}

// mediumErrors reads around the damage: the block cannot be read, until it is written.
func (l *lab) mediumErrors(volume string, data []byte) {
	l.t.Helper()
	d, err := l.d.Disk(l.t.Context(), volume)
	require.NoError(l.t, err)
	defer d.Close()
	buf := make([]byte, 4096)
	for _, off := range []int64{4096, 12288} {
		require.NoError(l.t, d.ReadAt(l.t.Context(), buf, off))
		require.Equal(l.t, data[off:off+4096], buf)
	}
	err = d.ReadAt(l.t.Context(), buf[:512], 8192)
	require.ErrorContains(l.t, err, "sense 03/11/00", "MEDIUM ERROR, UNRECOVERED READ ERROR")
	require.NoError(l.t, d.WriteAt(l.t.Context(), data[8192:12288], 8192))
	require.NoError(l.t, d.ReadAt(l.t.Context(), buf, 8192))
	require.Equal(l.t, data[8192:12288], buf)
}

// scrubJobs: a scrub is a job as others are.
func (l *lab) scrubJobs() {
	l.t.Helper()
	job := l.scrub(32 * mib)
	moved := false
	require.Eventually(l.t, func() bool {
		p := l.number(l.get(job), "PercentComplete")
		moved = moved || p > 0 && p < 100
		return p == 100
	}, waitLimit, pollEvery)
	require.True(l.t, moved, "its percentage moves")

	job = l.scrub(1)
	again := l.method(l.pool().Path, "Scrub")
	require.EqualValues(l.t, inUse, again.Return)
	id := strings.TrimPrefix(job.Key("InstanceID").(string), "TWINLUN:job:")
	require.Contains(l.t, again.Reason, id, "it names the job that runs")
	require.EqualValues(l.t, started, l.method(job, "RequestStateChange", arg("RequestedState", 4)).Return)
	require.EqualValues(l.t, 8, l.ends(job).Get("JobState"), "terminated")
}

// scrubGoesOn restarts the daemon in the middle of a scrub.
func (l *lab) scrubGoesOn() *lab {
	l.t.Helper()
	job := l.scrub(1)
	for _, end := range []func(){l.d.Stop, l.d.Kill} {
		end()
		l.d.Run()
		l = l.in(l.t).reconnected()
		require.EqualValues(l.t, 4, l.get(job).Get("JobState"), "running")
	}
	require.EqualValues(l.t, done, l.method(job, "KillJob").Return)
	require.EqualValues(l.t, 8, l.ends(job).Get("JobState"))
	return l
}

// TestSpaceAgreesWithTheFolder: what is shown of the pool, of its volumes and in the
// metrics is what the files take, to the byte, whenever nothing is under way.
func TestSpaceAgreesWithTheFolder(t *testing.T) {
	t.Parallel()
	l := poolLab(t, "max_provisioned: 200MiB, detect_zeros: true")
	agrees := func(when string) { l.spaceAgrees(when) }
	l.volumes(32*mib, "a", "b")
	l.expose("a", "b")
	agrees("empty")
	l.fill("a", 1, 0, 8*mib)
	l.fill("b", 2, 4*mib, 3*mib)
	agrees("written")
	one := l.snapshotOf("a", "s1")
	l.fill("a", 3, 2*mib, 4*mib)
	two := l.snapshotOf("a", "s2")
	l.fill("a", 4, 6*mib, 4*mib)
	agrees("with snapshots")
	pool := l.pool()
	require.GreaterOrEqual(t, l.number(pool, "SharedSpace"), int64(8*mib))
	l.giveBack(one)
	agrees("one snapshot less")
	l.giveBack(two)
	agrees("merged")
	require.Zero(t, l.number(l.pool(), "SharedSpace"))
	require.Less(t, l.number(l.pool(), "AllocatedSpace"), int64((10+3+1)*mib), "what the snapshots had is back")
	l.must("CreateElementReplica", arg("SyncType", clone), arg("SourceElement", l.refs("a")[0]), arg("ElementName", "c"))
	agrees("cloned")
	l.limits()
	l.remove("b")
	agrees("deleted")

	l.d.Stop()
	stranger := filepath.Join(l.folder(), strings.Repeat("0a", 16)+".data")
	require.NoError(t, os.WriteFile(stranger, make([]byte, mib), 0o600))
	l.d.Run()
	l = l.reconnected()
	require.EqualValues(t, mib, l.number(l.pool(), "LostSpace"))
	require.GreaterOrEqual(t, l.number(l.pool(), "ReclaimableSpace"), int64(mib))
	l.spaceAgrees("with a lost file")
}

// used is the space that the files of a folder take, as du counts it: those that end
// so, or all.
func used(t *testing.T, folder string, ends ...string) (sum int64) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || len(ends) > 0 && !slices.Contains(ends, filepath.Ext(path)) {
			return err
		}
		var st syscall.Stat_t
		if err := syscall.Stat(path, &st); err != nil {
			return err
		}
		sum += st.Blocks * 512
		return nil
	})
	if os.IsNotExist(err) {
		return -1 // a file went meanwhile
	}
	require.NoError(t, err)
	return sum
}

// spaceAgrees waits until the figures agree: merges, checksums and filesystems that
// allocate late take their time.
func (l *lab) spaceAgrees(when string) {
	l.t.Helper()
	var text string
	ok := func() bool {
		files := used(l.t, l.folder())
		p := l.pool()
		allocated, shared, lost := l.number(p, "AllocatedSpace"), l.number(p, "SharedSpace"), l.number(p, "LostSpace")
		metric := l.metric(`twinlun_pool_allocated_bytes{pool="default"}`)
		meta := l.number(p, "ThinProvisionMetaDataSpace")
		alone := int64(0)
		for _, v := range l.list("CIM_StorageVolume") {
			alone += l.number(v, "AllocatedSpace")
		}
		text = fmt.Sprintf("files %d, allocated %d, shared %d, lost %d, of volumes alone %d, maps and sums %d, metric %d", files, allocated, shared, lost, alone, meta, metric)
		return meta == used(l.t, l.folder(), ".map", ".sum") && allocated+lost == files && allocated == alone+shared && allocated == metric && l.number(p, "ReclaimableSpace") == lost
	}
	require.Eventually(l.t, ok, waitLimit, pollEvery, "%s", when)
	l.t.Log(when+":", text)
}

// limits goes beyond what the pool may provision.
func (l *lab) limits() {
	l.t.Helper()
	have := l.number(l.pool(), "ProvisionedSpace")
	require.EqualValues(l.t, 200*mib, l.number(l.pool(), "ProvisionedLimit"))
	says := fmt.Sprintf("%d bytes more than the %d that pool default has provisioned go beyond its limit of %d", 150*mib, have, 200*mib)
	reply := l.call("CIM_StorageConfigurationService", "CreateOrModifyElementFromStoragePool", arg("ElementName", "big"), arg("Size", 150*mib), arg("ElementType", 2))
	require.EqualValues(l.t, 4097, reply.Return)
	require.Contains(l.t, reply.Reason, says)
	require.EqualValues(l.t, 200*mib-have, reply.Out.Get("Size"), "what would do")
	_, errs, code := l.d.CLI(l.t.Context(), "volume", "create", "big", "--size", "150MiB")
	require.Equal(l.t, 1, code)
	require.Contains(l.t, errs, says)
	l.volumes(int(200*mib-have), "rest")
	reply = l.create("CreateElementReplica", arg("SyncType", snapshot), arg("SourceElement", l.refs("a")[0]))
	require.EqualValues(l.t, failed, reply.Return)
	require.Contains(l.t, reply.Reason, "go beyond its limit of 209715200")
	l.remove("rest")
}

// TestFullPool fills a small filesystem: writes fail with the sense for it, all else
// goes on, and so do writes when space is back.
func TestFullPool(t *testing.T) {
	t.Parallel()
	place := t.TempDir()
	if err := syscall.Mount("tmpfs", place, "tmpfs", 0, "size=128m"); err != nil {
		t.Skipf("a small filesystem cannot be mounted here (it takes root): %v", err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(place, 0)) })
	l := poolLab(t, "path: "+filepath.Join(place, "pool")+", reserve: 8MiB, warn_at: 50, alarm_at: 70")
	ctx := t.Context()
	l.volumes(256*mib, "a", "b")
	l.expose("a", "b")
	a := l.listen()
	l.fill("b", 1, 0, 70*mib)
	require.Equal(t, []cim.Value{"Pool", "default"}, a.await(t, "DRM28", 3).Get("MessageArguments"))
	kept := l.fill("a", 2, 0, 16*mib)
	snap := l.snapshotOf("a", "s")
	l.fill("a", 3, 0, 16*mib)
	a.await(t, "DRM28", 5)

	d, err := l.d.Disk(ctx, "a")
	require.NoError(t, err)
	block := make([]byte, 256<<10)
	_, _ = rand.NewChaCha8([32]byte{9}).Read(block)
	full := int64(-1)
	for off := int64(16 * mib); off < 256*mib && full < 0; off += int64(len(block)) {
		if err = d.WriteAt(ctx, block, off); err != nil {
			full = off
		}
	}
	require.True(t, blockdev.Is(err, blockdev.KindNoSpace), "%v", err)
	require.ErrorContains(t, err, "sense 07/27/07", "DATA PROTECT, SPACE ALLOCATION FAILED WRITE PROTECT")
	for off := full; off < full+mib; off += 4096 { // to the last block
		if err = d.WriteAt(ctx, block[:4096], off); err != nil {
			break
		}
	}
	require.ErrorContains(t, err, "sense 07/27/07")
	a.await(t, "DRM29", 6)
	require.Less(t, l.number(l.pool(), "RemainingManagedSpace"), int64(mib))
	require.GreaterOrEqual(t, l.metric(`twinlun_pool_free_bytes{pool="default"}`), int64(6*mib), "the reserve is not touched")

	got := make([]byte, len(block))
	require.NoError(t, d.ReadAt(ctx, got, full-int64(len(block))), "reads go on")
	require.Equal(t, block, got)
	require.NoError(t, d.Flush(ctx), "what was written is made durable")
	require.NoError(t, d.WriteAt(ctx, kept[:mib], 0), "what has its space can be written")
	l.expose("s")
	s, err := l.d.Disk(ctx, "s")
	require.NoError(t, err)
	same := make([]byte, 16*mib)
	require.NoError(t, s.ReadAt(ctx, same, 0))
	require.Equal(t, kept, same, "the snapshot is what it was")
	require.NoError(t, s.Close())
	reply := l.call("CIM_StorageConfigurationService", "CreateOrModifyElementFromStoragePool", arg("ElementName", "more"), arg("Size", mib), arg("ElementType", 2))
	require.EqualValues(t, failed, reply.Return, "what cannot be written is not made")

	require.EqualValues(t, done, l.call("TWINLUN_ControllerConfigurationService", "HideVolume", arg("Volume", l.refs("s")[0])).Return)
	l.giveBack(snap)
	require.Eventually(t, func() bool { return d.WriteAt(ctx, block, full) == nil }, waitLimit, pollEvery, "the merge gives its space back")
	a.await(t, "DRM28", 5)
	l.remove("b")
	a.await(t, "DRM30", 2)
	for off := full; off < full+16*mib; off += int64(len(block)) {
		require.NoError(t, d.WriteAt(ctx, block, off))
	}
	require.NoError(t, d.ReadAt(ctx, got, full))
	require.Equal(t, block, got)
	require.NoError(t, d.Close())
	l.d.Stop()
}
