package wscim

import (
	"errors"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/wsman"
)

const wmiPrefix = "http://schemas.microsoft.com/wbem/wsman/1/wmi/root/test/"

func TestPathsComeBack(t *testing.T) {
	s := newSchema()
	other := diskPath(2)
	other.Namespace = "root/interop"
	link := &cim.Path{Namespace: "root/test", Class: "T_Link", Keys: []cim.Key{{Name: "Antecedent", Value: diskPath(1)}, {Name: "Dependent", Value: other}}}
	for _, prefix := range []string{wsman.ClassPrefix, "http://v.example/wbem/wscim/1/cim-schema/2/", wmiPrefix} {
		for _, p := range []*cim.Path{diskPath(1), other, link, {Namespace: "root/test", Class: "T_Disk"}} {
			e := PathToEPR(p, prefix)
			_, told := wsman.FindSelector(e.Selectors, wsman.SelectorNamespace)
			require.Equal(t, prefix != wmiPrefix, told)
			back, err := EPRToPath(e, s.env())
			require.NoError(t, err)
			require.True(t, p.Equal(back), "%s came back as %s", p, back)
		}
	}
	e := PathToEPR(other, wmiPrefix)
	require.Equal(t, "http://schemas.microsoft.com/wbem/wsman/1/wmi/root/interop/T_Disk", e.ResourceURI)
}

func TestEPRToPathIsLiberal(t *testing.T) {
	s := newSchema()
	p, err := EPRToPath(wsman.EPR{ResourceURI: wsman.ClassPrefix + "t_base", Selectors: []wsman.Selector{
		{Name: "DEVICEID", Value: " 07 "}, {Name: "__CIMNamespace", Value: `\Root\CIMv2`}, {Name: "systemname", Value: "h"}}}, s.env())
	require.NoError(t, err)
	require.Equal(t, &cim.Path{Namespace: "root/cimv2", Class: "T_Base", Keys: []cim.Key{{Name: "SystemName", Value: "h"}, {Name: "DeviceID", Value: uint64(7)}}}, p)
	p, err = EPRToPath(wsman.EPR{ResourceURI: wsman.ClassPrefix + "T_Disk?__cimnamespace=root/x"}, s.env())
	require.NoError(t, err)
	require.Equal(t, &cim.Path{Namespace: "root/x", Class: "T_Disk"}, p)
	p, err = EPRToPath(wsman.EPR{ResourceURI: wsman.ClassPrefix + "T_Disk", Selectors: []wsman.Selector{{Name: wsman.SelectorNamespace}}}, s.env())
	require.NoError(t, err)
	require.Equal(t, "root/test", p.Namespace)
}

// A path that is kept does not keep the message that it came in.
func TestPathHasMemoryOfItsOwn(t *testing.T) {
	s := newSchema()
	env, message := s.env(), "root/other host root/test"
	other, host, same := message[:10], message[11:15], message[16:]
	set := func(ns string) []wsman.Selector {
		return []wsman.Selector{{Name: wsman.SelectorNamespace, Value: ns}, {Name: "SystemName", Value: host}, {Name: "DeviceID", Value: "1"}}
	}
	p, err := EPRToPath(wsman.EPR{ResourceURI: wsman.ClassPrefix + "T_Disk", Selectors: set(other)}, env)
	require.NoError(t, err)
	require.Equal(t, other, p.Namespace)
	require.NotSame(t, unsafe.StringData(other), unsafe.StringData(p.Namespace))
	require.NotSame(t, unsafe.StringData(host), unsafe.StringData(p.Key("SystemName").(string)))
	p, err = EPRToPath(wsman.EPR{ResourceURI: wsman.ClassPrefix + "T_Disk", Selectors: set(same)}, env)
	require.NoError(t, err)
	require.Same(t, unsafe.StringData(env.Namespace), unsafe.StringData(p.Namespace))
}

func TestReferenceKeysAreInTheNamespaceOfTheirPath(t *testing.T) {
	s := newSchema()
	keys := []wsman.Selector{{Name: "SystemName", Value: "host"}, {Name: "DeviceID", Value: "1"}}
	ref := &wsman.EPR{ResourceURI: wsman.ClassPrefix + "T_Disk", Selectors: keys}
	p, err := EPRToPath(wsman.EPR{ResourceURI: wsman.ClassPrefix + "T_Link", Selectors: []wsman.Selector{
		{Name: "Antecedent", EPR: ref}, {Name: "Dependent", EPR: ref}, {Name: wsman.SelectorNamespace, Value: "root/other"}}}, s.env())
	require.NoError(t, err)
	inner, ok := p.Key("Antecedent").(*cim.Path)
	require.True(t, ok)
	require.Equal(t, "root/other", inner.Namespace)
}

func TestEPRToPathRefuses(t *testing.T) {
	s := newSchema()
	sel := func(pairs ...string) (set []wsman.Selector) {
		for i := 0; i < len(pairs); i += 2 {
			set = append(set, wsman.Selector{Name: pairs[i], Value: pairs[i+1]})
		}
		return set
	}
	epr := &wsman.EPR{ResourceURI: wsman.ClassPrefix + "T_Disk"}
	for name, c := range map[string]struct {
		class           string
		set             []wsman.Selector
		subcode, detail string
		says            string
	}{
		"class":          {"T_Tape", nil, "DestinationUnreachable", "InvalidResourceURI", "T_Tape"},
		"all classes":    {"*", nil, "DestinationUnreachable", "InvalidResourceURI", "no class"},
		"unknown key":    {"T_Disk", sel("Serial", "1"), "InvalidSelectors", "UnexpectedSelectors", `"Serial"`},
		"no key":         {"T_Disk", sel("ElementName", "1"), "InvalidSelectors", "UnexpectedSelectors", `"ElementName"`},
		"twice":          {"T_Disk", sel("DeviceID", "1", "deviceid", "2"), "InvalidSelectors", "DuplicateSelectors", `"deviceid"`},
		"missing":        {"T_Disk", sel("DeviceID", "1"), "InvalidSelectors", "InsufficientSelectors", "SystemName"},
		"type":           {"T_Disk", sel("SystemName", "h", "DeviceID", "x"), "InvalidSelectors", "TypeMismatch", "DeviceID"},
		"range":          {"T_Disk", sel("SystemName", "h", "DeviceID", "4294967296"), "InvalidSelectors", "TypeMismatch", "range"},
		"text reference": {"T_Link", sel("Antecedent", "x", "Dependent", "y"), "InvalidSelectors", "TypeMismatch", "Antecedent"},
		"reference text": {"T_Disk", []wsman.Selector{{Name: "SystemName", EPR: epr}, {Name: "DeviceID", Value: "1"}}, "InvalidSelectors", "TypeMismatch", "SystemName"},
		"inner": {"T_Link", []wsman.Selector{{Name: "Antecedent", EPR: &wsman.EPR{ResourceURI: wsman.ClassPrefix + "T_Tape"}}, {Name: "Dependent", EPR: epr}},
			"DestinationUnreachable", "InvalidResourceURI", "T_Tape"},
	} {
		_, err := EPRToPath(wsman.EPR{ResourceURI: wsman.ClassPrefix + c.class, Selectors: c.set}, s.env())
		f, ok := errors.AsType[*wsman.Fault](err)
		require.True(t, ok, name)
		require.Equal(t, c.subcode, f.Subcode.Local, name)
		require.Equal(t, c.detail, f.Detail[strings.LastIndexByte(f.Detail, '/')+1:], name)
		require.Contains(t, f.Reason, c.says, name)
	}
	_, err := EPRToPath(wsman.EPR{ResourceURI: wsman.ClassPrefix + "T_Tape"}, s.env())
	require.Equal(t, cim.StatusInvalidClass, cim.StatusOf(err))
	_, err = EPRToPath(wsman.EPR{ResourceURI: "urn:x"}, s.env())
	require.Error(t, err)
}
