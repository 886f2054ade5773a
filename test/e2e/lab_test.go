package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/replication/pairstate"
	"twinlun/test/system"
	"twinlun/wsman/client"
)

// The return codes of the replication service.
const (
	done         = 0
	notSupported = 1
	failed       = 4
	invalid      = 5
	inUse        = 6
	started      = 4096
)

const (
	createList  = "CreateListReplica"
	createGroup = "CreateGroupReplicaFromElements"
)

var (
	arg = system.Arg
	// mirror, snapshot and clone are the values of SyncType.
	mirror, snapshot, clone = int(pairstate.Mirror), int(pairstate.Snapshot), int(pairstate.Clone)
)

// lab is a daemon with a client and what tests look up again and again.
type lab struct {
	t *testing.T
	d *system.Daemon
	c *client.Client
}

func newLab(t *testing.T, args ...string) *lab {
	t.Helper()
	d := system.Start(t, args...)
	return &lab{t, d, d.Client()}
}

// in is the lab for a subtest.
func (l *lab) in(t *testing.T) *lab { return &lab{t, l.d, l.c} }

// volumes makes volumes of a size.
func (l *lab) volumes(size int, names ...string) {
	l.t.Helper()
	for _, n := range names {
		reply := l.call("CIM_StorageConfigurationService", "CreateOrModifyElementFromStoragePool", arg("ElementName", n), arg("Size", size), arg("ElementType", 2))
		require.EqualValues(l.t, done, reply.Return, reply.Reason)
	}
}

// expose lets everybody reach volumes.
func (l *lab) expose(names ...string) {
	l.t.Helper()
	for _, ref := range l.refs(names...) {
		reply := l.call("TWINLUN_ControllerConfigurationService", "ExposeVolume", arg("Volume", ref))
		require.EqualValues(l.t, done, reply.Return, reply.Reason)
	}
}

// call invokes a method that may fail but must be answered.
func (l *lab) call(class, method string, in ...cim.Arg) *cim.Reply {
	l.t.Helper()
	reply, err := l.d.Invoke(l.t.Context(), l.c, class, method, in...)
	require.NoError(l.t, err)
	return reply
}

// create calls a method of the replication service.
func (l *lab) create(method string, in ...cim.Arg) *cim.Reply {
	l.t.Helper()
	return l.call("CIM_ReplicationService", method, in...)
}

// must is create for a call that must succeed; it follows the job to its end.
func (l *lab) must(method string, in ...cim.Arg) *cim.Reply {
	l.t.Helper()
	reply := l.create(method, in...)
	l.finish(reply)
	return reply
}

// finish checks that a reply is a success and follows the job that it names.
func (l *lab) finish(reply *cim.Reply) {
	l.t.Helper()
	require.Contains(l.t, []cim.Value{uint64(done), uint64(started)}, reply.Return, reply.Reason)
	require.Equal(l.t, reply.Return == cim.Value(uint64(started)), reply.Out.Get("Job") != nil, "Job goes with 4096")
	if job, ok := reply.Out.Get("Job").(*cim.Path); ok {
		l.follow(job)
	}
}

// follow waits for the end of a job, which must be a good one.
func (l *lab) follow(job *cim.Path) *cim.Instance {
	l.t.Helper()
	const completed, exception = uint64(7), uint64(10)
	var in *cim.Instance
	var percent uint64
	require.Eventually(l.t, func() bool {
		in = l.get(job)
		now := in.Get("PercentComplete").(uint64)
		require.GreaterOrEqual(l.t, now, percent, "a job does not go back")
		percent = now
		require.NotEqual(l.t, cim.Value(exception), in.Get("JobState"), in.Get("ErrorDescription"))
		return in.Get("JobState") == cim.Value(completed)
	}, waitLimit, pollEvery)
	require.EqualValues(l.t, 100, in.Get("PercentComplete"))
	require.Equal(l.t, []cim.Value{uint64(2), uint64(17)}, in.Get("OperationalStatus"), "OK, Completed")
	return in
}

func (l *lab) get(p *cim.Path) *cim.Instance {
	l.t.Helper()
	in, err := l.c.Get(l.t.Context(), p)
	require.NoError(l.t, err)
	return in
}

// list reads all instances of a class.
func (l *lab) list(class string) []*cim.Instance {
	l.t.Helper()
	all, err := system.List(l.t.Context(), l.c, class)
	require.NoError(l.t, err)
	return all
}

// path is that of the instance of a class with an ElementName.
func (l *lab) path(class, name string) *cim.Path {
	l.t.Helper()
	for _, in := range l.list(class) {
		if in.Get("ElementName") == cim.Value(name) {
			return in.Path
		}
	}
	require.Fail(l.t, "there is no "+class+" "+name)
	return nil
}

// refs are references to volumes.
func (l *lab) refs(names ...string) []cim.Value {
	l.t.Helper()
	paths, err := system.Volumes(l.t.Context(), l.c)
	require.NoError(l.t, err)
	var refs []cim.Value
	for _, n := range names {
		require.Contains(l.t, paths, n)
		refs = append(refs, paths[n])
	}
	return refs
}

// name is the ElementName of what a reference refers to.
func (l *lab) name(ref cim.Value) string {
	l.t.Helper()
	require.IsType(l.t, &cim.Path{}, ref)
	name, _ := l.get(ref.(*cim.Path)).Get("ElementName").(string)
	return name
}

// names are those of several references.
func (l *lab) names(refs cim.Value) []string {
	l.t.Helper()
	var out []string
	for _, r := range refs.([]cim.Value) {
		out = append(out, l.name(r))
	}
	return out
}

// near are the paths of what is associated with an instance.
func (l *lab) near(p *cim.Path, association, result string) []*cim.Path {
	l.t.Helper()
	var out []*cim.Path
	q := cim.AssociationQuery{Object: p, AssociationClass: association, ResultClass: result}
	require.NoError(l.t, l.c.Associators(l.t.Context(), q, func(in *cim.Instance) error {
		out = append(out, in.Path)
		return nil
	}))
	return out
}

// state describes all volumes, groups, relationships and jobs in every property.
func (l *lab) state() string {
	l.t.Helper()
	var lines []string
	for _, class := range []string{
		"CIM_StorageVolume", "CIM_ReplicationGroup", "CIM_StorageSynchronized", "CIM_GroupSynchronized", "CIM_ConcreteJob",
		"CIM_OrderedMemberOfCollection", "CIM_SCSIProtocolController",
	} {
		for _, in := range l.list(class) {
			lines = append(lines, describe(in))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// describe is an instance as one line, without what moves by itself.
func describe(in *cim.Instance) string {
	var b strings.Builder
	fmt.Fprint(&b, in.Path)
	for _, p := range in.Class.Properties {
		if v := in.At(p.Index); v != nil && p.Name != "SharedSpace" { // which grows when checksums are made
			fmt.Fprintf(&b, " %s=%s", p.Name, cim.FormatText(v))
		}
	}
	return b.String()
}

// pick is what is served by one name of a class: the one whose property has a value.
func (l *lab) pick(class, property string, value cim.Value) *cim.Instance {
	l.t.Helper()
	for _, in := range l.list(class) {
		if cim.Equal(in.Get(property), value) {
			return in
		}
	}
	require.Fail(l.t, fmt.Sprintf("no %s has %s=%s", class, property, cim.FormatText(value)))
	return nil
}
