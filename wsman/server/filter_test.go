package server

import (
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/wsman"
)

// withPairs makes V1 and V2 the replicas of V0, and V3 one of V1.
func (w *world) withPairs() *world {
	w.withVolumes(4)
	for _, p := range [][2]int{{0, 1}, {0, 2}, {1, 3}} {
		all := w.broker.all()
		w.broker.put("T_Pair", "Source", all[p[0]].Path, "Target", all[p[1]].Path, "State", uint64(4))
	}
	return w
}

func association(kind, inner string) string {
	return `<w:OptimizeEnumeration/><w:MaxElements>32000</w:MaxElements><w:Filter Dialect=" http://schemas.dmtf.org/wbem/wsman/1/cimbinding/ASSOCIATIONfilter">` +
		`<b:` + kind + `><b:Object>` + refTo("V0") + `</b:Object>` + inner + `</b:` + kind + `></w:Filter>`
}

func TestAssociationFilter(t *testing.T) {
	const pairURI = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/T_Pair"
	const wmiAll = "http://schemas.microsoft.com/wbem/wsman/1/wmi/root/cimv2/storage/iscsitarget/*"
	tests := []struct {
		name  string
		uri   string
		kind  string
		inner string
		want  []string
	}{
		{"associators", wsman.AllClassesURI, "AssociatedInstances", "", []string{"T_Volume", "T_Volume"}},
		{"associators of WMI", wmiAll, "AssociatedInstances", "", []string{"T_Volume", "T_Volume"}},
		{"associators by class", wsman.AllClassesURI, "AssociatedInstances",
			`<b:AssociationClassName>T_Pair</b:AssociationClassName><b:ResultClassName>T_Volume</b:ResultClassName>`, []string{"T_Volume", "T_Volume"}},
		{"associators by role", wsman.AllClassesURI, "AssociatedInstances", `<b:Role>Target</b:Role>`, nil},
		{"associators by result role", wsman.AllClassesURI, "AssociatedInstances", `<b:ResultRole>Target</b:ResultRole>`, []string{"T_Volume", "T_Volume"}},
		{"associators of another class", wsman.AllClassesURI, "AssociatedInstances", `<b:ResultClassName>T_Job</b:ResultClassName>`, nil},
		{"associators under a class URI", volumeURI, "AssociatedInstances", "", []string{"T_Volume", "T_Volume"}},
		{"references", wsman.AllClassesURI, "AssociationInstances", "", []string{"T_Pair", "T_Pair"}},
		{"references under a class URI", pairURI, "AssociationInstances", "", []string{"T_Pair", "T_Pair"}},
	}
	w := newWorld(t).withPairs()
	for family, write := range families() {
		for _, tt := range tests {
			t.Run(family+"/"+tt.name, func(t *testing.T) {
				r := w.ok(t, write(enumerate(tt.uri, association(tt.kind, tt.inner))))
				require.True(t, r.ended())
				var got []string
				for _, e := range r.items() {
					got = append(got, e.Tag)
				}
				require.Equal(t, tt.want, got)
			})
		}
	}
}

func TestAssociationModes(t *testing.T) {
	w := newWorld(t).withPairs()
	for _, mode := range []string{"EnumerateEPR", "EnumerateObjectAndEPR"} {
		m := enumerate(wsman.AllClassesURI, association("AssociatedInstances", "")+"<w:EnumerationMode>"+mode+"</w:EnumerationMode>")
		var got []string
		for _, e := range w.ok(t, m.windows()).items() {
			got = append(got, deviceOf(t, e))
		}
		require.Equal(t, []string{"V1", "V2"}, got)
	}
}

func TestFilterFails(t *testing.T) {
	w := newWorld(t).withPairs()
	filter := func(dialect, inner string) message {
		return enumerate(wsman.AllClassesURI, `<w:Filter Dialect="`+dialect+`">`+inner+`</w:Filter>`)
	}
	object := func(inner string) string {
		return `<b:AssociatedInstances><b:Object>` + inner + `</b:Object></b:AssociatedInstances>`
	}
	tests := []struct {
		name    string
		message message
		subcode string
	}{
		{"WQL", filter(wsman.DialectWQL, "select * from T_Volume"), "n:FilterDialectRequestedUnavailable"},
		{"CQL", filter(wsman.DialectCQL, "select * from T_Volume"), "n:FilterDialectRequestedUnavailable"},
		{"unknown dialect", filter("http://example.org/dialect", "x"), "n:FilterDialectRequestedUnavailable"},
		{"no dialect is XPath", enumerate(volumeURI, `<w:Filter>x</w:Filter>`), "n:FilterDialectRequestedUnavailable"},
		{"of n:", enumerate(volumeURI, `<n:Filter Dialect="x">x</n:Filter>`), "n:FilterDialectRequestedUnavailable"},
		{"empty", filter(wsman.DialectAssociation, ""), "n:CannotProcessFilter"},
		{"other element", filter(wsman.DialectAssociation, "<b:Other/>"), "n:CannotProcessFilter"},
		{"no object", filter(wsman.DialectAssociation, "<b:AssociatedInstances/>"), "n:CannotProcessFilter"},
		{"object is no EPR", filter(wsman.DialectAssociation, object("V0")), "n:CannotProcessFilter"},
		{"no such object", filter(wsman.DialectAssociation, object(refTo("V9"))), "a:DestinationUnreachable"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w.fails(t, tt.message.windows(), tt.subcode)
			require.Zero(t, w.contexts.count())
		})
	}
}
