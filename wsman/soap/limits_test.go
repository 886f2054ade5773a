package soap

import (
	"bytes"
	"errors"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/wsman"
)

const nastySize = 10 << 20

// nasty makes inputs of 10 MB that are well-formed, or nearly, and against one
// limit each.
func nasty() map[string]func() []byte {
	units := map[string][3]string{ // before, over and over, after
		"deep":          {"", "<a>", ""},
		"deep in names": {"", `<a xmlns:b="urn:b">`, ""},
		"wide":          {"", "<a/>", ""},
		"comments":      {"", "<!---->", ""},
		"CDATA":         {"", "<![CDATA[]]>", ""},
		"attributes":    {"<a", ` b="c"`, "/>"},
		"one attribute": {`<a b="`, "c", `"/>`},
		"text":          {"<a>", "text ", "</a>"},
		"CDATA text":    {"<a><![CDATA[", "text ", "]]></a>"},
		"selectors":     {"<w:SelectorSet>", `<w:Selector Name="a">b</w:Selector>`, "</w:SelectorSet>"},
		"open tag":      {"<a ", "b", ""},
		"open comment":  {"<!--", "-", ""},
		"open quotes":   {"<a b=", `"`, ""},
		"end tags":      {"", "</a>", ""},
		"entities":      {"", "&x;", ""},
		"brackets":      {"", "<", ""},
	}
	all := map[string]func() []byte{"namespaces": manyNamespaces}
	for name, u := range units {
		all[name] = func() []byte {
			return envelope("", u[0]+strings.Repeat(u[1], nastySize/len(u[1]))+u[2])
		}
	}
	return all
}

// manyNamespaces is an element with hundreds of thousands of declarations.
func manyNamespaces() []byte {
	out := []byte("<a")
	for i := int64(0); len(out) < nastySize; i++ {
		out = strconv.AppendInt(append(out, " xmlns:n"...), i, 10)
		out = strconv.AppendInt(append(out, `="urn:`...), i, 10)
		out = append(out, '"')
	}
	return append(out, "/>"...)
}

// Whatever is against a limit is refused before a tree is built: the number of
// allocations does not grow with the input.
func TestNastyInputsCostNothing(t *testing.T) {
	for name, input := range nasty() {
		data := input()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Decode(data, "", Limits{Bytes: 2 * nastySize})
		runtime.ReadMemStats(&after)
		_, ok := errors.AsType[*wsman.Fault](err)
		require.True(t, ok, name)
		require.Less(t, after.Mallocs-before.Mallocs, uint64(200), name)
	}
}

func TestLimitsAreExact(t *testing.T) {
	nest := func(n int) string { return strings.Repeat("<a>", n) + strings.Repeat("</a>", n) }
	for name, c := range map[string]struct {
		limit Limits
		fits  string
		not   string
	}{
		"depth":          {Limits{Depth: 7}, nest(5), nest(6)}, // within Envelope and Body
		"elements":       {Limits{Elements: 8}, "<a>" + strings.Repeat("<a></a>", 4) + "</a>", "<a>" + strings.Repeat("<a/>", 5) + "</a>"},
		"attributes":     {Limits{Attributes: 4}, `<a b="" c='' d="" e=">"/>`, `<a b="" c="" d="" e="" f=""/>`},
		"text":           {Limits{TextLen: 100}, "<a>" + strings.Repeat("x", 100) + "</a>", "<a>" + strings.Repeat("x", 101) + "</a>"},
		"attribute text": {Limits{TextLen: 100}, `<a b="` + strings.Repeat("x", 100) + `"/>`, `<a b="` + strings.Repeat("x", 101) + `"/>`},
		"name":           {Limits{}, "<" + strings.Repeat("n", maxName) + "/>", "<" + strings.Repeat("n", maxName+1) + "/>"},
		"attribute name": {Limits{}, "<a " + strings.Repeat("n", maxName) + `="x"/>`, "<a " + strings.Repeat("n", maxName+1) + `="x"/>`},
	} {
		_, err := Decode(envelope("", c.fits), "", c.limit)
		require.NoError(t, err, name)
		_, err = Decode(envelope("", c.not), "", c.limit)
		f, ok := errors.AsType[*wsman.Fault](err)
		require.True(t, ok, name)
		require.Equal(t, "EncodingLimit", f.Subcode.Local, name)
		require.NotErrorIs(t, err, ErrNotSOAP, name)
	}
	data := envelope("", "")
	_, err := Decode(data, "", Limits{Bytes: len(data)})
	require.NoError(t, err)
	_, err = Decode(data, "", Limits{Bytes: len(data) - 1})
	require.ErrorContains(t, err, "the limit is")
	_, err = Parse(data, Limits{Bytes: len(data) - 1})
	require.ErrorContains(t, err, "the limit is")
}

// What looks like markup inside quotes, comments and CDATA is not.
func TestScanSeesTheSameAsTheParser(t *testing.T) {
	for _, body := range []string{
		`<a b="x>y" c='"'/>`, `<a b='&lt;'>&gt;</a>`, `<!-- <a> " > --><a/>`, `<a><![CDATA[<b> ]] > <!DOCTYPE x>]]></a>`, "<a\n\tb = 'c'\n/>", `<a ></a >`,
	} {
		m, err := Decode(envelope("", body), "", Limits{Depth: 3, Elements: 5})
		require.NoError(t, err, body)
		require.Equal(t, "a", m.Body.Tag, body)
	}
}

func TestEncodings(t *testing.T) {
	text := envelope("<a:MessageID>uuid:é€𝄞</a:MessageID>", "")
	for _, enc := range []Encoding{UTF8, UTF16LE, UTF16BE} {
		data := enc.Encode(text)
		for _, contentType := range []string{enc.ContentType(), "", "application/soap+xml", `application/soap+xml; charset="utf-8"`, "bad; ;"} {
			m, err := Decode(data, contentType, Limits{})
			require.NoError(t, err, "%d %s", enc, contentType)
			require.Equal(t, enc, m.Encoding)
			require.Equal(t, "uuid:é€𝄞", m.MessageID)
		}
		if enc != UTF8 {
			require.Equal(t, 2*len([]rune(string(text)))+2+2, len(data), "a mark, and a pair for the clef")
			m, err := Decode(data[2:], enc.ContentType(), Limits{})
			require.NoError(t, err, "without a mark")
			require.Equal(t, enc, m.Encoding)
		}
	}
	m, err := Decode(append([]byte("\uFEFF"), text...), "", Limits{})
	require.NoError(t, err)
	require.Equal(t, UTF8, m.Encoding)
	declared := UTF16LE.Encode(append([]byte(`<?xml version="1.0" encoding="utf-16"?>`), text...))
	_, err = Decode(declared, "", Limits{})
	require.NoError(t, err)
}

func TestWrongEncodings(t *testing.T) {
	utf16 := UTF16LE.Encode(envelope("", ""))
	for name, c := range map[string]struct {
		data        []byte
		contentType string
	}{
		"latin 1 header": {envelope("", ""), "application/soap+xml;charset=ISO-8859-1"},
		"odd":            {utf16[:len(utf16)-1], ""},
		"half a pair":    {append(bytes.Clone(utf16), 0x34, 0xD8), ""},
		"wrong pair":     {append(bytes.Clone(utf16), 0x34, 0xD8, 0x34, 0xD8), ""},
		"low first":      {append(bytes.Clone(utf16), 0x1E, 0xDD, 0x20, 0x00), ""},
	} {
		_, err := Decode(c.data, c.contentType, Limits{})
		f, ok := errors.AsType[*wsman.Fault](err)
		require.True(t, ok, name)
		require.Equal(t, uint32(0x8033804C), f.WSManCode, name)
	}
}
