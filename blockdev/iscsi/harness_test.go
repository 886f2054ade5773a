package iscsi

import (
	"context"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev/iscsi/initiator"
	"twinlun/blockdev/iscsi/pdu"
	"twinlun/blockdev/scsi"
)

const (
	testTarget    = "iqn.2026-11.dev.twinlun:disk"
	testInitiator = "iqn.1991-05.com.microsoft:host1"
	patience      = 20 * time.Second
)

// harness is a server on a loopback port.
type harness struct {
	*Server
	t    testing.TB
	addr string
}

// start serves on loopback until the test ends, and checks that nothing remains.
func start(t testing.TB, cfg Config, targets ...Target) *harness {
	t.Helper()
	before := runtime.NumGoroutine()
	s := New(cfg)
	for _, target := range targets {
		require.NoError(t, s.AddTarget(target))
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-ended:
			require.NoError(t, err)
		case <-time.After(patience):
			t.Fatal("Serve does not end:\n" + stacks())
		}
		require.Empty(t, s.Sessions())
		eventually(t, func() bool { return runtime.NumGoroutine() <= before }, "goroutines remain")
	})
	return &harness{Server: s, t: t, addr: l.Addr().String()}
}

func stacks() string {
	b := make([]byte, 1<<20)
	return string(b[:runtime.Stack(b, true)])
}

func eventually(t testing.TB, cond func() bool, what string) {
	t.Helper()
	for deadline := time.Now().Add(patience); !cond(); <-time.After(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(what + "\n" + stacks())
		}
	}
}

func oneDisk(u scsi.Unit) Target {
	return Target{Name: testTarget, Alias: "a disk", Units: map[uint64]scsi.Unit{0: u}}
}

func (h *harness) dial(o initiator.Options) *initiator.Disk {
	h.t.Helper()
	d, err := h.tryDial(o)
	require.NoError(h.t, err)
	h.t.Cleanup(func() { _ = d.Close() })
	return d
}

func (h *harness) tryDial(o initiator.Options) (*initiator.Disk, error) {
	if o.Name == "" {
		o.Name = testInitiator
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return initiator.Dial(ctx, h.addr, testTarget, o)
}

// wire is an initiator that sends what a test wants.
type wire struct {
	t     testing.TB
	nc    net.Conn
	rd    *pdu.Reader
	wr    *pdu.Writer
	cmdSN uint32
	stat  pdu.LoginResponse // the last of the login
}

func (h *harness) connect() *wire {
	h.t.Helper()
	nc, err := net.Dial("tcp", h.addr)
	require.NoError(h.t, err)
	h.t.Cleanup(func() { _ = nc.Close() })
	require.NoError(h.t, nc.SetDeadline(time.Now().Add(patience)))
	return &wire{t: h.t, nc: nc, rd: pdu.NewReader(nc, 1<<20), wr: pdu.NewWriter(nc), cmdSN: 1}
}

func keysOf(text ...string) (keys pdu.Keys) {
	for _, s := range text {
		name, value, _ := strings.Cut(s, "=")
		keys = append(keys, pdu.Key{Name: name, Value: value})
	}
	return keys
}

// login sends one login request and takes the response.
func (w *wire) login(req pdu.LoginRequest, text ...string) (pdu.LoginResponse, pdu.Keys) {
	w.t.Helper()
	w.write(&req, keysOf(text...).Append(nil))
	h, data := w.read()
	require.Equal(w.t, pdu.OpLoginResp, h.Opcode())
	w.stat.Decode(&h)
	keys, err := pdu.ParseKeys(data)
	require.NoError(w.t, err)
	return w.stat, keys
}

// enter logs in with operational keys only.
func (w *wire) enter(isid byte, text ...string) *wire {
	w.t.Helper()
	text = append([]string{"InitiatorName=" + testInitiator, "SessionType=Normal", "TargetName=" + testTarget}, text...)
	resp, _ := w.login(pdu.LoginRequest{Transit: true, Current: pdu.StageOperational, Next: pdu.StageFullFeature,
		ISID: [6]byte{0x80, 0, 0, 0, 0, isid}, ITT: 7, CID: 3, CmdSN: w.cmdSN}, text...)
	require.Equal(w.t, pdu.LoginOK, resp.Status)
	require.True(w.t, resp.Transit)
	return w
}

type encoder interface{ Encode(*pdu.Header) }

func (w *wire) write(p encoder, data []byte) {
	w.t.Helper()
	var h pdu.Header
	p.Encode(&h)
	require.NoError(w.t, w.wr.Write(&h, nil, data))
	require.NoError(w.t, w.wr.Flush())
}

func (w *wire) read() (pdu.Header, []byte) {
	w.t.Helper()
	var h pdu.Header
	require.NoError(w.t, w.rd.Next(&h))
	data := make([]byte, h.DataLen())
	require.NoError(w.t, w.rd.Data(data))
	return h, data
}

// expect reads a PDU of that type.
func (w *wire) expect(op pdu.Opcode) (pdu.Header, []byte) {
	w.t.Helper()
	h, data := w.read()
	require.Equal(w.t, op, h.Opcode(), "%x", h)
	return h, data
}

// expectEnd reads until the connection ends.
func (w *wire) expectEnd() {
	w.t.Helper()
	var h pdu.Header
	for {
		if err := w.rd.Next(&h); err != nil {
			require.NotErrorIs(w.t, err, context.DeadlineExceeded)
			var ne net.Error
			if ok := asNetError(err, &ne); ok {
				require.False(w.t, ne.Timeout(), "the target does not close")
			}
			return
		}
	}
}

func asNetError(err error, ne *net.Error) bool {
	e, ok := err.(net.Error)
	if ok {
		*ne = e
	}
	return ok
}

// command sends a command with the next CmdSN.
func (w *wire) command(c pdu.Command, cdb []byte, data []byte) {
	w.t.Helper()
	c.CmdSN = w.cmdSN
	if !c.Immediate {
		w.cmdSN++
	}
	copy(c.CDB[:], cdb)
	w.write(&c, data)
}

// response takes the response of that task.
func (w *wire) response(itt uint32) (pdu.Response, []byte) {
	w.t.Helper()
	h, data := w.expect(pdu.OpResponse)
	var r pdu.Response
	r.Decode(&h)
	require.Equal(w.t, itt, r.ITT)
	return r, data
}

func (w *wire) dataIn() (pdu.DataIn, []byte) {
	w.t.Helper()
	h, data := w.expect(pdu.OpDataIn)
	var d pdu.DataIn
	d.Decode(&h)
	return d, data
}

func rw10(opcode byte, lba, blocks int) []byte {
	return []byte{opcode, 0, byte(lba >> 24), byte(lba >> 16), byte(lba >> 8), byte(lba), 0, byte(blocks >> 8), byte(blocks), 0}
}
