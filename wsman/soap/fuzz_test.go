package soap

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/wsman"
)

// Decode takes any bytes, fails only with faults and never builds more than the
// limits allow.
func FuzzDecode(f *testing.F) {
	for _, name := range []string{"mi_enumerate.xml", "mi_invoke_spaced.xml", "winrm_invoke_ref.xml", "omi_get_refkey.xml", "openwsman_pull.xml", "identify.xml"} {
		data := request(f, name)
		f.Add(data)
		f.Add(UTF16LE.Encode(data))
	}
	f.Add([]byte(`<?xml version="1.0"?><!DOCTYPE a><a/>`))
	limits := Limits{Bytes: 1 << 16, Depth: 8, Elements: 60, Attributes: 10, TextLen: 400}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Decode(data, "application/soap+xml", limits)
		if err != nil {
			_, ok := errors.AsType[*wsman.Fault](err)
			require.True(t, ok, "%T", err)
			require.NotEmpty(t, err.Error())
		}
		if m == nil {
			return
		}
		require.LessOrEqual(t, measure(t, m.Header, 2, limits)+measure(t, m.Body, 3, limits), limits.Elements)
		var w Writer
		WriteRequest(&w, RequestHeader{To: m.To, Action: m.Action, Selectors: m.Selectors, Options: m.Options}, nil)
		requireWellFormed(t, w.Bytes())
	})
}

// measure checks a tree against the limits and counts its elements.
func measure(t *testing.T, e *Element, depth int, l Limits) int {
	if e == nil {
		return 0
	}
	require.LessOrEqual(t, depth, l.Depth)
	require.LessOrEqual(t, len(e.Attr), l.Attributes)
	n := 1
	for c := range Children(e) {
		n += measure(t, c, depth+1, l)
	}
	return n
}

func requireWellFormed(t *testing.T, data []byte) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(data))
	for {
		_, err := d.Token()
		if err == io.EOF {
			return
		}
		require.NoError(t, err, "%q", data)
	}
}

// Whatever text is written comes back, but for what XML cannot carry.
func FuzzWriter(f *testing.F) {
	f.Add("plain", "<&>\"'\n\t\r")
	f.Add("\x00\xff", "]]>")
	f.Fuzz(func(t *testing.T, attr, text string) {
		var w Writer
		w.Start("", "a")
		w.Attr("", "b", attr)
		w.Text(text)
		w.End()
		e, err := Parse(w.Bytes(), Limits{Bytes: 1 << 24, TextLen: 1 << 24})
		require.NoError(t, err, "%q", w.Bytes())
		have, _ := Attr(e, "", "b")
		require.Equal(t, carried(attr), have)
		require.Equal(t, carried(text), RawText(e))
	})
}

// carried is s with what XML cannot carry replaced.
func carried(s string) string {
	out := []rune{}
	for _, r := range s {
		if r < 0x20 && r != '\n' && r != '\t' && r != '\r' || r == 0xFFFE || r == 0xFFFF {
			r = 0xFFFD
		}
		out = append(out, r)
	}
	return string(out)
}

func FuzzDuration(f *testing.F) {
	for _, s := range []string{"PT60.000S", "P1DT2H3M4.5S", "PT", "-P1D", "P1Y", "19990101"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, ok := ParseDuration(s)
		require.GreaterOrEqual(t, d, time.Duration(0))
		if !ok || d > 200*365*24*time.Hour {
			return
		}
		again, ok := ParseDuration(FormatDuration(d))
		require.True(t, ok)
		require.InDelta(t, float64(d), float64(again), float64(time.Millisecond))
	})
}

func FuzzEPR(f *testing.F) {
	f.Add([]byte(`<r><a:EndpointReference xmlns:a="urn:a"><a:ReferenceParameters><ResourceURI>u</ResourceURI><SelectorSet><Selector Name="a">b</Selector></SelectorSet></a:ReferenceParameters></a:EndpointReference></r>`))
	f.Add([]byte(`<r><ReferenceParameters><ResourceURI> u </ResourceURI><SelectorSet><K xsi:type="p:C_Type"><p:I>1</p:I></K></SelectorSet></ReferenceParameters></r>`))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := Parse(data, Limits{Bytes: 1 << 14})
		if err != nil {
			return
		}
		epr, err := ReadEPR(e)
		if err != nil {
			return
		}
		var w Writer
		w.Start("", "r")
		w.Namespace("a", wsman.NSAddressing)
		w.Namespace("w", wsman.NSWSMan)
		WriteEPRContent(&w, epr)
		w.End()
		again, err := Parse(w.Bytes(), Limits{Bytes: 1 << 20})
		require.NoError(t, err)
		_, err = ReadEPR(again)
		require.NoError(t, err)
	})
}

func BenchmarkDecode(b *testing.B) {
	data := request(b, "mi_enumerate.xml")
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(data, "application/soap+xml;charset=UTF-8", Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkScan(b *testing.B) {
	data := request(b, "mi_enumerate.xml")
	b.SetBytes(int64(len(data)))
	l := DefaultLimits()
	for b.Loop() {
		if err := scan(data, l); err != nil {
			b.Fatal(err)
		}
	}
}
