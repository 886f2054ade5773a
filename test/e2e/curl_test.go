package e2e

import (
	"bytes"
	"encoding/binary"
	"encoding/xml"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"text/template"
	"unicode/utf16"

	"github.com/stretchr/testify/require"

	"twinlun/test/system"
)

// curl sends envelopes as a family of clients writes them.
type curl struct {
	*lab
	program   string
	templates *template.Template
	family    string
	sent      int
}

// The families: file of the envelope, prefix of class URIs, User-Agent.
var families = []struct{ name, prefix, agent string }{
	{"powershell", "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/", "Microsoft WinRM Client"},
	{"winrm", "http://schemas.microsoft.com/wbem/wsman/1/wmi/root/cimv2/storage/iscsitarget/", "Microsoft WinRM Client"},
	{"openwsman", "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/", "openwsman 2.6.5"},
	{"omi", "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/", ""},
}

func newCurl(t *testing.T, l *lab) *curl {
	t.Helper()
	return &curl{lab: l.in(t), program: system.Tool(t, "curl", "curl"), templates: template.Must(template.ParseGlob("testdata/envelopes/*.xml")), family: "powershell"}
}

// as is the same for a subtest, as another family.
func (c *curl) as(t *testing.T, family string) *curl {
	return &curl{lab: c.in(t), program: c.program, templates: c.templates, family: family}
}

// selector is one key.
type selector struct{ Name, Value string }

// message is a request; the class names a resource of the family unless it is a URI.
type message struct {
	action    string // a method of the class unless it is a URI
	class     string
	selectors []selector
	body      string
}

// answer is what came back.
type answer struct {
	status      int
	connections int
	header      string
	raw         []byte
	envelope    node
}

// node is an element, read by a parser that is not ours.
type node struct {
	XMLName xml.Name
	Attrs   []xml.Attr `xml:",any,attr"`
	Text    string     `xml:",chardata"`
	Nodes   []node     `xml:",any"`
}

// all are the elements of a name at any depth, in the order of the document.
func (n node) all(local string) []node {
	var found []node
	for _, c := range n.Nodes {
		if c.XMLName.Local == local {
			found = append(found, c)
		}
		found = append(found, c.all(local)...)
	}
	return found
}

// text is that of the first element of a name, or "".
func (n node) text(local string) string {
	if found := n.all(local); len(found) > 0 {
		return strings.TrimSpace(found[0].Text)
	}
	return ""
}

func (n node) child(local string) node {
	for _, c := range n.Nodes {
		if c.XMLName.Local == local {
			return c
		}
	}
	return node{}
}

const (
	uriEnumerate = "http://schemas.xmlsoap.org/ws/2004/09/enumeration/Enumerate"
	uriPull      = "http://schemas.xmlsoap.org/ws/2004/09/enumeration/Pull"
	uriRelease   = "http://schemas.xmlsoap.org/ws/2004/09/enumeration/Release"
	uriTransfer  = "http://schemas.xmlsoap.org/ws/2004/09/transfer/"
	uriGet       = uriTransfer + "Get"
	uriAll       = "http://schemas.dmtf.org/wbem/wscim/1/*"
	uriSchema    = "http://schemas.dmtf.org/wbem/cim-xml/2/cim-schema/2/*"
)

func (c *curl) prefix() string {
	for _, f := range families {
		if f.name == c.family {
			return f.prefix
		}
	}
	return ""
}

// uri is the resource URI of a class.
func (c *curl) uri(class string) string {
	if strings.Contains(class, "/") {
		return class
	}
	return c.prefix() + class
}

// envelope is a message as the family writes it.
func (c *curl) envelope(m message) (text, id string) {
	c.t.Helper()
	c.sent++
	id = fmt.Sprintf("uuid:0A1b2C3d-0000-4000-8000-%012X", c.sent)
	action := m.action
	if !strings.Contains(action, "/") {
		action = c.uri(m.class) + "/" + action
	}
	var b strings.Builder
	require.NoError(c.t, c.templates.ExecuteTemplate(&b, c.family+".xml", map[string]any{
		"URL": c.d.URL(), "Resource": c.uri(m.class), "Action": action, "MessageID": id, "Selectors": m.selectors, "Body": m.body,
	}))
	return b.String(), id
}

// send sends a message and checks what every answer must be like.
func (c *curl) send(m message) answer {
	c.t.Helper()
	text, id := c.envelope(m)
	a := c.post([]byte(text), "UTF-8", "--user", "admin:"+c.d.Password())
	require.Equal(c.t, id, a.envelope.child("Header").text("RelatesTo"))
	require.Empty(c.t, a.envelope.all("OperationID"), "echoed, it would switch Windows to another protocol")
	require.Contains(c.t, a.header, "Content-Type: application/soap+xml;charset=UTF-8")
	return a
}

// ok is send for what must not be a fault.
func (c *curl) ok(m message) node {
	c.t.Helper()
	a := c.send(m)
	require.Equal(c.t, 200, a.status, string(a.raw))
	return a.envelope.child("Body")
}

// post sends bytes by curl.
func (c *curl) post(body []byte, charset string, args ...string) answer {
	c.t.Helper()
	dir := c.t.TempDir()
	in, out, header := filepath.Join(dir, "in"), filepath.Join(dir, "out"), filepath.Join(dir, "header")
	require.NoError(c.t, os.WriteFile(in, body, 0o600))
	args = append([]string{
		"--silent", "--show-error", "--max-time", "60", "--data-binary", "@" + in, "--output", out, "--dump-header", header,
		"--write-out", "%{http_code} %{num_connects}", "--header", "Content-Type: application/soap+xml;charset=" + charset, "--user-agent", c.agent(),
	}, append(args, c.d.URL())...)
	printed, err := exec.CommandContext(c.t.Context(), c.program, args...).Output()
	require.NoError(c.t, err)
	var a answer
	_, err = fmt.Sscan(string(printed), &a.status, &a.connections)
	require.NoError(c.t, err)
	a.header, a.raw = read(c.t, header), []byte(read(c.t, out))
	c.check(&a, charset)
	return a
}

func (c *curl) agent() string {
	for _, f := range families {
		if f.name == c.family {
			return f.agent
		}
	}
	return ""
}

// check looks at the HTTP side of an answer and parses it.
func (c *curl) check(a *answer, charset string) {
	c.t.Helper()
	last := a.header[strings.LastIndex(strings.TrimRight(a.header, "\r\n"), "\r\n\r\n")+1:]
	require.Contains(c.t, last, fmt.Sprintf("Content-Length: %d\r\n", len(a.raw)))
	require.NotContains(c.t, last, "Transfer-Encoding")
	if len(a.raw) == 0 || a.status == 401 {
		return
	}
	text := a.raw
	if charset != "UTF-8" {
		text = fromUTF16(c.t, a.raw)
	}
	require.False(c.t, bytes.HasPrefix(text, []byte("<?xml")), "WinRM does not take an XML declaration")
	require.NoError(c.t, xml.Unmarshal(text, &a.envelope), string(text))
	require.Equal(c.t, xml.Name{Space: "http://www.w3.org/2003/05/soap-envelope", Local: "Envelope"}, a.envelope.XMLName)
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		return ""
	}
	require.NoError(t, err)
	return string(b)
}

// toUTF16 is little-endian with a byte order mark, as Windows writes it.
func toUTF16(text string) []byte {
	out := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(text)) {
		out = binary.LittleEndian.AppendUint16(out, u)
	}
	return out
}

func fromUTF16(t *testing.T, b []byte) []byte {
	t.Helper()
	require.Equal(t, []byte{0xff, 0xfe}, b[:2], "a byte order mark")
	var units []uint16
	for i := 2; i+1 < len(b); i += 2 {
		units = append(units, binary.LittleEndian.Uint16(b[i:]))
	}
	return []byte(string(utf16.Decode(units)))
}
