package conformance

import (
	"encoding/base64"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

const dmtf = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/"

// party asks the site in its own words: those of DSP0226's examples.
type party struct {
	*site
	sent *atomic.Int64
}

// question is a request. The headers of DSP0226 section 6 have values that the
// workshop used where it has none.
type question struct {
	action, resource string
	selectors        string // w:Selector elements
	timeout, size    string
	headers, body    string
}

func (q question) envelope(url, id string) string {
	var b strings.Builder
	b.WriteString(`<s:Envelope xmlns:s="` + spaces["s"] + `" xmlns:a="` + spaces["addressing"] + `" xmlns:w="` + spaces["wsman"] + `" xmlns:n="` + spaces["enumeration"] + `" xmlns:e="` + spaces["eventing"] + `"><s:Header>`)
	fmt.Fprintf(&b, `<a:To>%s</a:To><a:ReplyTo><a:Address>%s</a:Address></a:ReplyTo><a:MessageID>%s</a:MessageID><a:Action>%s</a:Action>`, url, anonymous, id, uri(q.action))
	fmt.Fprintf(&b, `<w:ResourceURI>%s</w:ResourceURI>`, q.resource)
	if q.selectors != "" {
		b.WriteString("<w:SelectorSet>" + q.selectors + "</w:SelectorSet>")
	}
	fmt.Fprintf(&b, `<w:OperationTimeout>%s</w:OperationTimeout>`, or(q.timeout, "P0Y0M0DT0H0M60.000S"))
	fmt.Fprintf(&b, `<w:MaxEnvelopeSize s:mustUnderstand="true">%s</w:MaxEnvelopeSize><w:Locale xml:lang="en-US" s:mustUnderstand="false"/>`, or(q.size, "153600"))
	b.WriteString(q.headers + "</s:Header><s:Body>" + q.body + "</s:Body></s:Envelope>")
	return b.String()
}

func or(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}

// ask sends a question and checks the manners of its answer.
func (p *party) ask(t *testing.T, q question) answer {
	t.Helper()
	id := fmt.Sprintf("uuid:0f0e0d0c-0000-4000-8000-%012x", p.sent.Add(1))
	a := p.send(t, q.envelope(p.URL(), id))
	require.NotEmpty(t, a.head().text("RelatesTo"), string(a.raw))
	manners(t, sent{action: uri(q.action), messageID: id}, a)
	return a
}

// send posts an envelope as the administrator.
func (p *party) send(t *testing.T, text string) answer {
	t.Helper()
	login := base64.StdEncoding.EncodeToString([]byte("admin:" + p.d.Password()))
	a := exchange(t, p.Address(), post{target: "/wsman", text: text, lines: []string{
		"Host: " + p.Address(), "Authorization: Basic " + login, "Content-Type: application/soap+xml;charset=UTF-8", "Content-Length: LENGTH",
	}})
	a.parse(t, false)
	return a
}

// ok is the body of an answer that must be no fault.
func (p *party) ok(t *testing.T, q question) node {
	t.Helper()
	a := p.ask(t, q)
	require.Equal(t, 200, a.status, string(a.raw))
	return a.body()
}

// refused checks that the answer is this fault: the code of SOAP, the subcode, and
// the detail of DSP0226 if there is one.
func (p *party) refused(t *testing.T, q question, code, subcode, detail string) {
	t.Helper()
	a := p.ask(t, q)
	require.Equal(t, 500, a.status, string(a.raw))
	require.Equal(t, code, local(a.body().text("Fault/Code/Value")), string(a.raw))
	space, name := a.subcode()
	prefix, want, _ := strings.Cut(subcode, ":")
	require.Equal(t, want, name, string(a.raw))
	require.Equal(t, spaces[prefix], space)
	if detail != "" {
		detail = wsmanBase + "faultDetail/" + detail
	}
	require.Equal(t, detail, a.envelope.text("FaultDetail"))
}

// local is a qualified name without its prefix.
func local(name string) string { return name[strings.IndexByte(name, ':')+1:] }

// selector is one selector.
func selector(name, value string) string {
	return fmt.Sprintf(`<w:Selector Name="%s">%s</w:Selector>`, name, value)
}

// volumeSelectors are the keys of a volume.
func (p *party) volumeSelectors(t *testing.T, name string) string {
	t.Helper()
	v, err := p.Volume(name)
	require.NoError(t, err)
	return selector("SystemCreationClassName", "TWINLUN_ComputerSystem") + selector("SystemName", v.System) +
		selector("CreationClassName", "TWINLUN_StorageVolume") + selector("DeviceID", v.Device)
}
