package classes

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
)

// Names on the real service: they are changed, they are free again, and two things
// cannot have one.
func TestRealRename(t *testing.T) {
	s := newRealSystem(t)
	a, b := s.create("a", 'a'), s.create("b", 'b')
	r := s.invoke(classReplicationSvc, "CreateGroupReplicaFromElements", arg("SyncType", 7), arg("SourceElements", []*cim.Path{a}), arg("RelationshipName", "one"))
	require.Equal(t, uint64(0), r.Return, r.Reason)
	tie, source := r.Out.Get("Synchronization").(*cim.Path), r.Out.Get("SourceGroup").(*cim.Path)
	pair := s.instances(classStorageSynced)[0].Path

	for _, c := range []struct {
		path       *cim.Path
		name, want string
		status     cim.Status
	}{
		{a, "ElementName", "B", cim.StatusInvalidParameter},
		{a, "ElementName", "a\tb", cim.StatusInvalidParameter},
		{a, "ElementName", "base", 0},
		{b, "ElementName", "A", 0},
		{source, "ElementName", "one-TARGET", cim.StatusInvalidParameter},
		{source, "ElementName", "sources", 0},
		{tie, "RelationshipName", "", cim.StatusInvalidParameter},
		{tie, "RelationshipName", "uno", 0},
		{pair, "RelationshipName", " x", cim.StatusInvalidParameter},
		{pair, "RelationshipName", "copy", 0},
	} {
		before, err := s.Get(admin(), c.path)
		require.NoError(t, err)
		got, err := s.Broker.Modify(admin(), c.path, whole(before, pv(c.name, c.want)...))
		if c.status != 0 {
			require.Equal(t, c.status, cim.StatusOf(err), "%v", err)
			require.Regexp(t, "^"+c.name+": ", err.Error())
			got, err = s.Get(admin(), c.path)
			require.NoError(t, err)
			require.True(t, cim.Equal(before, got))
			continue
		}
		require.NoError(t, err)
		require.Equal(t, c.want, got.Get(c.name))
	}
	require.Equal(t, cim.StatusFailed, cim.StatusOf(s.Delete(admin(), source)), "it has members")
}

// Of many that want one name at once, one gets it; those that want different things of
// one instance all get them.
func TestRealPutAtOnce(t *testing.T) {
	s := newRealSystem(t)
	volumes := []*cim.Path{s.create("a", 'a'), s.create("b", 'b'), s.create("c", 'c')}
	errs := make([]error, len(volumes))
	var wg sync.WaitGroup
	for i, v := range volumes {
		wg.Go(func() { _, errs[i] = s.Broker.Modify(admin(), v, pv("ElementName", "same")) })
	}
	wg.Wait()
	had := 0
	for _, err := range errs {
		if err == nil {
			had++
			continue
		}
		require.Equal(t, cim.StatusInvalidParameter, cim.StatusOf(err), "%v", err)
	}
	require.Equal(t, 1, had)

	edits := [][]cim.PropertyValue{pv("ElementName", "x"), pv("Description", "y"), pv("CopyPriority", 4), pv("ReadOnly", 3), pv("OnGroupOrListError", 2)}
	for _, e := range edits {
		wg.Go(func() {
			_, err := s.Broker.Modify(admin(), optionsPath("nightly"), e)
			require.NoError(t, err)
		})
	}
	wg.Wait()
	in, err := s.Get(admin(), optionsPath("nightly"))
	require.NoError(t, err)
	require.Equal(t, []cim.Value{"x", "y", uint64(4), uint64(3), uint64(2)},
		[]cim.Value{in.Get("ElementName"), in.Get("Description"), in.Get("CopyPriority"), in.Get("ReadOnly"), in.Get("OnGroupOrListError")})
}
