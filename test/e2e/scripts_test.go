package e2e

import (
	"context"
	"encoding/xml"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/test/system"
)

// TestScripts drives the endpoint with Debian's wsl and with pywinrm.
func TestScripts(t *testing.T) {
	l := newLab(t)
	l.volumes(2<<20, "v1", "v2")
	t.Run("wsl", func(t *testing.T) { testWSL(l.in(t)) })
	t.Run("wsl, queries and writes", func(t *testing.T) { testWSLQueries(l.in(t)) })
	t.Run("pywinrm", func(t *testing.T) { testPyWinRM(l.in(t)) })
}

// wsl runs one of Debian's WS-Man shell scripts in a folder of its own, in which it
// leaves what was answered.
type wsl struct {
	*lab
	dir string
}

func newWSL(l *lab) *wsl {
	l.t.Helper()
	for tool, from := range map[string]string{"wslid": "wsl", "curl": "curl", "xmllint": "libxml2-utils", "uuidgen": "uuid-runtime"} {
		system.Tool(l.t, tool, from)
	}
	return &wsl{l, l.t.TempDir()}
}

func testWSL(l *lab) {
	w := newWSL(l)
	require.Contains(l.t, w.run("wslid", "check").text("ProductVersion"), "Stack: 3.0")

	items := w.run("wslenum", "CIM_StorageVolume", "-mode", "objepr", "-opti", "50")
	require.Len(l.t, items.all("Item"), 2)
	for i, item := range items.all("Item") {
		file := fmt.Sprintf("volume%d.xml", i)
		require.Len(l.t, item.all("EndpointReference"), 1)
		w.run("wslget", append([]string{"CIM_StorageVolume"}, keysOf(item)...)...)
		w.save(file, item.all("EndpointReference")[0])
	}

	w.run("wslenum", "CIM_ReplicationService", "-mode", "epr")
	require.NoError(l.t, os.Rename(filepath.Join(w.dir, "response.xml"), filepath.Join(w.dir, "service.xml")))
	out := w.run("wslinvoke", "CIM_ReplicationService", createList, "SyncType=8", "SourceElements=FILE:volume0.xml", "SourceElements=FILE:volume1.xml",
		"ElementNames=wsl-1", "ElementNames=wsl-2", "-inst", "service.xml")
	require.Contains(l.t, []string{"0", "4096"}, out.text("ReturnValue"))
	targets := out.all("TargetElements")
	require.Len(l.t, targets, 2)
	require.Equal(l.t, "wsl-2", w.run("wslget", append([]string{"CIM_StorageVolume"}, keysOf(targets[1])...)...).text("ElementName"))
	if job := out.all("Job"); out.text("ReturnValue") == "4096" {
		require.NotEmpty(l.t, w.run("wslget", append([]string{"CIM_ConcreteJob"}, keysOf(job[0])...)...).text("JobState"))
	}
	// The script has the two the wrong way round.
	links := w.run("wslenum", append([]string{"CIM_StorageVolume", "-associators", "-opti", "50"}, keysOf(targets[0])...)...)
	require.Len(l.t, links.all("TWINLUN_StorageSynchronized"), 1)
	near := w.run("wslenum", append([]string{"CIM_StorageVolume", "-references", "-opti", "50"}, keysOf(targets[0])...)...)
	require.Len(l.t, near.all("TWINLUN_ComputerSystem"), 1)
}

// testWSLQueries: filters in CQL, which is the scripts' own, and WQL, namespaces, and
// Put of one property. (Put of a whole instance sends nothing: the script takes an
// instance only from a start tag without attributes.)
func testWSLQueries(l *lab) {
	w := newWSL(l)
	named := func(name string) string { return "select * from CIM_StorageVolume where ElementName='" + name + "'" }
	found := w.run("wslenum", "CIM_StorageVolume", "-filter", named("v1"), "-opti", "50")
	require.Equal(l.t, "v1", found.child("EnumerateResponse").text("ElementName"))
	require.Len(l.t, found.all("TWINLUN_StorageVolume"), 1)
	names := w.run("wslenum", uriAll, "-dialect", "http://schemas.microsoft.com/wbem/wsman/1/WQL",
		"-filter", "select ElementName from CIM_StorageVolume where ElementName like 'v%'", "-opti", "50")
	require.Len(l.t, names.all("ElementName"), 2)
	require.Empty(l.t, names.all("DeviceID"), "only what was selected")
	require.NotEmpty(l.t, w.run("wslenum", "CIM_RegisteredProfile", "-ns", "root/interop", "-opti", "50").text("RegisteredName"))

	put := w.run("wslput", "CIM_StorageVolume", "ElementName=wsl-put", "-fragment", "-filter", named("v2"))
	require.Equal(l.t, "wsl-put", put.child("XmlFragment").text("ElementName"))
	require.Equal(l.t, "wsl-put", w.name(w.path("CIM_StorageVolume", "wsl-put")))
	w.run("wslput", "CIM_StorageVolume", "ElementName=v2", "-fragment", "-filter", named("wsl-put"))
}

// keysOf are the selectors of a reference as KEY=VALUE.
func keysOf(ref node) []string {
	var out []string
	for _, s := range ref.all("Selector") {
		for _, a := range s.Attrs {
			if a.Name.Local == "Name" && a.Value != "__cimnamespace" {
				out = append(out, a.Value+"="+strings.TrimSpace(s.Text))
			}
		}
	}
	return out
}

// save writes a reference, one element on a line as the scripts want it.
func (w *wsl) save(file string, ref node) {
	w.t.Helper()
	var b strings.Builder
	b.WriteString("<wsa:EndpointReference>\n<wsa:Address>" + ref.text("Address") + "</wsa:Address>\n<wsa:ReferenceParameters>\n")
	b.WriteString("<wsman:ResourceURI>" + ref.text("ResourceURI") + "</wsman:ResourceURI>\n<wsman:SelectorSet>\n")
	for _, k := range keysOf(ref) {
		name, value, _ := strings.Cut(k, "=")
		fmt.Fprintf(&b, "<wsman:Selector Name=\"%s\">%s</wsman:Selector>\n", name, value)
	}
	b.WriteString("</wsman:SelectorSet>\n</wsa:ReferenceParameters>\n</wsa:EndpointReference>\n")
	require.NoError(w.t, os.WriteFile(filepath.Join(w.dir, file), []byte(b.String()), 0o600))
}

// run runs a script and returns the body of the answer.
func (w *wsl) run(script string, args ...string) node {
	w.t.Helper()
	ctx, stop := context.WithTimeout(w.t.Context(), time.Minute)
	defer stop()
	cmd := exec.CommandContext(ctx, script, args...)
	cmd.Dir, cmd.WaitDelay = w.dir, time.Second
	cmd.Env = append(os.Environ(), "HOME="+w.dir, "WSENDPOINT="+w.d.WSMan, "WSUSER=admin", "WSPASS="+w.d.Password(), "WSNOSSL=true", "WSAUTOMATED=1", "KEEPHISTORY=0")
	out, err := cmd.CombinedOutput()
	if script == "wslput" && cmd.ProcessState.ExitCode() == 1 {
		err = nil // it always says so, for the answer to a Put is none to a call
	}
	require.NoError(w.t, err, "%s %s\n%s", script, strings.Join(args, " "), out)
	var envelope node
	require.NoError(w.t, xml.Unmarshal([]byte(read(w.t, filepath.Join(w.dir, "response.xml"))), &envelope), string(out))
	body := envelope.child("Body")
	require.Empty(w.t, body.all("Fault"), string(out))
	return body
}

func testPyWinRM(l *lab) {
	python := system.Tool(l.t, "/usr/bin/python3", "python3")
	if _, err := os.Stat("/usr/lib/python3/dist-packages/winrm/__init__.py"); err != nil {
		system.Tool(l.t, "/usr/lib/python3/dist-packages/winrm/__init__.py", "python3-winrm")
	}
	c := newCurl(l.t, l)
	dir := l.t.TempDir()
	const setting = "TWINLUN:replication-setting:py"
	data := func(name string) string {
		return `<q:TWINLUN_ReplicationSettingData xmlns:q="` + c.uri("TWINLUN_ReplicationSettingData") + `"><q:InstanceID>` + setting + `</q:InstanceID><q:ElementName>` + name + `</q:ElementName></q:TWINLUN_ReplicationSettingData>`
	}
	key := []selector{{"InstanceID", setting}}
	call := c.input(createList, "<r:SyncType>7</r:SyncType><r:SourceElements>"+c.volumeEPR("v1")+"</r:SourceElements><r:ElementNames>py-1</r:ElementNames>")
	messages := []string{identify}
	for _, m := range []message{
		{action: uriEnumerate, class: "CIM_StorageVolume", body: enumerate("", true, 100, "")},
		{action: createList, class: "CIM_ReplicationService", body: call},
		{action: uriEnumerate, class: "CIM_StorageSynchronized", body: enumerate("EnumerateObjectAndEPR", true, 100, "")},
		{action: uriEnumerate, class: uriAll, body: enumerate("", true, 100, `<w:Filter Dialect="http://schemas.microsoft.com/wbem/wsman/1/WQL">select ElementName from CIM_StorageVolume where ElementName = "py-1"</w:Filter>`)},
		{action: uriTransfer + "Create", class: "TWINLUN_ReplicationSettingData", body: data("py-2")},
		{action: uriTransfer + "Put", class: "TWINLUN_ReplicationSettingData", selectors: key, body: data("py-3")},
		{action: uriTransfer + "Delete", class: "TWINLUN_ReplicationSettingData", selectors: key},
		{action: uriGet, class: "TWINLUN_ReplicationSettingData", selectors: key},
	} {
		text, _ := c.envelope(m)
		messages = append(messages, text)
	}
	for i, text := range messages {
		require.NoError(l.t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("%02d", i)), []byte(text), 0o600))
	}
	ctx, stop := context.WithTimeout(l.t.Context(), time.Minute)
	defer stop()
	cmd := exec.CommandContext(ctx, python, "testdata/session.py", "https://"+l.d.TLS+"/wsman", "admin", l.d.Password(), dir)
	cmd.Env = append(os.Environ(), "REQUESTS_CA_BUNDLE="+filepath.Join(l.d.DataDir, "tls.crt"))
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	require.NoError(l.t, err, errs.String())
	answers := strings.Split(strings.TrimSpace(string(out)), "\n")
	require.Len(l.t, answers, len(messages))
	for i, want := range []string{"IdentifyResponse", ">v2<", ":ReturnValue>0<", "RelationshipName>", ">py-1<", "ResourceCreated>", ">py-3<", "DeleteResponse", "DestinationUnreachable"} {
		require.Contains(l.t, answers[i], want)
		require.Equal(l.t, i == len(messages)-1, strings.HasPrefix(answers[i], "500 "), "only the last is a fault: %s", answers[i])
	}
}
