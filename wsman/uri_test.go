package wsman

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseResourceURI(t *testing.T) {
	const wmi = "http://schemas.microsoft.com/wbem/wsman/1/wmi/root/cimv2/storage/iscsitarget/"
	for uri, want := range map[string]Resource{
		ClassPrefix + "CIM_A":          {Kind: KindClass, Class: "CIM_A", Prefix: ClassPrefix},
		"  " + ClassPrefix + "CIM_A\n": {Kind: KindClass, Class: "CIM_A", Prefix: ClassPrefix},
		"http://schemas.microsoft.com/wbem/wscim/1/cim-schema/2/CIM_A": {
			Kind: KindClass, Class: "CIM_A", Prefix: "http://schemas.microsoft.com/wbem/wscim/1/cim-schema/2/"},
		"https://vendor.example:80/wbem/wscim/1/cim-schema/2/X_1": {
			Kind: KindClass, Class: "X_1", Prefix: "https://vendor.example:80/wbem/wscim/1/cim-schema/2/"},
		ClassPrefix + "CIM_A?__cimnamespace=root/cimv2":   {Kind: KindClass, Class: "CIM_A", Prefix: ClassPrefix, Namespace: "root/cimv2"},
		ClassPrefix + "CIM_A?__CIMNAMESPACE=ROOT%5Ccimv2": {Kind: KindClass, Class: "CIM_A", Prefix: ClassPrefix, Namespace: "root/cimv2"},
		AllClassesURI:     {Kind: KindAll, Prefix: ClassPrefix},
		ClassPrefix + "*": {Kind: KindAll, Prefix: ClassPrefix},
		wmi + "CIM_A":     {Kind: KindClass, Class: "CIM_A", Prefix: wmi, Namespace: "root/cimv2/storage/iscsitarget"},
		wmi + "*":         {Kind: KindAll, Prefix: wmi, Namespace: "root/cimv2/storage/iscsitarget"},
		SchemaURI:         {Kind: KindSchema, Prefix: strings.TrimSuffix(SchemaURI, "*")},
		"http://schemas.dmtf.org/wbem/cim-xml/2/cim-schema/2/CIM_A": {Kind: KindSchema, Class: "CIM_A", Prefix: strings.TrimSuffix(SchemaURI, "*")},
	} {
		have, err := ParseResourceURI(uri)
		require.NoError(t, err, uri)
		require.Equal(t, want, have, uri)
		if want.Kind == KindClass {
			require.Equal(t, want.Prefix+want.Class, have.URI())
		}
	}
}

func TestParseResourceURIRefuses(t *testing.T) {
	for _, uri := range []string{
		"", "CIM_A", "*", "/wbem/wscim/1/cim-schema/2/CIM_A", "http://h/wscim/1/cim-schema/2/CIM_A", ClassPrefix, ClassPrefix + "1A", ClassPrefix + "A/B",
		ClassPrefix + "A B", ClassPrefix + "A\x00", "http://schemas.dmtf.org/wbem/wscim/1/CIM_A", "http://schemas.microsoft.com/wbem/wsman/1/wmi/CIM_A",
		ClassPrefix + "CIM_A?", ClassPrefix + "CIM_A?Name=x", ClassPrefix + "CIM_A?__cimnamespace=", ClassPrefix + "CIM_A?__cimnamespace=a+Name=b",
		ClassPrefix + "CIM_A?__cimnamespace=%zz", ClassPrefix + strings.Repeat("A", 300), "http://h/x/wbem/wscim/1/cim-schema/2x/CIM_A", FullDuplexURI,
	} {
		_, err := ParseResourceURI(uri)
		f, ok := errors.AsType[*Fault](err)
		require.True(t, ok, uri)
		require.Equal(t, "DestinationUnreachable", f.Subcode.Local, uri)
		require.Less(t, len(f.Reason), 1000)
	}
	_, err := ParseResourceURI("http://schemas.dmtf.org/wbem/ws-cim/1/cim-schema/2/*")
	require.ErrorContains(t, err, "WS-CIM")
}

func TestParseAction(t *testing.T) {
	const wmi = "http://schemas.microsoft.com/wbem/wsman/1/wmi/root/cimv2/"
	r, ok := ParseAction(" " + ClassPrefix + "CIM_ReplicationService/CreateListReplica ")
	require.True(t, ok)
	require.Equal(t, Resource{Kind: KindClass, Class: "CIM_ReplicationService", Method: "CreateListReplica", Prefix: ClassPrefix}, r)
	r, ok = ParseAction(wmi + "CIM_ReplicationService/CreateListReplica")
	require.True(t, ok)
	require.Equal(t, "CreateListReplica", r.Method)
	require.Equal(t, "CIM_ReplicationService", r.Class)
	require.Equal(t, "root/cimv2", r.Namespace)
	for _, action := range []string{
		"", "x", ActionGet, ActionEnumerate, ActionEnd, ClassPrefix + "CIM_A", ClassPrefix + "CIM_A/", ClassPrefix + "*/M", AllClassesURI + "/M", SchemaURI + "/M", ClassPrefix + "A/B/C",
	} {
		_, ok := ParseAction(action)
		require.False(t, ok, action)
	}
}

func TestClassURI(t *testing.T) {
	uri, has := ClassURI(ClassPrefix, "root/x", "CIM_A")
	require.Equal(t, ClassPrefix+"CIM_A", uri)
	require.False(t, has)
	const wmi = "http://schemas.microsoft.com/wbem/wsman/1/wmi/root/cimv2/"
	uri, has = ClassURI(wmi, "root/interop", "CIM_A")
	require.Equal(t, "http://schemas.microsoft.com/wbem/wsman/1/wmi/root/interop/CIM_A", uri)
	require.True(t, has)
	uri, has = ClassURI(wmi, "", "CIM_A")
	require.Equal(t, wmi+"CIM_A", uri)
	require.True(t, has)
}

func TestFindSelectorAndDialect(t *testing.T) {
	set := []Selector{{Name: "A", Value: "1"}, {Name: "a", Value: "2"}}
	s, ok := FindSelector(set, "a")
	require.True(t, ok)
	require.Equal(t, "1", s.Value)
	_, ok = FindSelector(set, "b")
	require.False(t, ok)
	require.True(t, SameDialect(" "+strings.ToUpper(DialectWQL), DialectWQL))
	require.False(t, SameDialect(DialectCQL, DialectWQL))
}

func FuzzParseResourceURI(f *testing.F) {
	for _, s := range []string{ClassPrefix + "CIM_A", AllClassesURI, SchemaURI, "http://schemas.microsoft.com/wbem/wsman/1/wmi/root/cimv2/A?__cimnamespace=x", "/wbem/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		ParseAction(uri)
		r, err := ParseResourceURI(uri)
		if err != nil {
			return
		}
		require.NotZero(t, r.Kind)
		if r.Kind != KindClass {
			return
		}
		again, err := ParseResourceURI(r.URI())
		require.NoError(t, err)
		require.Equal(t, r.Class, again.Class)
		method, ok := ParseAction(r.URI() + "/M")
		require.True(t, ok)
		require.Equal(t, r.Class, method.Class)
	})
}
