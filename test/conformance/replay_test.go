package conformance

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/template"

	"github.com/stretchr/testify/require"
)

// TestReplay sends what three families of clients send, in their words, and checks
// what they need in the answer. Each file of testdata is one request.
func TestReplay(t *testing.T) {
	s := newSite(t)
	s.settings()
	for _, f := range families {
		t.Run(f.name, func(t *testing.T) {
			r := &replay{site: s, family: f, kept: map[string]string{}}
			r.layouts = r.parse(t)
			for _, rq := range r.requests(t) {
				t.Run(rq.name, func(t *testing.T) { r.run(t, rq) })
			}
		})
	}
}

// family is what all messages of a client have in common.
type family struct {
	name   string
	target string
	lines  []string // of the HTTP header
	id     string   // how its message ids are written, with a number
	dir    string   // of testdata, if it is not the name
	Wide   bool     // UTF-16
}

func (f family) folder() string { return "testdata/" + cmp.Or(f.dir, f.name) }

// windows are the lines of its HTTP header.
var windows = []string{
	"Connection: Keep-Alive", "Content-Type: TYPE", "User-Agent: Microsoft WinRM Client", "Content-Length: LENGTH", "Host: ADDRESS", "Authorization: LOGIN",
}

// families are in the order in which they are replayed. Windows writes UTF-16 unless
// it is told otherwise.
var families = []family{
	{
		name: "wsmancli", target: "/wsman", id: "uuid:5d1c90%02x-60d2-10d2-8002-01000000fc02",
		lines: []string{"Host: ADDRESS", "Authorization: LOGIN", "Accept: */*", "Content-Type: TYPE", "User-Agent: openwsman 2.2.0", "Content-Length: LENGTH"},
	},
	{
		name: "omicli", target: "/wsman/", id: "uuid:5D1C90%02X-60D2-0006-0000-000000010000",
		lines: []string{"Connection: Keep-Alive", "Content-Length: LENGTH", "Content-Type: TYPE", "Host: ADDRESS", "Authorization: LOGIN"},
	},
	{name: "windows", target: "/wsman", id: "uuid:5D1C90%02X-1B7E-4D1A-9D5C-3A0C5E0B77F2", lines: windows},
	{name: "windows UTF-16", dir: "windows", target: "/wsman", id: "uuid:5D1C90%02X-1B7E-4D1A-9D5C-3A0C5E0B77F3", lines: windows, Wide: true},
}

// replay is a family that is being replayed.
type replay struct {
	*site
	family
	layouts *template.Template
	kept    map[string]string // from answers, for later requests
	count   int
}

// Kept is what an earlier answer gave.
func (r *replay) Kept(name string) (string, error) {
	v, ok := r.kept[name]
	if !ok {
		return "", fmt.Errorf("nothing was kept as %s", name)
	}
	return v, nil
}

// parse reads the layout of the family: the template "envelope" and what messages
// have in common.
func (r *replay) parse(t *testing.T) *template.Template {
	t.Helper()
	funcs := template.FuncMap{"contains": strings.Contains, "uri": uri}
	tmpl, err := template.New(r.name).Funcs(funcs).Option("missingkey=error").ParseFiles(r.folder() + "/layout.xml")
	require.NoError(t, err)
	return tmpl
}

// uri is that of an action: "transfer/Get" is Get of WS-Transfer.
func uri(short string) string {
	prefix, rest, ok := strings.Cut(short, "/")
	if space := spaces[prefix]; ok && space != "" {
		return space + "/" + rest
	}
	return short
}

// message is what a layout is filled with.
type message struct {
	*replay
	Action, Resource, ID, Options, Rest, Body string
}

// expand executes a template text.
func (r *replay) expand(t *testing.T, text string, data any) string {
	t.Helper()
	tmpl, err := template.Must(r.layouts.Clone()).New("text").Parse(text)
	require.NoError(t, err)
	var b strings.Builder
	require.NoError(t, tmpl.Execute(&b, data))
	return b.String()
}

// run sends one request and checks its answer.
func (r *replay) run(t *testing.T, rq *request) {
	r.count++
	m := message{replay: r, ID: fmt.Sprintf(r.id, r.count)}
	m.Resource = r.expand(t, rq.get("resource"), m)
	m.Action = uri(r.expand(t, rq.get("action"), m))
	m.Options = r.expand(t, rq.get("options"), m)
	m.Rest = r.expand(t, rq.get("rest"), m)
	m.Body = r.expand(t, rq.get("body"), m)
	p := r.post(t, rq, m)
	a := exchange(t, r.Address(), p)
	r.look(t, rq, m, p, a)
}

// look checks an answer and keeps what later requests need of it.
func (r *replay) look(t *testing.T, rq *request, m message, p post, a answer) {
	t.Helper()
	defer func() {
		if t.Failed() {
			t.Logf("sent:\n%s\n\nanswer %d %v:\n%s", p.text, a.status, a.header, a.raw)
		}
	}()
	if len(a.raw) > 0 && strings.HasPrefix(a.header.Get("Content-Type"), "application/soap+xml") {
		a.parse(t, p.utf16)
		if !rq.is("identify") {
			manners(t, r.sent(t, p), a)
		}
		require.LessOrEqual(t, len(a.raw), envelopeLimit(t, p), "MaxEnvelopeSize")
	}
	require.NotEmpty(t, rq.checks, "what it is answered")
	for _, c := range rq.checks {
		c.check(t, r, a, r.expand(t, c.text, m))
	}
}

// envelopeLimit is how large the answer may be; nobody means less than 8192.
func envelopeLimit(t *testing.T, p post) int {
	t.Helper()
	found := regexp.MustCompile(`MaxEnvelopeSize[^>]*>\s*(\d+)`).FindStringSubmatch(p.text)
	if found == nil {
		return math.MaxInt
	}
	n, err := strconv.Atoi(found[1])
	require.NoError(t, err)
	return max(n, 8192)
}

// sent finds the action and the identifier in what was sent, as they are there.
func (r *replay) sent(t *testing.T, p post) sent {
	t.Helper()
	value := func(name string) string {
		found := regexp.MustCompile(`:` + name + `[^>]*>([^<]*)<`).FindStringSubmatch(p.text)
		require.NotNil(t, found, name)
		return strings.TrimSpace(found[1])
	}
	return sent{action: value("Action"), messageID: value("MessageID")}
}

// post is the request as it goes over the wire.
func (r *replay) post(t *testing.T, rq *request, m message) post {
	t.Helper()
	p := post{target: r.target, utf16: (r.Wide || rq.is("utf16")) && !rq.is("octets")}
	if target := rq.get("target"); target != "" {
		p.target = target
	}
	layout := `{{template "envelope" .}}`
	if whole := rq.get("envelope"); whole != "" {
		layout = whole
	}
	if !rq.is("bodiless") {
		p.text = r.expand(t, layout, m)
	}
	mime := "application/soap+xml;charset=UTF-8"
	if p.utf16 {
		mime = "application/soap+xml;charset=UTF-16"
	}
	login := "Basic " + base64.StdEncoding.EncodeToString([]byte("admin:"+r.d.Password()))
	fill := strings.NewReplacer("ADDRESS", r.Address(), "LOGIN", login, "TYPE", mime)
	for _, l := range r.header(rq) {
		p.lines = append(p.lines, fill.Replace(l))
	}
	return p
}

// header are the lines of the HTTP header: "http" replaces the line of that name, or
// takes it away if it has no value.
func (r *replay) header(rq *request) []string {
	lines := slices.Clone(r.lines)
	for _, replacement := range rq.fields["http"] {
		name, value, _ := strings.Cut(replacement, ":")
		i := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, name+":") })
		switch {
		case i < 0:
			lines = append(lines, replacement)
		case strings.TrimSpace(value) == "":
			lines = slices.Delete(lines, i, i+1)
		default:
			lines[i] = replacement
		}
	}
	return lines
}
