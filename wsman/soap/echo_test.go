package soap

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/wsman"
)

func replyTo(parameters string) string {
	return `<a:ReplyTo><a:Address>x</a:Address><a:ReferenceParameters>` + parameters + `</a:ReferenceParameters></a:ReplyTo>`
}

// Reference parameters come back as headers of the answer, as they were.
func TestEcho(t *testing.T) {
	const params = `<q:X xmlns:q="urn:q" q:k="1&amp;2" l="3">a<q:Y>p:b</q:Y>c<Z xmlns="urn:z"/></q:X><p:Two s:mustUnderstand="true"/>`
	for _, version := range []string{wsman.NSAddressing, wsman.NSAddressing10} {
		data := strings.Replace(string(envelope(replyTo(params), "")), wsman.NSAddressing, version, 1)
		m, err := Decode([]byte(data), "", Limits{})
		require.NoError(t, err)
		echo, err := m.Echo("ReplyTo")
		require.NoError(t, err)
		var w Writer
		WriteEnvelope(&w, ResponseHeader{Action: "x", MessageID: "y", Addressing: version, Echo: echo}, nil)
		requireWellFormed(t, w.Bytes())
		again, err := Decode(w.Bytes(), "", Limits{Attributes: 40})
		require.NoError(t, err, "%s", w.Bytes())
		require.Equal(t, version, again.Addressing)
		x := Child(again.Header, "urn:q", "X")
		require.Equal(t, "ac", Text(x))
		k, _ := Attr(x, "urn:q", "k")
		require.Equal(t, "1&2", k)
		require.Equal(t, "p:b", ChildText(x, "urn:q", "Y"))
		ns, _ := Namespace(Child(x, "", "Z"))
		require.Equal(t, "urn:z", ns)
		require.Equal(t, []wsman.QName{{Space: wsman.NSMicrosoft, Local: "Two"}}, again.NotUnderstood, "in its namespace, with its attributes")
		marked, _ := Attr(x, wsman.NSAddressing10, "IsReferenceParameter")
		require.Equal(t, version == wsman.NSAddressing10, marked == "true")
		none, err := m.Echo("FaultTo")
		require.NoError(t, err)
		require.Empty(t, none)
	}
}

func TestEchoRefuses(t *testing.T) {
	for _, params := range []string{
		`<u:X/>`, `<X u:k="1"/>`, `<X><u:Y/></X>`, `<X>` + strings.Repeat("x", maxEcho) + `</X>`, strings.Repeat(`<X/>`, maxEcho), `<X k="` + strings.Repeat("&lt;", maxEcho/4) + `"/>`,
	} {
		m, err := Decode(envelope(replyTo(params), ""), "", Limits{})
		require.NoError(t, err)
		_, err = m.Echo("ReplyTo")
		require.ErrorContains(t, err, "ReplyTo")
	}
}

func FuzzEcho(f *testing.F) {
	f.Add(`<q:X xmlns:q="urn:q" q:k="1">a</q:X>`)
	f.Add(`<X xmlns="urn:a" xmlns:a="urn:b" a:IsReferenceParameter="true"/><a_:Y xmlns:a_="urn:c"/>`)
	f.Fuzz(func(t *testing.T, params string) {
		m, err := Decode([]byte(strings.Replace(string(envelope(replyTo(params), "")), wsman.NSAddressing, wsman.NSAddressing10, 1)), "", Limits{})
		if err != nil {
			return
		}
		echo, err := m.Echo("ReplyTo")
		if err != nil {
			return
		}
		var w Writer
		WriteEnvelope(&w, ResponseHeader{Action: "x", Addressing: m.Addressing, Echo: echo}, nil)
		again, err := Decode(w.Bytes(), "", Limits{Bytes: 1 << 20, Attributes: 1000})
		require.NotNil(t, again.Header, "%s: %v", w.Bytes(), err)
	})
}
