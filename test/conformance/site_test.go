package conformance

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/test/system"
	"twinlun/wsman/client"
)

// Values of CIM.
const (
	snapshot = 7
	mirror   = 6
)

// bulk is how many settings there are. Their descriptions make three small envelopes
// of them, and more.
const bulk = 40

// site is a daemon with things to manage:
//
//	volumes   v0 to v4, of 1 MiB; v3 is a snapshot of v0 and v4 a mirror of v1
//	groups    g, of v0 and v1
//	jobs      the one that made the mirror
//	settings  bulk-000 and so on, for replicas, once settings has been called
type site struct {
	t *testing.T
	d *system.Daemon
	c *client.Client

	volumes map[string]*cim.Path
	Sync    *cim.Path // that v3 is a snapshot of v0
	Job     *cim.Path
	Group   *cim.Path
	Setting *cim.Path
	Sink    string // URL of a receiver of events that takes everything
}

func newSite(t *testing.T) *site {
	t.Helper()
	d := system.Start(t)
	s := &site{t: t, d: d, c: d.Client()}
	for i := range 3 {
		s.call("CIM_StorageConfigurationService", "CreateOrModifyElementFromStoragePool",
			system.Arg("ElementName", fmt.Sprintf("v%d", i)), system.Arg("Size", 1<<20), system.Arg("ElementType", 2))
	}
	s.look()
	s.Sync = s.replicate("v0", "v3", snapshot).Out.Get("Synchronization").(*cim.Path)
	s.Job, _ = s.replicate("v1", "v4", mirror).Out.Get("Job").(*cim.Path)
	require.NotNil(t, s.Job, "a mirror is made by a job")
	s.look()
	made := s.call("CIM_ReplicationService", "CreateGroup", system.Arg("GroupName", "g"), system.Arg("Members", []cim.Value{s.volumes["v0"], s.volumes["v1"]}))
	s.Group = made.Out.Get("ReplicationGroup").(*cim.Path)
	s.receiver()
	return s
}

func (s *site) settings() {
	s.t.Helper()
	description := strings.Repeat("<&>", 400)
	for i := range bulk {
		p, err := s.c.Create(s.t.Context(), system.Namespace, "TWINLUN_ReplicationSettingData",
			[]cim.PropertyValue{{Name: "ElementName", Value: fmt.Sprintf("bulk-%03d", i)}, {Name: "Description", Value: description}})
		require.NoError(s.t, err)
		s.Setting = p
	}
}

func (s *site) receiver() {
	sink := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) }))
	s.t.Cleanup(sink.Close)
	s.Sink = sink.URL
}

// in is the site for a subtest.
func (s *site) in(t *testing.T) *site {
	c := *s
	c.t = t
	return &c
}

// look finds out which volumes there are.
func (s *site) look() {
	s.t.Helper()
	var err error
	s.volumes, err = system.Volumes(s.t.Context(), s.c)
	require.NoError(s.t, err)
}

// call invokes a method that must succeed or begin a job.
func (s *site) call(class, method string, in ...cim.Arg) *cim.Reply {
	s.t.Helper()
	reply, err := s.d.Invoke(s.t.Context(), s.c, class, method, in...)
	require.NoError(s.t, err)
	require.Contains(s.t, []cim.Value{uint64(0), uint64(4096)}, reply.Return, reply.Reason)
	return reply
}

func (s *site) replicate(source, name string, syncType int) *cim.Reply {
	s.t.Helper()
	return s.call("CIM_ReplicationService", "CreateElementReplica", system.Arg("ElementName", name),
		system.Arg("SyncType", syncType), system.Arg("SourceElement", s.volumes[source]))
}

// Device is the DeviceID of a volume.
func (s *site) Device(volume string) (string, error) {
	p := s.volumes[volume]
	if p == nil {
		return "", fmt.Errorf("there is no volume %s", volume)
	}
	id, _ := p.Key("DeviceID").(string)
	return id, nil
}

// System is the name of the machine.
func (s *site) System() string {
	for _, p := range s.volumes {
		name, _ := p.Key("SystemName").(string)
		return name
	}
	return ""
}

// Count is how many instances of a class there are now.
func (s *site) Count(class string) (int, error) {
	n := 0
	err := s.c.Enumerate(context.WithoutCancel(s.t.Context()), system.Namespace, class, func(*cim.Instance) error { n++; return nil })
	return n, err
}

// Address is HOST:PORT of the endpoint.
func (s *site) Address() string { return s.d.WSMan }

// URL is that of the endpoint.
func (s *site) URL() string { return s.d.URL() }

// volumeKeys are those of a volume that differ from machine to machine.
type volumeKeys struct{ Device, System string }

// Volume is what a template writes the selectors of a volume from.
func (s *site) Volume(name string) (volumeKeys, error) {
	id, err := s.Device(name)
	return volumeKeys{id, s.System()}, err
}
