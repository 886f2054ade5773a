package server

import (
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/cim/mof"
	"twinlun/schemas"
	"twinlun/wsman"
)

// realSchema is the schema of the product.
var realSchema = sync.OnceValues(func() (*cim.Schema, error) { return mof.Load(schemas.Files()) })

// random makes instances of classes; depth bounds what is in what.
type random struct {
	*rand.Rand
	schema *cim.Schema
}

// instance gives all keys, and most other properties, a value.
func (r random) instance(t *testing.T, c *cim.Class, depth int) *cim.Instance {
	in := cim.NewInstance(c)
	for _, p := range c.Properties {
		if !p.Key && r.IntN(4) == 0 {
			require.NoError(t, in.Set(p.Name, nil))
			continue
		}
		require.NoError(t, in.Set(p.Name, r.value(t, p, depth)), "%s.%s", c.Name, p.Name)
	}
	return in
}

func (r random) value(t *testing.T, p *cim.Property, depth int) cim.Value {
	if !p.Array {
		return r.scalar(t, p, depth)
	}
	list := make([]cim.Value, 1+r.IntN(3))
	for i := range list {
		// NULL alone is the same as a NULL array, and there is none among octets.
		if list[i] = r.scalar(t, p, depth); i > 0 && r.IntN(4) == 0 && !p.Qualifiers.Flag("OctetString") {
			list[i] = nil
		}
	}
	if list[0] == nil {
		return nil
	}
	return list
}

func (r random) scalar(t *testing.T, p *cim.Property, depth int) cim.Value {
	switch {
	case p.Embedded != "" && depth > 2:
		return nil
	case p.Embedded == "*":
		return r.instance(t, r.schema.Classes()[r.IntN(len(r.schema.Classes()))], depth+1)
	case p.Embedded != "":
		return r.instance(t, r.class(p.Embedded), depth+1)
	case p.Type == cim.Reference:
		return r.path(t, p.RefClass)
	}
	return r.simple(p.Type)
}

// class is a class that derives from the named one, or is it.
func (r random) class(name string) *cim.Class {
	var all []*cim.Class
	for _, c := range r.schema.Classes() {
		if c.IsA(name) {
			all = append(all, c)
		}
	}
	return all[r.IntN(len(all))]
}

// path names an instance of a class below the named one that has keys, none of which
// is a reference.
func (r random) path(t *testing.T, name string) *cim.Path {
	for range 100 {
		c := r.class(name)
		if len(c.Keys) == 0 || c.Association {
			continue
		}
		p := &cim.Path{Namespace: testNamespace, Class: c.Name}
		for _, k := range c.Keys {
			p.Keys = append(p.Keys, cim.Key{Name: k.Name, Value: strings.TrimSpace(cim.FormatText(r.simple(k.Type)))})
			if k.Type != cim.String {
				p.Keys[len(p.Keys)-1].Value = r.simple(k.Type)
			}
		}
		return p
	}
	t.Logf("no class below %s has keys", name)
	return nil
}

func (r random) simple(t cim.Type) cim.Value {
	switch {
	case t.Unsigned():
		return r.bits(t) >> r.IntN(8)
	case t.Signed():
		return int64(r.bits(t)>>1) * int64(1-2*r.IntN(2))
	case t == cim.Real32:
		return float64(r.Float32())
	case t == cim.Real64:
		return r.NormFloat64()
	case t == cim.Boolean:
		return r.IntN(2) == 0
	case t == cim.Datetime && r.IntN(2) == 0:
		return cim.IntervalValue(time.Duration(r.Int64N(1e12)) * time.Microsecond)
	case t == cim.Datetime:
		return cim.TimeValue(time.UnixMicro(r.Int64N(4e15)).In(time.FixedZone("", 60*(r.IntN(1440)-720))))
	}
	words := []string{"", " ", "a", "<b>", "&amp;", "]]>", "\r\n", "\t", "é€𝄞", `"'`, "--", "x:y", "\\"}
	var b strings.Builder
	for range r.IntN(6) {
		b.WriteString(words[r.IntN(len(words))])
	}
	return b.String()
}

// bits is a number of the width of an integer type.
func (r random) bits(t cim.Type) uint64 {
	width := map[cim.Type]int{cim.Uint8: 8, cim.Sint8: 8, cim.Uint16: 16, cim.Sint16: 16, cim.Char16: 16, cim.Uint32: 32, cim.Sint32: 32}[t]
	if width == 0 {
		width = 64
	}
	return r.Uint64() & (math.MaxUint64 >> (64 - width))
}

// Of every class of the schema, whatever its properties hold, what Get shows can be
// sent back by Put, in every family of resource URIs, and changes nothing: so nothing
// is lost or bent on its way out and in.
func TestEveryClassComesBack(t *testing.T) {
	schema, err := realSchema()
	require.NoError(t, err)
	w := newWorld(t)
	w.broker.schema = schema
	gen := random{rand.New(rand.NewPCG(7, 11)), schema}
	for _, c := range schema.Classes() {
		for _, prefix := range []string{wsman.ClassPrefix, "http://schemas.microsoft.com/wbem/wscim/1/cim-schema/2/", "http://schemas.microsoft.com/wbem/wsman/1/wmi/" + testNamespace + "/"} {
			in := gen.instance(t, c, 0)
			path, err := in.PathIn(testNamespace)
			require.NoError(t, err)
			in.Path = path
			w.broker.instances, w.broker.changes = []*cim.Instance{in}, nil
			m := message{action: wsman.ActionGet, uri: prefix + c.Name}
			got := bodyOf(t, w.ok(t, m.windows()))
			m.action, m.body = wsman.ActionPut, got
			require.Equal(t, got, bodyOf(t, w.ok(t, m.windows())), prefix+c.Name)
			require.Empty(t, w.broker.changes, "%s: %s", prefix+c.Name, got)
			m.action, m.body = wsman.ActionCreate, got
			w.ok(t, m.windows())
			requireMade(t, in, w.broker.instances[1])
		}
	}
}

// requireMade compares an instance with one that was created from its representation:
// what is NULL there has the default of the class.
func requireMade(t *testing.T, want, have *cim.Instance) {
	t.Helper()
	require.Equal(t, want.Class.Name, have.Class.Name)
	for i, p := range want.Class.Properties {
		v := want.At(i)
		if v == nil {
			v = p.Default
		}
		require.True(t, cim.Equal(v, have.At(i)), "%s.%s: %v, not %v", want.Class.Name, p.Name, have.At(i), v)
	}
}

// FuzzPut sends any representation: there is always an answer, and what is refused
// changes nothing.
func FuzzPut(f *testing.F) {
	for _, inner := range []string{
		`<v:Caption>x</v:Caption>`, `<v:Size>1</v:Size><v:OperationalStatus>2</v:OperationalStatus><v:OperationalStatus>3</v:OperationalStatus>`, `<v:DeviceID>V1</v:DeviceID>`,
		`<v:Caption xsi:nil="true"/><v:Colour/>`, `</v:T_Volume>`, `<v:Size xsi:type="cim:x"><a/></v:Size>`,
	} {
		for _, action := range []byte{0, 1, 2} {
			f.Add(action, inner)
		}
	}
	w := newWorld(f).withVolumes(1)
	first := w.broker.instances[0]
	f.Fuzz(func(t *testing.T, action byte, inner string) {
		w.broker.instances, w.broker.changes = []*cim.Instance{first}, nil
		m := put(inner)
		if action%3 == 1 {
			m.action, m.selectors = wsman.ActionCreate, nil
			m.body = representation(`<v:SystemName>s</v:SystemName><v:DeviceID>n</v:DeviceID>` + inner)
		}
		text := m.windows()
		if action%3 == 2 {
			text = modifiedOptions(text, "Caption", "OperationalStatus")
		}
		rec := w.serve(t, httpRequest(text))
		if rec.Code != 200 && (len(w.broker.changes) > 0 || len(w.broker.instances) != 1 || strings.Contains(rec.Body.String(), "w:InternalError")) {
			t.Fatalf("%d %v %s", rec.Code, w.broker.changes, rec.Body)
		}
	})
}
