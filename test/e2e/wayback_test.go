package e2e

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/replication/pairstate"
	"twinlun/test/system"
)

// TestWayBack restores, resets and shrinks volumes as administrators do it, with the
// data in the hands of libiscsi and qemu, and kills the daemon right afterwards.
func TestWayBack(t *testing.T) {
	l := newLab(t)
	h := &host{lab: l, tools: map[string]string{}}
	for _, tool := range []string{"qemu-img", "qemu-io"} {
		h.tools[tool] = system.Tool(t, tool, "qemu-utils")
	}
	h.tools["iscsi-readcapacity16"] = system.Tool(t, "iscsi-readcapacity16", "libiscsi-bin")
	for name, test := range map[string]func(*host){
		"restore": (*host).restoring, "group": (*host).restoringGroup, "in use": (*host).restoringInUse,
		"reset": (*host).resetting, "shrink": (*host).shrinking,
	} {
		t.Run(name, func(t *testing.T) { test(&host{l.in(t).reconnected(), h.tools}) })
	}
}

// killed is the host after the daemon was killed and started again.
func (h *host) killed() *host {
	h.t.Helper()
	h.d.Kill()
	h.d.Run()
	return &host{h.reconnected(), h.tools}
}

// sync is the relationship with a name, as a reference in an envelope of a client.
func (c *curl) sync(name string) string {
	c.t.Helper()
	in := c.pick("CIM_StorageSynchronized", "RelationshipName", name)
	var source, target string
	for _, k := range in.Path.Keys {
		id, _ := k.Value.(*cim.Path).Key("DeviceID").(string)
		volume := c.pick("CIM_StorageVolume", "DeviceID", id)
		ref := c.volumeEPR(volume.Get("ElementName").(string))
		if k.Name == "SystemElement" {
			source = ref
		} else {
			target = ref
		}
	}
	return c.reference(in.Path.Class, "SystemElement", source, "SyncedElement", target)
}

// reference is the content of a reference whose keys are references.
func (c *curl) reference(class string, keys ...string) string {
	var b strings.Builder
	for i := 0; i < len(keys); i += 2 {
		fmt.Fprintf(&b, `<w:Selector Name="%s"><a:EndpointReference>%s</a:EndpointReference></w:Selector>`, keys[i], keys[i+1])
	}
	return "<a:Address>" + c.d.URL() + "</a:Address><a:ReferenceParameters><w:ResourceURI>" + c.uri(class) +
		"</w:ResourceURI><w:SelectorSet>" + b.String() + "</w:SelectorSet></a:ReferenceParameters>"
}

// restoring restores over WS-Man as four families of clients write it.
func (h *host) restoring() {
	h.exposed("home1")
	param := func(name, content string) string { return "<r:" + name + ">" + content + "</r:" + name + ">" }
	then, now := h.image(11), h.image(12)
	h.write("home1", then)
	h.d.Must("replica", "create", "--type", "snapshot", "--source", "home1", "--name", "snap1")
	h.d.Must("replica", "create", "--type", "snapshot", "--source", "home1", "--name", "other1")
	for _, family := range families {
		h.write("home1", now)
		c := newCurl(h.t, h.lab).as(h.t, family.name)
		in := param("Operation", "15") + param("Synchronization", c.sync("snap1")) + param("WaitForCopyState", "4")
		a := c.send(message{action: "ModifyReplicaSynchronization", class: "CIM_ReplicationService", body: c.input("ModifyReplicaSynchronization", in)})
		require.Equal(h.t, "0", a.envelope.child("Body").text("ReturnValue"), "%s: %s", family.name, a.raw)
		h.same("home1", then)
	}
	h = h.killed()
	h.same("home1", then)
	h.expose("snap1", "other1")
	h.same("snap1", then)
	h.same("other1", then)

	h.write("home1", now)
	kept := h.d.Records("replica", "restore", "snap1", "--keep", "before1")
	require.Len(h.t, kept, 2)
	h = h.killed()
	h.expose("before1")
	h.same("home1", then)
	h.same("before1", now)
	shown := h.pick("CIM_StorageSynchronized", "RelationshipName", "before1")
	require.Equal(h.t, []cim.Value{uint64(snapshot), uint64(pairstate.Synchronized)}, []cim.Value{shown.Get("SyncType"), shown.Get("CopyState")})
	h.d.Must("replica", "restore", "before1")
	h.same("home1", now)
}

func (h *host) restoringGroup() {
	h.exposed("ga", "gb")
	then, now := h.image(13), h.image(14)
	for _, v := range []string{"ga", "gb"} {
		h.write(v, then)
	}
	h.d.Must("replica", "create", "--type", "snapshot", "--source", "ga,gb", "--group", "--name", "gset", "--consistent")
	for _, v := range []string{"ga", "gb"} {
		h.write(v, now)
	}
	h.d.Must("replica", "restore", "gset", "--keep", "gold")
	h = h.killed()
	h.expose("gold_1", "gold_2")
	for _, v := range []string{"ga", "gb"} {
		h.same(v, then)
	}
	h.same("gold_1", now)
	h.same("gold_2", now)
}

// restoringInUse has qemu logged in to the source all the time.
func (h *host) restoringInUse() {
	h.exposed("busy1")
	image := h.image(15)
	h.write("busy1", image)
	h.d.Must("replica", "create", "--type", "snapshot", "--source", "busy1", "--name", "busysnap1")
	q := h.session("busy1")
	defer q.end()
	require.NotContains(h.t, q.do("write -P 0x77 0 64k"), "failed")
	_, stderr, code := h.d.CLI(h.t.Context(), "replica", "restore", "busysnap1")
	require.Equal(h.t, 1, code)
	require.Contains(h.t, stderr, "returned 6 (In Use)")
	require.Contains(h.t, stderr, "1 iSCSI sessions")
	require.NotContains(h.t, q.do("read -P 0x77 0 64k"), "failed", "nothing has happened")
	h.d.Must("replica", "restore", "busysnap1", "--force")
	require.Contains(h.t, q.do("read -P 0x77 0 64k"), "failed", "the host reads what was restored")
	require.NotContains(h.t, q.do("write -P 0x78 1M 64k"), "failed", "and goes on")
	require.NotContains(h.t, q.do("flush"), "failed")
	h = h.killed()
	h.must("qemu-io", "-f", "raw", "-c", "write -P 0x78 1M 64k", image)
	h.same("busy1", image)
}

// session is qemu-io with a volume open.
type session struct {
	h   *host
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func (h *host) session(volume string) *session {
	h.t.Helper()
	ctx, stop := context.WithTimeout(h.t.Context(), waitLimit)
	h.t.Cleanup(stop)
	s := &session{h: h, cmd: exec.CommandContext(ctx, h.tools["qemu-io"], "-f", "raw", "-t", "none", h.d.DiskURL(volume))}
	var err error
	s.in, err = s.cmd.StdinPipe()
	require.NoError(h.t, err)
	out, err := s.cmd.StdoutPipe()
	require.NoError(h.t, err)
	s.cmd.Stderr = s.cmd.Stdout
	s.out = bufio.NewReader(out)
	require.NoError(h.t, s.cmd.Start())
	s.printed()
	return s
}

// prompt is what qemu-io writes when it waits for a command.
const prompt = "qemu-io> "

// do runs one command and returns what it printed.
func (s *session) do(command string) string {
	s.h.t.Helper()
	_, err := io.WriteString(s.in, command+"\n")
	require.NoError(s.h.t, err)
	return s.printed()
}

// printed reads up to the next prompt.
func (s *session) printed() string {
	s.h.t.Helper()
	var b strings.Builder
	for !strings.HasSuffix(b.String(), prompt) {
		c, err := s.out.ReadByte()
		require.NoError(s.h.t, err, b.String())
		b.WriteByte(c)
	}
	return b.String()
}

func (s *session) end() {
	_ = s.in.Close()
	_ = s.cmd.Wait()
}

func (h *host) resetting() {
	h.exposed("base1")
	then, now := h.image(16), h.image(17)
	h.write("base1", then)
	h.d.Must("replica", "create", "--type", "snapshot", "--source", "base1", "--name", "lab1")
	h.must("qemu-img", "convert", "-n", "-t", "none", "-f", "raw", "-O", "raw", now, h.d.DiskURL("base1")) // and flushes
	h.expose("lab1")
	for range 2 {
		out, ok := h.io("lab1", "write -P 0x12 0 2M", "write -P 0x34 9M 4k")
		require.True(h.t, ok, out)
		require.Contains(h.t, h.d.Must("replica", "show", "lab1"), "Skewed")
		require.Equal(h.t, "Synchronized", h.d.Records("replica", "reset", "lab1")[0]["state"])
		h = h.killed()
		h.same("lab1", then)
		h.same("base1", now)
	}
	_, stderr, code := h.d.CLI(h.t.Context(), "replica", "reset", "none")
	require.Equal(h.t, 3, code, stderr)
}

func (h *host) shrinking() {
	h.exposed("shrink1")
	out, ok := h.io("shrink1", "write -P 0x21 0 1M", "write -P 0x22 12M 4k", "flush")
	require.True(h.t, ok, out)
	resize := func(args ...string) (string, int) {
		_, stderr, code := h.d.CLI(h.t.Context(), append([]string{"volume", "resize", "shrink1", "--size"}, args...)...)
		return stderr, code
	}
	says, code := resize("8MiB", "--force")
	require.Equal(h.t, 1, code)
	require.Contains(h.t, says, "hide it before it is made smaller")
	h.d.Must("volume", "hide", "shrink1")
	says, code = resize("8MiB")
	require.Equal(h.t, 1, code)
	require.Contains(h.t, says, fmt.Sprintf("has data at %d, beyond the new size of %d", 12<<20, 8<<20))
	says, code = resize("13MiB")
	require.Zero(h.t, code, says)
	says, code = resize("8MiB", "--force")
	require.Zero(h.t, code, says)
	h = h.killed()
	h.expose("shrink1")
	require.Contains(h.t, h.must("iscsi-readcapacity16", h.d.DiskURL("shrink1")), fmt.Sprint("Total size:", 8<<20))
	h.d.Must("volume", "resize", "shrink1", "--size", "16MiB")
	out, ok = h.io("shrink1", "read -P 0x21 0 1M", "read -P 0 1M 15M")
	require.True(h.t, ok, out)
}
