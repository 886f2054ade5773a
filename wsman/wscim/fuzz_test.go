package wscim

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/wsman"
	"twinlun/wsman/soap"
)

// Whatever arguments are taken fit the schema, and come back when they are written.
func FuzzDecodeArgs(f *testing.F) {
	for _, seed := range []string{
		`<a><One_string>x</One_string><Many_uint8>1</Many_uint8><Many_uint8>2</Many_uint8></a>`,
		`<a xmlns:x="u"><One_ref><ReferenceParameters><ResourceURI>` + wsman.ClassPrefix + `T_Disk</ResourceURI></ReferenceParameters></One_ref><One_emb x:type="T_Special_Type"><Level>1</Level></One_emb></a>`,
		`<a><One_datetime><CIM_DateTime>19990929195959.000000-420</CIM_DateTime></One_datetime><Octets>AAEC</Octets></a>`,
		`<a><One_emb>&lt;INSTANCE CLASSNAME="T_Setting"&gt;&lt;PROPERTY NAME="Level"&gt;&lt;VALUE&gt;3&lt;/VALUE&gt;&lt;/PROPERTY&gt;&lt;/INSTANCE&gt;</One_emb></a>`,
	} {
		f.Add([]byte(seed))
	}
	s := newSchema()
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := soap.Parse(data, soap.Limits{Bytes: 1 << 14})
		if err != nil {
			return
		}
		args, err := DecodeArgs(e, s.method, s.env())
		if err != nil {
			_, ok := errors.AsType[*wsman.Fault](err)
			require.True(t, ok, "%T", err)
			return
		}
		for _, a := range args {
			p := s.method.Param(a.Name)
			v, err := cim.Coerce(a.Value, p.Type, p.Array, p.Embedded != "")
			require.NoError(t, err)
			require.True(t, cim.Equal(a.Value, v) || hasNaN(a.Value), "%s %v", a.Name, a.Value)
		}
		var w soap.Writer
		soap.WriteEnvelope(&w, soap.ResponseHeader{}, func(w *soap.Writer) { WriteInput(w, wsman.ClassPrefix+"T_Thing", s.method, args) })
		m, err := soap.Decode(w.Bytes(), "", soap.Limits{})
		if f, ok := errors.AsType[*wsman.Fault](err); ok && f.Subcode.Local == "InvalidMessageInformationHeader" {
			err = nil // the header of this test is empty
		}
		require.NoError(t, err, "%s", w.Bytes())
		_, err = DecodeArgs(m.Body, s.method, s.env())
		require.NoError(t, err, "%s", w.Bytes())
	})
}

func hasNaN(v cim.Value) bool {
	list, ok := v.([]cim.Value)
	if !ok {
		list = []cim.Value{v}
	}
	for _, e := range list {
		if f, ok := e.(float64); ok && f != f {
			return true
		}
	}
	return false
}

func FuzzReadClass(f *testing.F) {
	f.Add([]byte(classXML(described(), ClassOptions{Qualifiers: true, Inherited: true, Hierarchy: true})))
	all := ClassOptions{Qualifiers: true, ClassOrigin: true, Inherited: true, Hierarchy: true}
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := soap.Parse(data, soap.Limits{Bytes: 1 << 14})
		if err != nil {
			return
		}
		c, err := ReadClass(e)
		if err != nil {
			return
		}
		again, err := soap.Parse([]byte(classXML(c, all)), soap.Limits{Bytes: 1 << 20})
		require.NoError(t, err)
		_, err = ReadClass(again)
		require.NoError(t, err)
	})
}

// bigInstance has 30 properties, as a volume has.
func bigInstance(b *testing.B) *cim.Instance {
	c := &cim.Class{Name: "T_Volume"}
	values := []cim.Value{"naa.6002544c00000000000000000000002a", uint64(1 << 40), nil, []cim.Value{uint64(2)}, true, uint64(5)}
	types := []cim.Type{cim.String, cim.Uint64, cim.String, cim.Uint16, cim.Boolean, cim.Uint16}
	for i := range 29 {
		c.Properties = append(c.Properties, &cim.Property{Name: "PropertyNumber" + string(rune('A'+i)), Type: types[i%6], Array: i%6 == 3})
	}
	c.Properties = append(c.Properties, &cim.Property{Name: "Created", Type: cim.Datetime})
	c.Link()
	in := cim.NewInstance(c)
	for i, p := range c.Properties[:29] {
		if err := in.Set(p.Name, values[i%6]); err != nil {
			b.Fatal(err)
		}
	}
	if err := in.Set("Created", time.Date(2026, 11, 22, 1, 2, 3, 4000, time.UTC)); err != nil {
		b.Fatal(err)
	}
	return in
}

func BenchmarkWriteInstance(b *testing.B) {
	in := bigInstance(b)
	var w soap.Writer
	var tags Tags
	WriteInstance(&w, wsman.ClassPrefix, in, InstanceOptions{Tags: &tags})
	b.SetBytes(int64(w.Len()))
	b.ReportAllocs()
	for b.Loop() {
		w.Reset()
		WriteInstance(&w, wsman.ClassPrefix, in, InstanceOptions{Tags: &tags})
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "instances/s")
}

// Associations are references only, and there are many of them.
func BenchmarkWriteAssociation(b *testing.B) {
	s := newSchema()
	in := cim.NewInstance(s.link)
	for _, name := range []string{"Antecedent", "Dependent"} {
		if err := in.Set(name, diskPath(7)); err != nil {
			b.Fatal(err)
		}
	}
	var w soap.Writer
	b.ReportAllocs()
	for b.Loop() {
		w.Reset()
		WriteInstance(&w, wsman.ClassPrefix, in, InstanceOptions{})
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "instances/s")
}
