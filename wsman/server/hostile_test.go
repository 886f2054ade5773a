package server

import (
	"bytes"
	"fmt"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/wsman"
	"twinlun/wsman/soap"
)

// hostile makes messages of about size bytes, of one kind each: something over and
// over, in the header or in the body.
func hostile() map[string]func(size int) []byte {
	header := func(before, unit, after string) func(int) []byte {
		return func(size int) []byte {
			m := getVolume("V0")
			m.headers = before + strings.Repeat(unit, size/len(unit)) + after
			return []byte(m.windows())
		}
	}
	body := func(before, unit, after string) func(int) []byte {
		return func(size int) []byte {
			m := invoke(serviceURI, "Replicate", "")
			m.body = before + strings.Repeat(unit, size/len(unit)) + after
			return []byte(m.windows())
		}
	}
	prolog := func(text string) func(int) []byte {
		return func(size int) []byte {
			return []byte(text + getVolume("V0").windows() + strings.Repeat(" ", max(0, size-len(text))))
		}
	}
	nested := func(open, shut string) func(int) []byte {
		return func(size int) []byte {
			n := size / (len(open) + len(shut))
			return body(strings.Repeat(open, n), "x", strings.Repeat(shut, n))(1)
		}
	}
	numbered := func(format string) func(int) []byte {
		return func(size int) []byte {
			var b strings.Builder
			for i := 0; b.Len() < size; i++ {
				fmt.Fprintf(&b, format, i)
			}
			return body("<a "+b.String()+">", "x", "</a>")(1)
		}
	}
	return map[string]func(int) []byte{
		"nesting":             nested("<a>", "</a>"),
		"nesting never ends":  body("", "<a>", ""),
		"nested namespaces":   nested(`<p:a xmlns:p="urn:p">`, "</p:a>"),
		"nested instances":    nested(`<p:Setting xmlns:p="urn:p" xsi:type="p:T_Setting_Type">`, "</p:Setting>"),
		"nested EPRs":         header(`<w:SelectorSet>`, `<w:Selector Name="a"><a:EndpointReference><a:ReferenceParameters><w:ResourceURI>u</w:ResourceURI><w:SelectorSet>`, ""),
		"attributes":          numbered(`a%d="" `),
		"same attribute":      body("<a", ` b=""`, "/>"),
		"namespaces":          numbered(`xmlns:n%d="urn:n" `),
		"long attribute":      body(`<a b="`, "x", `"/>`),
		"text":                body("<a>", "text ", "</a>"),
		"references":          body("<a>", "&#65;", "</a>"),
		"comments":            body("", "<!-- -->", ""),
		"one comment":         body("<!--", "x", "-->"),
		"hyphens":             body("<!--", "- ", "-->"),
		"instructions":        body("", "<?x y?>", ""),
		"one instruction":     body("<?x ", "y", "?>"),
		"CDATA":               body("<a>", "<![CDATA[x]]>", "</a>"),
		"one CDATA":           body("<a><![CDATA[", "]]", "]]></a>"),
		"CDATA never ends":    body("<a>", "<![CDATA[", ""),
		"selectors":           header("<w:SelectorSet>", `<w:Selector Name="a">b</w:Selector>`, "</w:SelectorSet>"),
		"selector sets":       header("", `<w:SelectorSet/>`, ""),
		"options":             header("<w:OptionSet>", `<w:Option Name="a" MustComply="true">b</w:Option>`, "</w:OptionSet>"),
		"unknown headers":     header("", `<q:X xmlns:q="urn:q" s:mustUnderstand="true"/>`, ""),
		"repeated headers":    header("", `<a:RelatesTo>x</a:RelatesTo>`, ""),
		"long id":             header("<a:MessageID>", "x", "</a:MessageID>"),
		"long element name":   body("<", "x", "/>"),
		"long prefix":         body("<", "x", ":a/>"),
		"long attribute name": body("<a ", "x", `=""/>`),
		"arguments":           body(`<p:Replicate_INPUT xmlns:p="`+serviceURI+`">`, `<p:ElementNames>x</p:ElementNames>`, `</p:Replicate_INPUT>`),
		"DOCTYPE":             prolog(`<!DOCTYPE a SYSTEM "http://127.0.0.1:1/x">`),
		"external entity":     prolog(`<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]>`),
		"billion laughs":      prolog(`<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>`),
		"entity":              body("<a>", "&lol;", "</a>"),
		"brackets":            body("", "<", ""),
		"quotes":              body("<a b=", `"`, ""),
		"end tags":            body("", "</a>", ""),
		"zeros":               func(size int) []byte { return make([]byte, size) },
		"surrogates":          func(size int) []byte { return append([]byte("\xFF\xFE"), bytes.Repeat([]byte{0x00, 0xD8}, size/2)...) },
		"pairs": func(size int) []byte {
			return append([]byte("\xFF\xFE"), bytes.Repeat([]byte{0x34, 0xD8, 0x1E, 0xDD}, size/4)...)
		},
		"UTF-16 nesting": func(size int) []byte { return soap.UTF16LE.Encode(body("", "<a>", "")(size / 2)) },
		"UTF-16 text":    func(size int) []byte { return soap.UTF16BE.Encode(body("<a>", "é", "</a>")(size / 2)) },
		"not UTF-8":      body("<a>", "\xe9", "</a>"),
		"blanks":         func(size int) []byte { return bytes.Repeat([]byte(" "), size) },
	}
}

// spent is what f allocated, in bytes and in pieces.
func spent(f func()) (size, pieces uint64) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc, after.Mallocs - before.Mallocs
}

// Ten megabytes of anything are refused, nothing else is done, and what that costs
// is in proportion to the size: there is no square in it. The limit of the body is
// raised here, so that it is not what refuses.
func TestHostileMessages(t *testing.T) {
	small, large := 1<<20, 10<<20
	if raceDetector {
		large = 2 << 20 // there is nothing here to race
	}
	w := newWorld(t, func(c *Config) { c.Limits.Body = 2 * large }).withVolumes(1).withService(&cim.Reply{Return: uint64(0)}, nil)
	refused := func(name string, data []byte) (size, pieces uint64) {
		r := httpRequest(string(data))
		size, pieces = spent(func() {
			rec := w.serve(t, r)
			require.Contains(t, []int{http.StatusBadRequest, http.StatusInternalServerError}, rec.Code, name)
			require.Less(t, rec.Body.Len(), 64<<10, name)
			m, err := soap.Decode(rec.Body.Bytes(), rec.Header().Get("Content-Type"), soap.Limits{})
			require.NoError(t, err, name)
			require.True(t, soap.Is(m.Body, wsman.NSSOAP, "Fault"), name)
		})
		return size, pieces
	}
	for name, make := range hostile() {
		_, some := refused(name, make(small))
		size, pieces := refused(name, make(large))
		require.Less(t, size, uint64(8*large+1<<20), name)
		require.LessOrEqual(t, pieces, 2*some+5000, name)
	}
	require.Empty(t, w.broker.calls)
	require.Empty(t, w.audits.lines(t), "nothing was called")
}

// At the limits, the work is in proportion too.
func TestWorkAtTheLimits(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Limits.Elements = 1 << 20 }).withVolumes(1).withService(&cim.Reply{Return: uint64(0)}, nil)
	cost := func(n int) (size, pieces uint64) {
		var args strings.Builder
		for i := range n {
			args.WriteString(`<p:ElementNames>` + strconv.Itoa(i) + `</p:ElementNames>`)
		}
		r := httpRequest(invoke(serviceURI, "Replicate", args.String()).windows())
		return spent(func() { require.Equal(t, 200, w.serve(t, r).Code) })
	}
	cost(10)
	size, pieces := cost(1000)
	size10, pieces10 := cost(10000)
	require.Less(t, size10, 15*size)
	require.Less(t, pieces10, 15*pieces)
}
