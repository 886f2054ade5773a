package soap

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/wsman"
)

// Every header that means one thing may be there once (DSP0226 R13.1-9).
func TestRepeatedHeaders(t *testing.T) {
	for name, header := range map[string]string{
		"To": `<a:To>x</a:To>`, "Action": `<a:Action>x</a:Action>`, "MessageID": `<a:MessageID>x</a:MessageID>`,
		"ReplyTo":     `<a:ReplyTo><a:Address>x</a:Address></a:ReplyTo>`,
		"FaultTo":     `<a:FaultTo><a:Address>x</a:Address></a:FaultTo>`,
		"From":        `<a:From><a:Address>x</a:Address></a:From>`,
		"ResourceURI": `<w:ResourceURI>x</w:ResourceURI>`, "SelectorSet": `<w:SelectorSet/>`, "OptionSet": `<w:OptionSet/>`,
		"MaxEnvelopeSize": `<w:MaxEnvelopeSize>9000</w:MaxEnvelopeSize>`, "OperationTimeout": `<w:OperationTimeout>PT1S</w:OperationTimeout>`,
		"Locale": `<w:Locale xml:lang="en"/>`, "FragmentTransfer": `<w:FragmentTransfer>x</w:FragmentTransfer>`,
		"RequestEPR": `<w:RequestEPR/>`, "RequestTotalItemsCountEstimate": `<w:RequestTotalItemsCountEstimate/>`,
		"Identifier": `<e:Identifier xmlns:e="` + wsman.NSEventing + `">x</e:Identifier>`,
	} {
		_, err := Decode(envelope(header, ""), "", Limits{})
		require.NoError(t, err, name)
		_, err = Decode(envelope(header+header, ""), "", Limits{})
		f, ok := errors.AsType[*wsman.Fault](err)
		require.True(t, ok, name)
		require.Equal(t, "InvalidMessageInformationHeader", f.Subcode.Local, name)
		require.Contains(t, f.Reason, name)
	}
	m, err := Decode(envelope(`<a:RelatesTo>x</a:RelatesTo><a:RelatesTo>y</a:RelatesTo><p:SequenceId>1</p:SequenceId><p:SequenceId>1</p:SequenceId>`, ""), "", Limits{})
	require.NoError(t, err, "these may be there more than once")
	require.Equal(t, "y", m.RelatesTo)
}

// A header for another role is as if it were not there.
func TestRoles(t *testing.T) {
	for role, ours := range map[string]bool{
		"": true, wsman.NSSOAP + "/role/next": true, " " + wsman.NSSOAP + "/role/ultimateReceiver ": true,
		wsman.NSSOAP + "/role/none": false, "urn:proxy": false, "http://schemas.xmlsoap.org/soap/actor/next": false,
	} {
		at := ` s:mustUnderstand="true" s:role="` + role + `"`
		m, err := Decode(envelope(`<a:Action`+at+`>x</a:Action><q:X xmlns:q="urn:q"`+at+`/>`, ""), "", Limits{})
		require.NoError(t, err)
		require.Equal(t, ours, m.Action == "x", role)
		require.Equal(t, ours, len(m.NotUnderstood) == 1, role)
	}
	twice := `<a:Action>x</a:Action><a:Action s:role="urn:proxy">y</a:Action>`
	m, err := Decode(envelope(twice, ""), "", Limits{})
	require.NoError(t, err)
	require.Equal(t, "x", m.Action)
}

// The version of WS-Addressing is that of the first header of either; headers of
// the other one are unknown.
func TestAddressingVersions(t *testing.T) {
	v10 := func(headers string) *Message {
		m, err := Decode([]byte(strings.Replace(string(envelope(headers, "")), wsman.NSAddressing, wsman.NSAddressing10, 1)), "", Limits{})
		require.NoError(t, err)
		return m
	}
	m := v10(`<a:Action>x</a:Action><a:ReplyTo><a:Address>r</a:Address></a:ReplyTo><a:MessageID s:mustUnderstand="1">i</a:MessageID>`)
	require.Equal(t, wsman.NSAddressing10, m.Addressing)
	require.Equal(t, []string{"x", "r", "i"}, []string{m.Action, m.ReplyTo, m.MessageID})
	require.Empty(t, m.NotUnderstood)
	m = v10(`<a:Action>x</a:Action><o:Action xmlns:o="` + wsman.NSAddressing + `">y</o:Action><o:To xmlns:o="` + wsman.NSAddressing + `" s:mustUnderstand="1">y</o:To>`)
	require.Equal(t, "x", m.Action)
	require.Equal(t, []wsman.QName{{Space: wsman.NSAddressing, Local: "To"}}, m.NotUnderstood)
	old, err := Decode(envelope(`<a:Action>x</a:Action>`, ""), "", Limits{})
	require.NoError(t, err)
	require.Equal(t, wsman.NSAddressing, old.Addressing)
}

// The list of what was not understood is short, however many there are.
func TestManyHeadersNotUnderstood(t *testing.T) {
	long := `<q:` + strings.Repeat("x", 1000) + ` xmlns:q="urn:q" s:mustUnderstand="1"/>`
	m, err := Decode(envelope(`<q:X xmlns:q="urn:q" s:mustUnderstand="1"/>`+strings.Repeat(long, 100)+strings.Repeat(`<q:Y xmlns:q="urn:q" s:mustUnderstand="1"/>`, 1000), ""), "", Limits{})
	require.NoError(t, err)
	require.Len(t, m.NotUnderstood, maxMisunderstood)
	require.Equal(t, "Y", m.NotUnderstood[1].Local)
	m, err = Decode(envelope(long, ""), "", Limits{})
	require.NoError(t, err)
	require.Len(t, m.NotUnderstood, 1, "one at least, to be refused")
}

func TestWindowsHeadersNotUnderstood(t *testing.T) {
	m, err := Decode(envelope(`<p:SessionId s:mustUnderstand="1"/><p:ActivityId s:mustUnderstand="true"/><p:DataLocale xml:lang="de" s:mustUnderstand="true"/><p:Shell s:mustUnderstand="true"/><p:Other/>`, ""), "", Limits{})
	require.NoError(t, err)
	require.Equal(t, []wsman.QName{{Space: wsman.NSMicrosoft, Local: "Shell"}}, m.NotUnderstood)
}

func TestSizesAndOptions(t *testing.T) {
	for text, want := range map[string]int64{"512000": 512000, " +8192 ": 8192, "0008192": 8192, "99999999999999999999999": math.MaxInt64} {
		m, err := Decode(envelope(`<w:MaxEnvelopeSize Policy="Skip">`+text+`</w:MaxEnvelopeSize>`, ""), "", Limits{})
		require.NoError(t, err, text)
		require.Equal(t, want, m.MaxEnvelopeSize)
		require.Equal(t, "Skip", m.EnvelopePolicy)
	}
	for _, text := range []string{"", "0", "-1", "-99999999999999999999999", "0x2000", "8192.0", "8 192"} {
		_, err := Decode(envelope(`<w:MaxEnvelopeSize>`+text+`</w:MaxEnvelopeSize>`, ""), "", Limits{})
		require.ErrorContains(t, err, "MaxEnvelopeSize", text)
	}
	m, err := Decode(envelope(`<w:RequestEPR/><w:OptionSet><w:Option Name=" a " MustComply=" TRUE ">1</w:Option><w:Option Name="b"/></w:OptionSet>`, ""), "", Limits{})
	require.NoError(t, err)
	require.True(t, m.RequestEPR)
	require.Equal(t, []Option{{Name: "a", Value: "1", MustComply: true}, {Name: "b"}}, m.Options)
}

func TestParseTimeout(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"PT60.000S": time.Minute, "P1DT1H": 25 * time.Hour, "P1Y": 365 * 24 * time.Hour, " P1Y2M3DT4H5M6.5S ": (365+60+3)*24*time.Hour + 4*time.Hour + 5*time.Minute + 6500*time.Millisecond,
		"P2M": 60 * 24 * time.Hour, "PT2M": 2 * time.Minute, "PT99999999999999999999S": math.MaxInt64, "P99999Y": math.MaxInt64, "P0Y": 0,
		"P" + strings.Repeat("9", 90) + "YT1S": math.MaxInt64,
	} {
		d, ok := ParseTimeout(text)
		require.True(t, ok, text)
		require.Equal(t, want, d, text)
	}
	for _, text := range []string{
		"", "60", "P", "PT", "P1", "P1YT", "-PT1S", "-P1Y", "+P1Y", "P1M1Y", "P1Y1Y", "P1S", "PT1Y", "P1.5Y", "P1YT1.5M", "P1YT.5S", "P1YT5.S", "P1YT1.2.3S", "P1e9Y", "PinfY", "PNaNY",
		"P1Y " + strings.Repeat("9", 200) + "D", "2026-11-22T10:00:00Z", "19990101000000.000000+000", "p1y",
	} {
		_, ok := ParseTimeout(text)
		require.False(t, ok, text)
	}
}

func FuzzTimeout(f *testing.F) {
	for _, s := range []string{"P1Y2M3DT4H5M6.5S", "PT60.000S", "P1Y", "P1YT", "-P1Y", "P99999999999999Y"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, ok := ParseTimeout(s)
		require.GreaterOrEqual(t, d, time.Duration(0))
		plain, plainOK := ParseDuration(s)
		if plainOK {
			require.True(t, ok)
			require.Equal(t, plain, d)
		}
	})
}
