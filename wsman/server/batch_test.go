package server

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/wsman"
	"twinlun/wsman/soap"
)

const wantsEstimate = `<w:RequestTotalItemsCountEstimate s:mustUnderstand="true" xmlns:w="` + wsman.NSWSMan + `"/>`

// estimate is the header of an answer, and whether it is NULL.
func (r reply) estimate() (text string, isNil, there bool) {
	e := soap.Child(r.Header, wsman.NSWSMan, "TotalItemsCountEstimate")
	if e == nil {
		return "", false, false
	}
	return soap.Text(e), soap.IsNil(e), true
}

func TestTotalItemsCountEstimate(t *testing.T) {
	w := newWorld(t).withPairs().queries("select volumes", "T_Volume")
	all := `<w:OptimizeEnumeration/><w:MaxElements>1</w:MaxElements>`
	tests := map[string]struct {
		m    message
		want string // empty: NULL
	}{
		"instances":  {enumerate(volumeURI, ""), "4"},
		"optimized":  {enumerate(volumeURI, all), "4"},
		"base":       {enumerate(volumeURI, all+`<b:PolymorphismMode>ExcludeSubClassProperties</b:PolymorphismMode>`), "4"},
		"classes":    {enumerate(wsman.SchemaURI, all), "7"},
		"query":      {enumerate(volumeURI, all+`<w:Filter Dialect="`+wsman.DialectWQL+`">select volumes</w:Filter>`), ""},
		"selectors":  {enumerate(volumeURI, all+`<w:Filter Dialect="`+wsman.DialectSelector+`"><w:SelectorSet/></w:Filter>`), ""},
		"XPath":      {enumerate(volumeURI, all+`<w:Filter>DeviceID</w:Filter>`), ""},
		"associated": {enumerate(wsman.AllClassesURI, strings.Replace(association("AssociatedInstances", ""), "32000", "1", 1)), ""},
	}
	for name, tt := range tests {
		for family, write := range families() {
			t.Run(name+"/"+family, func(t *testing.T) {
				_, _, there := w.ok(t, write(tt.m)).estimate()
				require.False(t, there, "nobody asked")
				m := tt.m
				m.headers = wantsEstimate
				r := w.ok(t, write(m))
				p := pull(m.uri, r.context(), "")
				p.headers = wantsEstimate
				for _, r := range []reply{r, w.ok(t, write(p))} {
					text, isNil, there := r.estimate()
					require.True(t, there)
					require.Equal(t, tt.want, text)
					require.Equal(t, tt.want == "", isNil)
				}
				w.contexts.closeAll()
			})
		}
	}
	w.broker.uncounted = true
	m := enumerate(volumeURI, "")
	m.headers = wantsEstimate
	_, isNil, there := w.ok(t, m.windows()).estimate()
	require.True(t, there && isNil, "the broker does not know")
}

// MaxCharacters bounds the items of a Pull; nothing is lost or sent twice.
func TestMaxCharacters(t *testing.T) {
	w := newWorld(t).withVolumes(30)
	whole := w.ok(t, enumerate(volumeURI, `<w:OptimizeEnumeration/><w:MaxElements>99</w:MaxElements>`).windows())
	size := len(whole.text) / 24 // more than the largest
	for _, most := range []int{size, 3 * size, 7 * size, 100 * size} {
		inner := fmt.Sprintf(`<n:MaxElements>99</n:MaxElements><n:MaxCharacters>%d</n:MaxCharacters>`, most)
		var all []string
		batches := w.walk(t, message.windows, enumerate(volumeURI, ""), inner)
		for _, b := range batches {
			require.LessOrEqual(t, len(b), most/(size/2))
			all = append(all, b...)
		}
		require.Len(t, all, 30)
		if most < 30*size/2 {
			require.Greater(t, len(batches), 2)
		}
	}
}

// It counts characters, not bytes.
func TestMaxCharactersAreCharacters(t *testing.T) {
	w := newWorld(t)
	w.broker.put("T_Volume", "SystemName", "host", "DeviceID", strings.Repeat("ü", 5000))
	id := w.ok(t, enumerate(volumeURI, "").windows()).context()
	r := w.fails(t, pull(volumeURI, id, `<n:MaxCharacters>5000</n:MaxCharacters>`).windows(), "w:EncodingLimit")
	require.Contains(t, r.reason(), "MaxCharacters")
	require.Len(t, w.ok(t, pull(volumeURI, id, `<n:MaxCharacters>6000</n:MaxCharacters>`).windows()).items(), 1, "the client may allow more")
}

// An item that is too large does not go away, however often it is asked for, and
// those before it are not lost.
func TestItemTooLargeIsNotSkipped(t *testing.T) {
	w := newWorld(t).withVolumes(2)
	w.broker.put("T_Volume", "SystemName", "host", "DeviceID", strings.Repeat("x", 9000))
	w.broker.put("T_Volume", "SystemName", "host", "DeviceID", "last")
	id := w.ok(t, enumerate(volumeURI, "").windows()).context()
	p := pull(volumeURI, id, `<n:MaxElements>9</n:MaxElements>`)
	p.maxSize = 8192
	require.Equal(t, []string{"T_Volume V0", "T_Volume V1"}, w.ok(t, p.windows()).tags(t))
	for range 3 {
		require.Equal(t, wsman.DetailMaxEnvelopeExceeded, w.fails(t, p.windows(), "w:EncodingLimit").faultDetail())
	}
	p.maxSize = 100000
	r := w.ok(t, p.windows())
	require.Len(t, r.items(), 2)
	require.True(t, r.ended())
}

// A client that tells NULL arrays from empty ones is helped to in items too.
func TestPreciseArraysInItems(t *testing.T) {
	w := newWorld(t)
	w.broker.put("T_Volume", "SystemName", "host", "DeviceID", "V0")
	m := enumerate(volumeURI, `<w:OptimizeEnumeration/>`)
	require.Contains(t, w.ok(t, m.windows()).text, `<p:OperationalStatus xsi:nil="true" msftwinrm:IsNullArray="true"/>`)
	require.NotContains(t, w.ok(t, m.omi()).text, "IsNullArray")
}
