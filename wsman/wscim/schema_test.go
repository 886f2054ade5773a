package wscim

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/wsman"
	"twinlun/wsman/soap"
)

// testSchema is a schema with a property and a parameter of every kind.
type testSchema struct {
	base, disk, thing, link, setting, special *cim.Class
	method                                    *cim.Method
	byName                                    map[string]*cim.Class
}

func key(name string, t cim.Type) *cim.Property { return &cim.Property{Name: name, Type: t, Key: true} }

// allTypes are the types that have a text form.
func allTypes() []cim.Type {
	var all []cim.Type
	for t := cim.Boolean; t < cim.Reference; t++ {
		all = append(all, t)
	}
	return all
}

// everyKind lists a scalar and an array of every type, octets, references and
// embedded instances, as properties.
func everyKind() []*cim.Property {
	var ps []*cim.Property
	for _, t := range allTypes() {
		ps = append(ps, &cim.Property{Name: "One_" + t.String(), Type: t}, &cim.Property{Name: "Many_" + t.String(), Type: t, Array: true})
	}
	octets := cim.Qualifiers{{Name: "OctetString", Type: cim.Boolean, Value: true}}
	return append(ps,
		&cim.Property{Name: "Octets", Type: cim.Uint8, Array: true, Qualifiers: octets},
		&cim.Property{Name: "One_ref", Type: cim.Reference, RefClass: "T_Base"},
		&cim.Property{Name: "One_emb", Type: cim.String, Embedded: "T_Setting"},
		&cim.Property{Name: "Many_emb", Type: cim.String, Array: true, Embedded: "T_Setting"},
		&cim.Property{Name: "Any_emb", Type: cim.String, Embedded: "*"},
	)
}

func newSchema() *testSchema {
	s := &testSchema{byName: map[string]*cim.Class{}}
	s.base = &cim.Class{Name: "T_Base", Abstract: true, Properties: []*cim.Property{key("SystemName", cim.String), key("DeviceID", cim.Uint32)}}
	s.disk = &cim.Class{Name: "T_Disk", Super: s.base, Properties: append(s.base.Properties[:2:2], &cim.Property{Name: "ElementName", Type: cim.String})}
	s.setting = &cim.Class{Name: "T_Setting", Properties: []*cim.Property{
		{Name: "Level", Type: cim.Uint16, Default: uint64(3)}, {Name: "Tags", Type: cim.String, Array: true},
		{Name: "When", Type: cim.Datetime}, {Name: "Inner", Type: cim.String, Embedded: "T_Setting"}, {Name: "Disk", Type: cim.Reference, RefClass: "T_Disk"},
	}}
	s.special = &cim.Class{Name: "T_Special", Super: s.setting, Properties: append(s.setting.Properties[:5:5], &cim.Property{Name: "More", Type: cim.Boolean})}
	s.thing = &cim.Class{Name: "T_Thing", Properties: append([]*cim.Property{key("InstanceID", cim.String)}, everyKind()...)}
	s.link = &cim.Class{Name: "T_Link", Association: true, Properties: []*cim.Property{
		{Name: "Antecedent", Type: cim.Reference, RefClass: "T_Base", Key: true}, {Name: "Dependent", Type: cim.Reference, RefClass: "T_Base", Key: true}}}
	s.method = &cim.Method{Name: "Do", Return: cim.Uint32}
	for _, p := range s.thing.Properties[1:] {
		s.method.Params = append(s.method.Params, &cim.Parameter{
			Name: p.Name, Type: p.Type, Array: p.Array, RefClass: p.RefClass, Embedded: p.Embedded, Qualifiers: p.Qualifiers, In: true, Out: true})
	}
	s.method.Params = append(s.method.Params,
		&cim.Parameter{Name: "Many_ref", Type: cim.Reference, Array: true, RefClass: "T_Disk", In: true, Out: true},
		&cim.Parameter{Name: "Job", Type: cim.Reference, RefClass: "T_Base", Out: true})
	s.thing.Methods = []*cim.Method{s.method}
	for _, c := range []*cim.Class{s.base, s.disk, s.setting, s.special, s.thing, s.link} {
		c.Link()
		s.byName[strings.ToLower(c.Name)] = c
	}
	return s
}

func (s *testSchema) env() Env {
	return Env{Class: func(name string) *cim.Class { return s.byName[strings.ToLower(name)] }, Namespace: "root/test"}
}

func diskPath(id uint64) *cim.Path {
	return &cim.Path{Namespace: "root/test", Class: "T_Disk", Keys: []cim.Key{{Name: "SystemName", Value: "host"}, {Name: "DeviceID", Value: id}}}
}

// parsed reads XML in which the usual prefixes are declared.
func parsed(t testing.TB, xml string) *soap.Element {
	t.Helper()
	text := `<s:Envelope xmlns:s="` + wsman.NSSOAP + `" xmlns:a="` + wsman.NSAddressing + `" xmlns:w="` + wsman.NSWSMan + `" xmlns:b="` + wsman.NSBinding +
		`" xmlns:cim="` + wsman.NSCommon + `" xmlns:xsi="` + wsman.NSXSI + `" xmlns:p="` + wsman.ClassPrefix + `T_Thing"><s:Body>` + xml + `</s:Body></s:Envelope>`
	m, err := soap.Decode([]byte(text), "", soap.Limits{})
	require.NoError(t, err, xml)
	return m.Body
}

// written gives what write wrote, as a client reads it.
func written(t testing.TB, write func(*soap.Writer)) *soap.Element {
	t.Helper()
	var w soap.Writer
	write(&w)
	return parsed(t, string(w.Bytes()))
}
