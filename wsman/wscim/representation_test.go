package wscim

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/wsman"
	"twinlun/wsman/soap"
)

func TestPreciseArrays(t *testing.T) {
	s := newSchema()
	for _, c := range []struct {
		value    cim.Value
		plain    string
		precise  string
		comeBack cim.Value
	}{
		{nil, `<p:Tags xsi:nil="true"/>`, `<p:Tags xsi:nil="true" msftwinrm:IsNullArray="true"/>`, nil},
		{[]cim.Value{}, "", "", nil},
		{[]cim.Value{"a", nil}, `<p:Tags>a</p:Tags><p:Tags xsi:nil="true"/>`, `<p:Tags>a</p:Tags><p:Tags xsi:nil="true"/>`, []cim.Value{"a", nil}},
		{[]cim.Value{nil}, `<p:Tags xsi:nil="true"/>`, `<p:Tags xsi:nil="true"/>`, nil},
	} {
		in := cim.NewInstance(s.setting)
		require.NoError(t, in.Set("Tags", c.value))
		for _, precise := range []bool{false, true} {
			var w soap.Writer
			WriteInstance(&w, wsman.ClassPrefix, in, InstanceOptions{Standalone: true, PreciseArrays: precise})
			text := string(w.Bytes())
			_, text, _ = strings.Cut(text, "</p:Level>")
			text, _, _ = strings.Cut(text, "<p:When")
			want := c.plain
			if precise {
				want = c.precise
			}
			require.Equal(t, want, text)
			e, err := soap.Parse(w.Bytes(), soap.Limits{})
			require.NoError(t, err)
			back, err := DecodeInstance(e, nil, s.env())
			require.NoError(t, err)
			require.Equal(t, c.comeBack, back.Get("Tags"))
		}
	}
}

func TestDecodeRepresentation(t *testing.T) {
	s := newSchema()
	e := parsed(t, `<p:T_Setting><p:When xsi:nil="true"/><q:tags xmlns:q="urn:q">a</q:tags><p:Level>7</p:Level></p:T_Setting>`)
	values, err := DecodeRepresentation(e, s.setting, s.env())
	require.NoError(t, err)
	require.Equal(t, []cim.PropertyValue{{Name: "Level", Value: uint64(7)}, {Name: "Tags", Value: []cim.Value{"a"}}, {Name: "When"}}, values, "what is there, in the order of the class")
	values, err = DecodeSome(e, s.setting, []string{"LEVEL", "tags", "Level"}, s.env())
	require.NoError(t, err)
	require.Equal(t, []cim.PropertyValue{{Name: "Level", Value: uint64(7)}, {Name: "Tags", Value: []cim.Value{"a"}}}, values)

	_, err = DecodeRepresentation(parsed(t, `<p:T_Setting><p:Speed/></p:T_Setting>`), s.setting, s.env())
	require.ErrorContains(t, err, `"Speed"`)
	lenient := s.env()
	lenient.IgnoreUnknown = true
	values, err = DecodeRepresentation(parsed(t, `<p:T_Setting><p:Speed/></p:T_Setting>`), s.setting, lenient)
	require.NoError(t, err)
	require.Empty(t, values)
}

// A representation with everything in it, references and instances too, comes back.
func TestRepresentationsComeBack(t *testing.T) {
	s := newSchema()
	for round := range 4 {
		in := fill(t, s, round)
		var values []cim.PropertyValue
		for i, p := range s.thing.Properties {
			values = append(values, cim.PropertyValue{Name: p.Name, Value: in.At(i)})
		}
		e := written(t, func(w *soap.Writer) {
			WriteRepresentation(w, wsman.ClassPrefix, s.thing, append(values, cim.PropertyValue{Name: "Unheard", Value: "x"}))
		})
		c, err := RepresentationClass(e, s.env())
		require.NoError(t, err)
		require.Equal(t, s.thing, c)
		back, err := DecodeRepresentation(e, c, s.env())
		require.NoError(t, err)
		require.Len(t, back, len(values))
		for i, v := range values {
			require.True(t, cim.Equal(v.Value, back[i].Value), "%s: %v came back as %v", v.Name, v.Value, back[i].Value)
		}
	}
}

func TestResourceCreated(t *testing.T) {
	s := newSchema()
	p, err := ReadResourceCreated(written(t, func(w *soap.Writer) {
		w.Start("x", "any")
		w.Namespace("x", wsman.NSTransfer)
		WriteResourceCreated(w, wsman.ClassPrefix, diskPath(4))
		w.End()
	}).ChildElements()[0], s.env())
	require.NoError(t, err)
	require.True(t, diskPath(4).Equal(p))
	for _, bad := range []string{`<x/>`, `<x:ResourceCreated xmlns:x="urn:x"/>`, `<ResourceCreated><a:EndpointReference><a:ReferenceParameters><w:ResourceURI>` + wsman.ClassPrefix + `T_Tape</w:ResourceURI></a:ReferenceParameters></a:EndpointReference></ResourceCreated>`} {
		_, err := ReadResourceCreated(parsed(t, bad), s.env())
		require.Error(t, err, bad)
	}
	_, err = ReadResourceCreated(nil, s.env())
	require.Error(t, err)
}

func TestSelectedFragments(t *testing.T) {
	s := newSchema()
	in := cim.NewInstance(s.special)
	require.NoError(t, in.Set("Inner", cim.NewInstance(s.setting)))
	require.NoError(t, in.Set("Tags", []string{"a<", "b"}))
	tree, err := InstanceTree(wsman.ClassPrefix, in, InstanceOptions{})
	require.NoError(t, err)
	tags := tree.SelectElements("p:Tags")
	require.Len(t, tags, 2)
	level := tree.FindElement("p:Inner/p1:Level")
	require.NotNil(t, level)
	e := written(t, func(w *soap.Writer) { WriteSelected(w, append(tags, level), false) })
	require.NoError(t, CheckFragment(e))
	for _, c := range e.ChildElements() {
		ns, declared := soap.Namespace(c)
		require.True(t, declared)
		require.True(t, strings.HasPrefix(ns, wsman.ClassPrefix), ns)
	}
	require.Equal(t, "a<b", soap.Text(written(t, func(w *soap.Writer) { WriteSelected(w, tags, true) })))
	require.True(t, soap.IsNil(written(t, func(w *soap.Writer) { WriteSelected(w, nil, true) })))

	es, err := FragmentElements(parsed(t, `<w:XmlFragment><TAGS>x</TAGS><Tags/></w:XmlFragment>`), s.special.Property("Tags"))
	require.NoError(t, err)
	require.Len(t, es, 2)
	for _, bad := range []string{`<w:XmlFragment><Level/></w:XmlFragment>`, `<w:XmlFragment>x</w:XmlFragment>`} {
		_, err := FragmentElements(parsed(t, bad), s.special.Property("Tags"))
		f, ok := errors.AsType[*wsman.Fault](err)
		require.True(t, ok)
		require.Contains(t, f.Detail, wsman.DetailInvalidFragment)
	}
	require.Error(t, CheckFragment(parsed(t, `<w:Fragment/>`)))
	require.Error(t, CheckFragment(nil))
	require.True(t, IsWhole(s.thing.Property("Octets")))
	require.True(t, IsWhole(s.thing.Property("One_string")))
	require.False(t, IsWhole(s.thing.Property("Many_uint8")))
}
