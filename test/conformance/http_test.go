package conformance

import (
	"bufio"
	"encoding/binary"
	"encoding/xml"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/stretchr/testify/require"
)

// post is a request as it goes over the wire: its header lines in the order in which
// a client writes them.
type post struct {
	target string // path
	lines  []string
	text   string // the envelope
	utf16  bool   // little-endian with a byte order mark, as Windows writes it
}

// answer is what came back.
type answer struct {
	status   int
	header   http.Header
	raw      []byte // as it came
	envelope node   // nothing if there was no envelope
}

func (a answer) body() node { return a.envelope.child("Body") }
func (a answer) head() node { return a.envelope.child("Header") }

// bytes are those of the whole request.
func (p post) bytes() []byte {
	body := []byte(p.text)
	if p.utf16 {
		body = toUTF16(p.text)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "POST %s HTTP/1.1\r\n", p.target)
	for _, l := range p.lines {
		b.WriteString(strings.ReplaceAll(l, "LENGTH", fmt.Sprint(len(body))) + "\r\n")
	}
	b.WriteString("\r\n")
	return append([]byte(b.String()), body...)
}

// exchange sends a request over a connection of its own and reads the answer.
func exchange(t *testing.T, address string, p post) answer {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close()) }()
	require.NoError(t, conn.SetDeadline(time.Now().Add(waitLimit)))
	_, err = conn.Write(p.bytes())
	require.NoError(t, err)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	raw, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Empty(t, resp.TransferEncoding, "old clients do not know chunks")
	require.Equal(t, int64(len(raw)), resp.ContentLength, "Content-Length")
	return answer{status: resp.StatusCode, header: resp.Header, raw: raw}
}

// parse reads the envelope of an answer in the character set of the request.
func (a *answer) parse(t *testing.T, wide bool) {
	t.Helper()
	charset, text := "UTF-8", a.raw
	if wide {
		charset, text = "UTF-16", fromUTF16(t, a.raw)
	}
	require.Equal(t, "application/soap+xml;charset="+charset, a.header.Get("Content-Type"))
	require.NotContains(t, string(text), "<?xml", "WinRM takes no XML declaration")
	require.NoError(t, xml.Unmarshal(text, &a.envelope), string(text))
	require.Equal(t, xml.Name{Space: spaces["s"], Local: "Envelope"}, a.envelope.XMLName)
}

func toUTF16(text string) []byte {
	out := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(text)) {
		out = binary.LittleEndian.AppendUint16(out, u)
	}
	return out
}

func fromUTF16(t *testing.T, b []byte) []byte {
	t.Helper()
	require.GreaterOrEqual(t, len(b), 2)
	require.Equal(t, []byte{0xff, 0xfe}, b[:2], "a byte order mark")
	var units []uint16
	for i := 2; i+1 < len(b); i += 2 {
		units = append(units, binary.LittleEndian.Uint16(b[i:]))
	}
	return []byte(string(utf16.Decode(units)))
}
