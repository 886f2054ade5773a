package wscim

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/wsman"
	"twinlun/wsman/soap"
)

// samples are values of a type at its edges.
func samples(t cim.Type) []cim.Value {
	zone := time.FixedZone("", -7*3600)
	switch t {
	case cim.Boolean:
		return []cim.Value{true, false}
	case cim.String:
		return []cim.Value{"", " a <&>\"' b\n", "é€𝄞", "]]>"}
	case cim.Char16:
		return []cim.Value{uint64(0), uint64('7'), uint64('x'), uint64(math.MaxUint16)}
	case cim.Uint8:
		return []cim.Value{uint64(0), uint64(math.MaxUint8)}
	case cim.Uint64:
		return []cim.Value{uint64(0), uint64(math.MaxUint64)}
	case cim.Sint8:
		return []cim.Value{int64(math.MinInt8), int64(math.MaxInt8)}
	case cim.Sint64:
		return []cim.Value{int64(math.MinInt64), int64(math.MaxInt64)}
	case cim.Real32:
		return []cim.Value{float64(float32(0.1)), -1.5, math.Inf(1), math.MaxFloat32}
	case cim.Real64:
		return []cim.Value{0.1, -1e300, math.Inf(-1), math.SmallestNonzeroFloat64}
	case cim.Datetime:
		return []cim.Value{
			cim.DateTime{Time: time.Date(2026, 11, 22, 1, 2, 3, 4000, zone)}, cim.DateTime{Time: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)},
			cim.IntervalValue(26*time.Hour + 3*time.Minute + 4*time.Second + 5*time.Microsecond), cim.IntervalValue(0),
		}
	case cim.Uint16, cim.Uint32:
		return []cim.Value{uint64(0), uint64(math.MaxUint16)}
	default:
		return []cim.Value{int64(-300), int64(300)}
	}
}

// fill gives every property a value; round chooses among the samples.
func fill(t *testing.T, s *testSchema, round int) *cim.Instance {
	inner := cim.NewInstance(s.setting)
	require.NoError(t, inner.Set("Tags", []string{"x"}))
	setting := cim.NewInstance(s.special)
	require.NoError(t, setting.Set("Level", 7))
	require.NoError(t, setting.Set("Tags", []cim.Value{"a", nil, ""}))
	require.NoError(t, setting.Set("When", samples(cim.Datetime)[round]))
	require.NoError(t, setting.Set("Inner", inner))
	require.NoError(t, setting.Set("Disk", diskPath(9)))
	in := cim.NewInstance(s.thing)
	set := func(name string, v cim.Value) { require.NoError(t, in.Set(name, v), name) }
	set("InstanceID", "id:1")
	for _, typ := range allTypes() {
		vs := samples(typ)
		set("One_"+typ.String(), vs[round%len(vs)])
		set("Many_"+typ.String(), append(vs[:len(vs):len(vs)], nil))
	}
	set("Octets", []cim.Value{uint64(0), uint64(255), uint64(round)})
	set("One_ref", diskPath(uint64(round)))
	set("One_emb", setting)
	set("Many_emb", []cim.Value{inner, setting})
	set("Any_emb", setting)
	return in
}

func TestInstancesComeBack(t *testing.T) {
	s := newSchema()
	for round := range 4 {
		in := fill(t, s, round)
		e := written(t, func(w *soap.Writer) { WriteInstance(w, wsman.ClassPrefix, in, InstanceOptions{}) })
		back, err := DecodeInstance(e, nil, s.env())
		require.NoError(t, err)
		require.Equal(t, "T_Thing", back.Class.Name)
		for i, p := range s.thing.Properties {
			require.True(t, cim.Equal(in.At(i), back.At(i)), "%s: %v came back as %v", p.Name, in.At(i), back.At(i))
		}
	}
}

func TestNullComesBack(t *testing.T) {
	s := newSchema()
	in := cim.NewInstance(s.thing)
	require.NoError(t, in.Set("InstanceID", "x"))
	e := written(t, func(w *soap.Writer) { WriteInstance(w, wsman.ClassPrefix, in, InstanceOptions{}) })
	back, err := DecodeInstance(e, s.thing, s.env())
	require.NoError(t, err)
	require.True(t, cim.Equal(in, back))
	for c := range soap.Children(e) {
		require.Equal(t, c.Tag != "InstanceID", soap.IsNil(c), c.Tag)
	}
	setting := cim.NewInstance(s.setting)
	require.NoError(t, setting.Set("Level", nil))
	back, err = DecodeInstance(written(t, func(w *soap.Writer) { WriteInstance(w, wsman.ClassPrefix, setting, InstanceOptions{}) }), nil, s.env())
	require.NoError(t, err)
	require.Nil(t, back.Get("Level"), "NULL counts for more than the default of the class")
}

func TestStandaloneInstanceIsWholeByItself(t *testing.T) {
	s := newSchema()
	in := fill(t, s, 1)
	var w soap.Writer
	WriteInstance(&w, wsman.ClassPrefix, in, InstanceOptions{Standalone: true})
	e, err := soap.Parse(w.Bytes(), soap.Limits{})
	require.NoError(t, err)
	back, err := DecodeInstance(e, nil, s.env())
	require.NoError(t, err)
	require.True(t, cim.Equal(in, back))
	var walk func(*soap.Element)
	walk = func(e *soap.Element) {
		_, declared := soap.Namespace(e)
		require.True(t, declared, e.FullTag())
		for c := range soap.Children(e) {
			walk(c)
		}
	}
	walk(e)
}

// The texts that clients depend on, literally.
func TestWireForms(t *testing.T) {
	s := newSchema()
	in := cim.NewInstance(s.setting)
	for name, v := range map[string]cim.Value{
		"Level": uint64(7), "Tags": []string{"a", ""}, "When": cim.IntervalValue(26*time.Hour + 3*time.Minute + 4*time.Second),
		"Inner": cim.NewInstance(s.special), "Disk": diskPath(5),
	} {
		require.NoError(t, in.Set(name, v))
	}
	var w soap.Writer
	WriteInstance(&w, wsman.ClassPrefix, in, InstanceOptions{})
	const special = `<p1:Level>3</p1:Level><p1:Tags xsi:nil="true"/><p1:When xsi:nil="true"/><p1:Inner xsi:nil="true"/><p1:Disk xsi:nil="true"/><p1:More xsi:nil="true"/>`
	require.Equal(t, `<p:T_Setting xmlns:p="`+wsman.ClassPrefix+`T_Setting" xsi:type="p:T_Setting_Type"><p:Level>7</p:Level><p:Tags>a</p:Tags><p:Tags/>`+
		`<p:When><cim:Interval>P1DT2H3M4S</cim:Interval></p:When>`+
		`<p:Inner xmlns:p1="`+wsman.ClassPrefix+`T_Special" xsi:type="p1:T_Special_Type">`+special+`</p:Inner>`+
		`<p:Disk><a:Address>`+wsman.Anonymous+`</a:Address><a:ReferenceParameters><w:ResourceURI>`+wsman.ClassPrefix+`T_Disk</w:ResourceURI>`+
		`<w:SelectorSet><w:Selector Name="SystemName">host</w:Selector><w:Selector Name="DeviceID">5</w:Selector><w:Selector Name="__cimnamespace">root/test</w:Selector></w:SelectorSet>`+
		`</a:ReferenceParameters></p:Disk></p:T_Setting>`, string(w.Bytes()))
}

func TestMethodsComeBack(t *testing.T) {
	s := newSchema()
	in := fill(t, s, 2)
	var args cim.Args
	for _, p := range s.method.Params[:len(s.method.Params)-2] {
		args = append(args, cim.Arg{Name: p.Name, Value: in.Get(p.Name)})
	}
	args = append(args, cim.Arg{Name: "Many_ref", Value: []cim.Value{diskPath(1), diskPath(2)}})
	uri := wsman.ClassPrefix + "T_Thing"
	back, err := DecodeArgs(written(t, func(w *soap.Writer) { WriteInput(w, uri, s.method, args) }), s.method, s.env())
	require.NoError(t, err)
	requireArgs(t, args, back)

	reply := &cim.Reply{Return: uint64(4096), Out: append(args, cim.Arg{Name: "Job", Value: diskPath(3)})}
	e := written(t, func(w *soap.Writer) { WriteOutput(w, uri, s.method, reply) })
	require.Equal(t, "Do_OUTPUT", e.Tag)
	for c := range soap.Children(e) {
		require.Nil(t, soap.Child(c, "", "EndpointReference"), "references have no wrapper")
	}
	have, err := DecodeOutput(e, s.method, s.env())
	require.NoError(t, err)
	require.Equal(t, reply.Return, have.Return)
	requireArgs(t, reply.Out, have.Out)
}

func requireArgs(t *testing.T, want, have cim.Args) {
	t.Helper()
	require.Len(t, have, len(want))
	for _, a := range want {
		require.True(t, cim.Equal(a.Value, have.Get(a.Name)), "%s: %v came back as %v", a.Name, a.Value, have.Get(a.Name))
	}
}

func TestOutputOfNothing(t *testing.T) {
	s := newSchema()
	m := &cim.Method{Name: "M", Return: cim.Uint32, Params: []*cim.Parameter{
		{Name: "In", Type: cim.String, In: true}, {Name: "Job", Type: cim.Reference, Out: true}, {Name: "List", Type: cim.String, Array: true, Out: true}}}
	var w soap.Writer
	WriteOutput(&w, "http://v.example/wbem/wscim/1/cim-schema/2/T_Thing", m, &cim.Reply{Return: uint64(0)})
	require.Equal(t, `<p:M_OUTPUT xmlns:p="http://v.example/wbem/wscim/1/cim-schema/2/T_Thing"><p:Job xsi:nil="true"/><p:List xsi:nil="true"/>`+
		`<p:ReturnValue>0</p:ReturnValue></p:M_OUTPUT>`, string(w.Bytes()))
	r, err := DecodeOutput(parsed(t, string(w.Bytes())), m, s.env())
	require.NoError(t, err)
	require.Equal(t, &cim.Reply{Return: uint64(0)}, r)
}

func TestDecodeOutputOfOthers(t *testing.T) {
	s := newSchema()
	e := parsed(t, `<p:Do_OUTPUT><p:ReturnValue>4</p:ReturnValue><p:Unheard>x</p:Unheard><p:One_string>y</p:One_string></p:Do_OUTPUT>`)
	r, err := DecodeOutput(e, s.method, s.env())
	require.NoError(t, err)
	require.Equal(t, &cim.Reply{Return: uint64(4), Out: cim.Args{{Name: "One_string", Value: "y"}}}, r)
	for _, bad := range []string{`<p:ReturnValue>x</p:ReturnValue>`, `<p:One_uint8>999</p:One_uint8>`} {
		_, err = DecodeOutput(parsed(t, `<p:Do_OUTPUT>`+bad+`</p:Do_OUTPUT>`), s.method, s.env())
		require.ErrorContains(t, err, "the answer of Do")
	}
}

func TestReason(t *testing.T) {
	var w soap.Writer
	soap.WriteEnvelope(&w, soap.ResponseHeader{Action: "x", MessageID: "y", Extra: func(w *soap.Writer) { WriteReason(w, "no <room>") }}, nil)
	m, err := soap.Decode(w.Bytes(), "", soap.Limits{})
	require.NoError(t, err)
	require.Equal(t, "no <room>", ReadReason(m))
	require.Empty(t, m.NotUnderstood)
	require.Empty(t, ReadReason(&soap.Message{}))
}

// The tags that are kept make no difference, at first nor later.
func TestKeptTags(t *testing.T) {
	s := newSchema()
	var tags Tags
	text := func(in *cim.Instance, o InstanceOptions) string {
		var w soap.Writer
		WriteInstance(&w, wsman.ClassPrefix, in, o)
		return string(w.Bytes())
	}
	for round := range 4 {
		full := fill(t, s, round)
		for _, in := range []*cim.Instance{full, cim.NewInstance(s.thing), full.Only([]bool{true, false, true})} {
			for _, o := range []InstanceOptions{{}, {Standalone: true, PreciseArrays: true}} {
				kept := o
				kept.Tags = &tags
				require.Equal(t, text(in, o), text(in, kept))
			}
		}
	}
}
