package provider

import (
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
)

// What is looked up is remembered, to be yielded once; what is gone through is not,
// for an enumeration that nobody pulls would hold it.
func TestRetrievalRemembersWhatWasLookedUp(t *testing.T) {
	in := func(name string) *cim.Instance {
		return &cim.Instance{Path: &cim.Path{Class: "T_Box", Keys: []cim.Key{{Name: "Name", Value: name}}}}
	}
	r := &retrieval{given: map[string]bool{}}
	require.False(t, r.repeats(in("a")))
	require.True(t, r.repeats(in("a")))
	r.scanning = true
	for range 2 {
		require.False(t, r.repeats(in("b")))
		require.True(t, r.repeats(in("a")))
	}
	require.Len(t, r.given, 1)
	require.False(t, (&retrieval{}).repeats(in("a")), "one set of keys finds nothing twice")
}
