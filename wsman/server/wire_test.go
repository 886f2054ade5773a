package server

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
)

// exchange sends bytes and reads one answer.
func (l *live) raw(t *testing.T, request string) (status string, header map[string]string, body string) {
	t.Helper()
	c := l.dial(t)
	_, err := io.WriteString(c, request)
	require.NoError(t, err)
	return rawAnswer(t, bufio.NewReader(c))
}

// requireClosed waits until the server has closed a connection.
func requireClosed(t *testing.T, c net.Conn) {
	t.Helper()
	_, err := io.Copy(io.Discard, c)
	nerr, isNet := errors.AsType[net.Error](err)
	require.False(t, isNet && nerr.Timeout(), "still open")
}

// The forms of HTTP that clients, proxies and attackers use.
func TestHTTPOnTheWire(t *testing.T) {
	l := newLive(t)
	l.withVolumes(1)
	get := getVolume("V0").windows()
	good := rawRequest("/wsman", basicAdmin, get)
	edit := func(old, new string) string {
		require.Contains(t, good, old)
		return strings.Replace(good, old, new, 1)
	}
	length := fmt.Sprintf("Content-Length: %d\r\n", len(get))
	chunked := edit(length, "Transfer-Encoding: chunked\r\n")
	chunked = chunked[:len(chunked)-len(get)] + fmt.Sprintf("%x;ext=1\r\n%s\r\n%x\r\n%s\r\n0\r\nX-Trailer: 1\r\n\r\n", 100, get[:100], len(get)-100, get[100:])
	for _, tt := range []struct{ name, request, status string }{
		{"plain", good, "200"},
		{"HTTP/1.0", edit("HTTP/1.1", "HTTP/1.0"), "200"},
		{"HTTP/1.0 without a host", strings.Replace(edit("HTTP/1.1", "HTTP/1.0"), "Host: server\r\n", "", 1), "200"},
		{"HTTP/1.1 without a host", edit("Host: server\r\n", ""), "400"},
		{"two hosts", edit("Host: server\r\n", "Host: a\r\nHost: b\r\n"), "400"},
		{"strange host", edit("Host: server", "Host: 169.254.169.254:80"), "200"},
		{"bad host", edit("Host: server", "Host: a b/c"), "400"},
		{"absolute", edit("POST /wsman", "POST http://elsewhere/wsman"), "200"},
		{"query", edit("POST /wsman", "POST /wsman?PSVersion=7.4"), "200"},
		{"escaped path", edit("POST /wsman", "POST /%77sman"), "200"},
		{"path up", edit("POST /wsman", "POST /x/../wsman"), "404"},
		{"path below", edit("POST /wsman", "POST /wsman/../etc"), "404"},
		{"two slashes", edit("POST /wsman", "POST /wsman//"), "404"},
		{"HEAD", edit("POST", "HEAD"), "405"},
		{"OPTIONS", edit("POST", "OPTIONS"), "405"},
		{"TRACE", edit("POST", "TRACE"), "405"},
		{"unknown method", edit("POST", "BREW"), "405"},
		{"chunked", chunked, "200"},
		{"broken chunk", strings.Replace(chunked, "64;ext=1\r\n", "zz\r\n", 1), "400"},
		{"chunked and length", strings.Replace(chunked, "Transfer-Encoding", "Content-Length: 3\r\nTransfer-Encoding", 1), "200"},
		{"unknown coding", edit(length, "Transfer-Encoding: gzip, chunked\r\n"), "501"},
		{"two lengths", edit(length, length+"Content-Length: 5\r\n"), "400"},
		{"negative length", edit(length, "Content-Length: -5\r\n"), "400"},
		{"no length", edit(length, ""), "400"},
		{"short", edit(length, "Content-Length: 20\r\n"), "400"},
		{"too large", edit(length, "Content-Length: 999999999999\r\n"), "500"},
		{"length is no number", edit(length, "Content-Length: 9e9\r\n"), "400"},
		{"large headers", edit("Host:", "X: "+strings.Repeat("x", 100<<10)+"\r\nHost:"), "431"},
		{"many headers", edit("Host:", strings.Repeat("X: y\r\n", 20000)+"Host:"), "431"},
		{"header without a name", edit("Host:", ": x\r\nHost:"), "400"},
		{"folded header", edit("Host: server", "Host: server\r\n  x"), "400"},
		{"no HTTP", "hello\r\n\r\n", "400"},
		{"compressed", edit("Connection:", "Content-Encoding: gzip\r\nConnection:"), "200"},
		{"SOAPAction", edit("Connection:", "SOAPAction: \"x\"\r\nConnection:"), "200"},
		{"action in type", edit("charset=UTF-8", "action=http://x/y; charset='UTF-8'"), "200"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.name == "HEAD" {
				tt.request = strings.Replace(tt.request, get, "", 1)
				tt.request = strings.Replace(tt.request, length, "", 1)
			}
			status, header := l.head(t, tt.request)
			require.Equal(t, tt.status, status)
			require.NotContains(t, header, "transfer-encoding")
		})
	}
	require.Empty(t, l.audits.lines(t))
}

// head sends bytes and reads the head of the answer, whose body need not say how
// long it is.
func (l *live) head(t *testing.T, request string) (status string, header map[string]string) {
	t.Helper()
	c := l.dial(t)
	go func() { _, _ = io.WriteString(c, request) }()
	r := bufio.NewReader(c)
	line, err := r.ReadString('\n')
	require.NoError(t, err)
	header = map[string]string{}
	for {
		h, err := r.ReadString('\n')
		require.NoError(t, err)
		if h = strings.TrimSpace(h); h == "" {
			return strings.Fields(line)[1], header
		}
		name, value, _ := strings.Cut(h, ": ")
		header[strings.ToLower(name)] = value
	}
}

// Requests that come without waiting for answers are answered in their order.
func TestPipelining(t *testing.T) {
	l := newLive(t)
	l.withVolumes(20)
	c := l.dial(t)
	var all strings.Builder
	for n := range 20 {
		m := getVolume(fmt.Sprintf("V%d", n))
		m.id = fmt.Sprintf("uuid:%d", n)
		all.WriteString(rawRequest("/wsman", basicAdmin, m.windows()))
	}
	go func() { _, _ = io.WriteString(c, all.String()) }()
	r := bufio.NewReader(c)
	for n := range 20 {
		status, _, body := rawAnswer(t, r)
		require.Equal(t, "200", status)
		require.Contains(t, body, fmt.Sprintf("RelatesTo>uuid:%d<", n))
	}
}

// Who asks whether to send the body is told so, where it is wanted.
func TestExpectContinue(t *testing.T) {
	l := newLive(t)
	l.withVolumes(1)
	get := getVolume("V0").windows()
	whole := strings.Replace(rawRequest("/wsman", basicAdmin, get), "Connection:", "Expect: 100-continue\r\nConnection:", 1)
	c := l.dial(t)
	_, err := io.WriteString(c, strings.TrimSuffix(whole, get))
	require.NoError(t, err)
	r := bufio.NewReader(c)
	line, err := r.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "HTTP/1.1 100 Continue\r\n", line)
	_, err = r.ReadString('\n')
	require.NoError(t, err)
	_, err = io.WriteString(c, get)
	require.NoError(t, err)
	status, _, _ := rawAnswer(t, r)
	require.Equal(t, "200", status)

	large := strings.Replace(strings.TrimSuffix(whole, get), fmt.Sprint("Content-Length: ", len(get)), "Content-Length: 99999999", 1)
	status, header, _ := l.raw(t, large)
	require.Equal(t, "500", status, "refused before it is sent")
	require.Equal(t, "close", header["connection"])
	unknown := strings.Replace(whole, "100-continue", "cake", 1)
	status, _ = l.head(t, unknown)
	require.Equal(t, "417", status)
}

// tight are limits that cut off what is slow within the patience of a test.
func tight(c *Config) {
	c.Limits.ReadHeader, c.Limits.Read, c.Limits.Write, c.Limits.Idle = 100*time.Millisecond, 200*time.Millisecond, 200*time.Millisecond, 300*time.Millisecond
}

// Slow and silent clients are cut off, wherever they stop: over real connections.
func TestSlowClientsAreCutOff(t *testing.T) {
	l := newLive(t, tight)
	l.withVolumes(1)
	whole := rawRequest("/wsman", basicAdmin, getVolume("V0").windows())
	head := strings.Index(whole, "\r\n\r\n") + 4
	chunked := strings.Replace(whole[:head], "Content-Length", "Transfer-Encoding: chunked\r\nX", 1)
	for name, part := range map[string]string{
		"nothing": "", "half a line": whole[:10], "half a head": whole[:head-2], "no body": whole[:head], "half a body": whole[:len(whole)-1],
		"no chunk": chunked, "half a chunk": chunked + "ff\r\nabc", "no password, half a body": strings.Replace(whole[:len(whole)-1], "Authorization", "X", 1),
		"wrong password, half a body": strings.Replace(whole[:len(whole)-1], basicAdmin, "Basic eDp5", 1), "idle": whole,
	} {
		t.Run(name, func(t *testing.T) {
			c := l.dial(t)
			_, err := io.WriteString(c, part)
			require.NoError(t, err)
			requireClosed(t, c)
		})
	}
	t.Run("a byte now and then", func(t *testing.T) {
		c := l.dial(t)
		go func() {
			tick := time.NewTicker(5 * time.Millisecond)
			defer tick.Stop()
			for i := range len(whole) {
				<-tick.C
				if _, err := c.Write([]byte{whole[i]}); err != nil {
					return
				}
			}
		}()
		requireClosed(t, c)
	})
	require.Eventually(t, func() bool { return l.conns.count() == 0 && len(l.inFlight) == 0 && l.users.count() == 0 }, 20*time.Second, time.Millisecond)
}

// Who never reads the answer does not hold the server up.
func TestAnswerThatNobodyReads(t *testing.T) {
	l := newLive(t, tight, func(c *Config) { c.Limits.Read = 10 * time.Second })
	l.withVolumes(1)
	var text strings.Builder
	for range 2000 {
		text.WriteString(rawRequest("/wsman", basicAdmin, getVolume("V0").windows()))
	}
	c := l.dial(t)
	require.NoError(t, c.(*net.TCPConn).SetReadBuffer(1<<10))
	go func() { _, _ = io.WriteString(c, text.String()) }()
	require.Eventually(t, func() bool { return l.conns.count() == 1 }, 20*time.Second, time.Millisecond)
	require.Eventually(t, func() bool { return l.conns.count() == 0 }, 30*time.Second, time.Millisecond, "cut off")
	require.Empty(t, l.inFlight)
}

// A client that vanishes in the middle of a call leaves nothing behind; the call
// goes on to its end.
func TestClientVanishes(t *testing.T) {
	l := newLive(t)
	calls, goOn := blockingService(l)
	c := l.send(t, invoke(serviceURI, "Ping", "").windows())
	require.Eventually(t, func() bool { return calls.Load() == 1 }, 20*time.Second, time.Millisecond)
	require.NoError(t, c.(*net.TCPConn).SetLinger(0))
	require.NoError(t, c.Close())
	close(goOn)
	require.Eventually(t, func() bool { return l.conns.count() == 0 && len(l.inFlight) == 0 }, 20*time.Second, time.Millisecond)
	require.Equal(t, "1", l.audits.lines(t)[0]["result"])
}

// The time of a call is up: the client learns so with the number that Windows looks
// for; what the call began goes on, and where it left a job the client gets that.
func TestTimeIsUp(t *testing.T) {
	w := newWorld(t).withService(nil, nil)
	job := &cim.Reply{Return: uint64(4096), Out: cim.Args{{Name: "Job", Value: jobPath()}}}
	for name, c := range map[string]struct {
		reply *cim.Reply
		want  string
	}{"gives up": {nil, `Code="2150858793"`}, "leaves a job": {job, "ReturnValue>4096<"}} {
		w.broker.invoke = func(ctx context.Context, _ *cim.Call) (*cim.Reply, error) {
			<-ctx.Done()
			if c.reply == nil {
				return nil, ctx.Err()
			}
			return c.reply, nil
		}
		m := invoke(serviceURI, "Replicate", "")
		m.timeout = "PT0.01S"
		require.Contains(t, w.post(t, m.windows()).text, c.want, name)
	}
}
