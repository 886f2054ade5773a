package e2e

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/replication/pairstate"
	"twinlun/test/system"
)

const (
	diskSize = 16 << 20
	secret   = "a-secret-of-24-characters"
)

// host is an initiator host that has libiscsi and qemu.
type host struct {
	*lab
	tools map[string]string
}

// TestISCSI drives the target with libiscsi's tools and qemu's.
func TestISCSI(t *testing.T) {
	l := newLab(t)
	h := &host{lab: l, tools: map[string]string{}}
	for tool, from := range map[string]string{
		"iscsi-ls": "libiscsi-bin", "iscsi-inq": "libiscsi-bin", "iscsi-readcapacity16": "libiscsi-bin", "qemu-img": "qemu-utils", "qemu-io": "qemu-utils",
	} {
		h.tools[tool] = system.Tool(t, tool, from)
	}
	for name, test := range map[string]func(*host){
		"identity": (*host).identity, "CHAP": (*host).chap, "initiators": (*host).initiators, "discovery": (*host).discovery,
		"resize": (*host).resize, "hide": (*host).hide, "replicas": (*host).replicas, "restart": (*host).restart,
	} {
		t.Run(name, func(t *testing.T) { test(&host{l.in(t).reconnected(), h.tools}) })
	}
}

// run runs a tool and returns what it printed and whether it succeeded.
func (h *host) run(tool string, args ...string) (string, bool) {
	h.t.Helper()
	out, err := exec.CommandContext(h.t.Context(), h.tools[tool], args...).CombinedOutput()
	if err != nil {
		require.IsType(h.t, &exec.ExitError{}, err)
	}
	return string(out), err == nil
}

// must is run for what must succeed.
func (h *host) must(tool string, args ...string) string {
	h.t.Helper()
	out, ok := h.run(tool, args...)
	require.True(h.t, ok, "%s %v: %s", tool, args, out)
	return out
}

// io runs commands of qemu-io on a volume.
func (h *host) io(volume string, commands ...string) (string, bool) {
	h.t.Helper()
	args := []string{"-f", "raw"}
	for _, c := range commands {
		args = append(args, "-c", c)
	}
	out, ok := h.run("qemu-io", append(args, h.d.DiskURL(volume))...)
	return out, ok && !strings.Contains(out, "failed")
}

// image makes a file of random data with a hole.
func (h *host) image(seed uint64) string {
	h.t.Helper()
	data := make([]byte, diskSize)
	random := rand.NewChaCha8([32]byte{byte(seed)})
	_, err := random.Read(data[:diskSize/2])
	require.NoError(h.t, err)
	copy(data[diskSize-5000:], data)
	file := filepath.Join(h.t.TempDir(), "image")
	require.NoError(h.t, os.WriteFile(file, data, 0o600))
	return file
}

// write fills a volume with an image; same compares.
func (h *host) write(volume, image string) {
	h.t.Helper()
	h.must("qemu-img", "convert", "-n", "-f", "raw", "-O", "raw", image, h.d.DiskURL(volume))
}

func (h *host) same(volume, image string) {
	h.t.Helper()
	h.must("qemu-img", "compare", "-f", "raw", "-F", "raw", image, h.d.DiskURL(volume))
}

// exposed makes a volume that everybody reaches.
func (h *host) exposed(names ...string) {
	h.t.Helper()
	h.volumes(diskSize, names...)
	h.expose(names...)
}

func (h *host) identity() {
	h.exposed("id1")
	url := h.d.DiskURL("id1")
	volume := h.pick("CIM_StorageVolume", "ElementName", "id1")
	page := func(code int) string { return h.must("iscsi-inq", "-e", "1", "-c", fmt.Sprint(code), url) }
	require.Contains(h.t, h.must("iscsi-inq", url), "Vendor:TWINLUN")
	for _, code := range []string{"0x00", "0x80", "0x83", "0xb0", "0xb1", "0xb2"} {
		require.Contains(h.t, page(0), "Page:"+code)
	}
	require.Contains(h.t, strings.ToUpper(page(0x83)), strings.ToUpper(volume.Get("Name").(string)), "a host can match disk and volume")
	require.NotEmpty(h.t, page(0x80))
	require.Contains(h.t, page(0xb0), "maximum unmap lba count:1048576")
	require.NotEmpty(h.t, page(0xb1))
	require.Contains(h.t, page(0xb2), "provisioning type:2")
	require.Contains(h.t, h.must("iscsi-readcapacity16", url), fmt.Sprintf("Total size:%d", diskSize))
	out, ok := h.io("id1", "write -P 0x11 0 1M", "write -P 0x22 1M 4k", "write -z 2M 1M", "discard 0 64k", "flush",
		"read -P 0 0 64k", "read -P 0x11 64k 960k", "read -P 0x22 1M 4k", "read -P 0 2M 1M")
	require.True(h.t, ok, out)
	out, ok = h.io("id1", "read -P 0x33 1M 4k")
	require.False(h.t, ok, "a wrong pattern must be noticed: %s", out)
}

func (h *host) chap() {
	h.volumes(diskSize, "chap1")
	file := filepath.Join(h.t.TempDir(), "secret")
	require.NoError(h.t, os.WriteFile(file, []byte(secret), 0o600))
	h.d.Must("volume", "expose", "chap1", "--chap", "host", "--chap-secret-file", file)
	url := func(user, password string) string {
		return fmt.Sprintf("iscsi://%s%%%s@%s/%s/0", user, password, h.d.ISCSI, system.IQN("chap1"))
	}
	h.must("iscsi-readcapacity16", url("host", secret))
	for name, refused := range map[string]string{
		"wrong secret": url("host", "another-secret-of-24-chars"), "wrong user": url("guest", secret), "no CHAP": h.d.DiskURL("chap1"),
	} {
		out, ok := h.run("iscsi-readcapacity16", refused)
		require.False(h.t, ok, "%s: %s", name, out)
	}
}

func (h *host) initiators() {
	h.volumes(diskSize, "acl1")
	h.d.Must("volume", "expose", "acl1", "--initiator", "iqn.2026-11.test:friend")
	inquire := func(initiator string) bool {
		_, ok := h.run("iscsi-inq", "-i", initiator, h.d.DiskURL("acl1"))
		return ok
	}
	require.True(h.t, inquire("iqn.2026-11.test:friend"))
	require.False(h.t, inquire("iqn.2026-11.test:stranger"))
	list := func(initiator string) string {
		return h.must("iscsi-ls", "-i", initiator, "iscsi://"+h.d.ISCSI)
	}
	require.Contains(h.t, list("iqn.2026-11.test:friend"), system.IQN("acl1"))
	require.NotContains(h.t, list("iqn.2026-11.test:stranger"), system.IQN("acl1"), "what may not be reached is not shown")
	h.d.Must("volume", "expose", "acl1", "--initiator", "iqn.2026-11.test:stranger")
	require.True(h.t, inquire("iqn.2026-11.test:stranger"))
}

func (h *host) discovery() {
	h.exposed("seen1")
	h.volumes(diskSize, "unseen1")
	found := h.must("iscsi-ls", "iscsi://"+h.d.ISCSI)
	require.Contains(h.t, found, system.IQN("seen1"))
	require.NotContains(h.t, found, system.IQN("unseen1"))
	_, ok := h.run("iscsi-inq", h.d.DiskURL("unseen1"))
	require.False(h.t, ok)
}

func (h *host) resize() {
	h.exposed("grow1")
	disk, err := h.d.Disk(h.t.Context(), "grow1")
	require.NoError(h.t, err)
	image := h.image(1)
	h.write("grow1", image)
	h.d.Must("volume", "resize", "grow1", "--size", "32MiB")
	require.Contains(h.t, h.must("iscsi-readcapacity16", h.d.DiskURL("grow1")), fmt.Sprint("Total size:", 32<<20))
	require.NoError(h.t, os.Truncate(image, 32<<20))
	h.same("grow1", image)
	require.NoError(h.t, disk.Close(), "a session that was open goes on")
	out, ok := h.io("grow1", "write -P 0x44 31M 1M", "read -P 0x44 31M 1M")
	require.True(h.t, ok, out)
}

// hide closes the sessions that are open.
func (h *host) hide() {
	h.exposed("hidden1")
	disk, err := h.d.Disk(h.t.Context(), "hidden1")
	require.NoError(h.t, err)
	defer disk.Close()
	buf := make([]byte, 4096)
	require.NoError(h.t, disk.ReadAt(h.t.Context(), buf, 0))
	h.d.Must("volume", "hide", "hidden1")
	require.Error(h.t, disk.ReadAt(h.t.Context(), buf, 0))
	_, ok := h.run("iscsi-inq", h.d.DiskURL("hidden1"))
	require.False(h.t, ok)
}

// replicas are read back, byte for byte, while the source changes.
func (h *host) replicas() {
	h.exposed("origin1")
	then, now := h.image(2), h.image(3)
	h.write("origin1", then)
	h.d.Must("replica", "create", "--type", "snapshot", "--source", "origin1", "--name", "snapshot1")
	h.d.Must("replica", "create", "--type", "clone", "--source", "origin1", "--name", "clone1")
	h.d.Must("replica", "create", "--type", "mirror", "--source", "origin1", "--name", "mirror1", "--wait", "synchronized")
	h.write("origin1", now)
	h.expose("snapshot1", "clone1", "mirror1")
	h.same("origin1", now)
	h.same("snapshot1", then)
	h.same("clone1", then)
	h.same("mirror1", now)

	out, ok := h.io("mirror1", "write -P 1 0 4k")
	require.False(h.t, ok, "a host wrote to a mirror's target: %s", out)
	h.same("mirror1", now)
	out, ok = h.io("snapshot1", "write -P 0x55 8M 4k", "read -P 0x55 8M 4k")
	require.True(h.t, ok, out)
	require.Contains(h.t, h.d.Must("replica", "show", "snapshot1"), "Skewed")
	h.same("origin1", now)
	h.must("qemu-io", "-f", "raw", "-c", "write -P 0x55 8M 4k", then)
	h.same("snapshot1", then)
}

// restart: all that was made is there afterwards, and mirrors come back.
func (h *host) restart() {
	h.exposed("kept1", "kept2")
	image := h.image(4)
	h.write("kept1", image)
	h.must("qemu-img", "convert", "-n", "-f", "raw", "-O", "raw", image, h.d.DiskURL("kept2"))
	h.lab.must(createGroup, arg("RelationshipName", "kept"), arg("SyncType", mirror), arg("SourceElements", h.refs("kept1", "kept2")), arg("WaitForCopyState", 4))
	h.lab.must(createList, arg("SyncType", snapshot), arg("SourceElements", h.refs("kept1")), arg("ElementNames", "kept snapshot"))
	h.expose("kept_1")
	before := h.lasting()
	for name, end := range map[string]func(){"stop": h.d.Stop, "kill": h.d.Kill} {
		end()
		h.d.Run()
		again := &host{h.reconnected(), h.tools}
		again.settled()
		require.Equal(again.t, before, again.lasting(), name)
		again.same("kept1", image)
		again.same("kept_1", image)
		out, ok := again.io("kept1", "write -P 0x66 3M 64k", "flush")
		require.True(again.t, ok, out)
		again.must("qemu-io", "-f", "raw", "-c", "write -P 0x66 3M 64k", image)
		again.same("kept_1", image)
	}
}

// reconnected is the lab after the daemon has come back on other ports.
func (l *lab) reconnected() *lab { return &lab{l.t, l.d, l.d.Client()} }

// settled waits until all mirrors are in sync.
func (l *lab) settled() {
	l.t.Helper()
	require.Eventually(l.t, func() bool {
		for _, in := range l.list("CIM_StorageSynchronized") {
			if in.Get("SyncType") == cim.Value(uint64(mirror)) && in.Get("CopyState") != cim.Value(uint64(pairstate.Synchronized)) {
				return false
			}
		}
		return true
	}, waitLimit, pollEvery)
}

// lasting describes what does not change with time or with what is written.
func (l *lab) lasting() string {
	var b bytes.Buffer
	for class, properties := range map[string][]string{
		"CIM_StorageVolume": {"ElementName", "Name", "NumberOfBlocks", "TargetName"}, "CIM_ReplicationGroup": {"ElementName", "InstanceID"},
		"CIM_StorageSynchronized": {"RelationshipName", "SyncType", "Mode", "CopyState", "WhenEstablished"}, "CIM_GroupSynchronized": {"RelationshipName", "CopyState"},
		"CIM_SCSIProtocolController": {"TargetName", "ChapUser", "InitiatorPortIDs"},
	} {
		for _, in := range l.list(class) {
			for _, p := range properties {
				fmt.Fprintf(&b, "%s %s=%v\n", in.Path, p, in.Get(p))
			}
			if in.Get("SyncType") == cim.Value(uint64(snapshot)) { // that of a mirror is when it came back
				fmt.Fprintf(&b, "%s %v\n", in.Path, in.Get("WhenSynced"))
			}
		}
	}
	lines := strings.Split(b.String(), "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
