package iscsi

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev/iscsi/pdu"
)

// stream encodes PDUs for a corpus.
func stream(parts ...any) []byte {
	var b bytes.Buffer
	w := pdu.NewWriter(&b)
	for i := 0; i < len(parts); i += 2 {
		var h pdu.Header
		parts[i].(encoder).Encode(&h)
		data, _ := parts[i+1].([]byte)
		_ = w.Write(&h, nil, data)
	}
	_ = w.Flush()
	return b.Bytes()
}

func seeds() [][]byte {
	block := make([]byte, 512)
	cmd := func(c pdu.Command, cdb []byte) *pdu.Command { copy(c.CDB[:], cdb); return &c }
	return [][]byte{
		nil,
		stream(cmd(pdu.Command{Final: true, Read: true, ITT: 1, Expected: 512, CmdSN: 1}, rw10(0x28, 0, 1)), nil),
		stream(cmd(pdu.Command{Write: true, ITT: 1, Expected: 4096, CmdSN: 1}, rw10(0x2a, 0, 8)), block,
			&pdu.DataOut{ITT: 1, TTT: pdu.NoTag, Offset: 512, Final: true}, block,
			&pdu.DataOut{ITT: 1, TTT: 0, Offset: 1024, Final: true}, block),
		stream(cmd(pdu.Command{Final: true, Attr: pdu.Ordered, ITT: 3, CmdSN: 2}, block[:6]), nil,
			&pdu.TaskRequest{Immediate: true, Function: pdu.AbortTask, ITT: 4, RefITT: 2, CmdSN: 3, RefCmdSN: 1}, nil),
		stream(&pdu.Text{Continue: true, ITT: 1, TTT: pdu.NoTag, CmdSN: 1}, []byte("SendTar"),
			&pdu.Text{Final: true, ITT: 1, TTT: 1, CmdSN: 2}, []byte("gets=All\x00")),
		stream(&pdu.NopOut{ITT: 1, TTT: pdu.NoTag, CmdSN: 1}, []byte("x"), &pdu.LogoutRequest{ITT: 2, CmdSN: 2}, nil),
		stream(&pdu.TaskRequest{Function: pdu.LogicalUnitReset, ITT: 4, CmdSN: 1}, nil,
			&pdu.TaskRequest{Function: pdu.TargetWarmReset, ITT: 5, CmdSN: 2}, nil),
		bytes.Repeat([]byte{0xff}, 100),
	}
}

// serveBytes gives a server what an initiator would send, and waits for its end.
func serveBytes(t *testing.T, b []byte) {
	s := New(Config{Logger: slog.New(slog.DiscardHandler), Limits: Limits{
		Window: 4, Immediate: 2, TransferBytes: 1 << 16, SessionBytes: 1 << 17, LoginTimeout: 5 * time.Second}})
	u := newFakeUnit(16)
	require.NoError(t, s.AddTarget(oneDisk(u)))
	near, far := net.Pipe()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.serveConn(context.Background(), far)
	}()
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		_, _ = io.Copy(io.Discard, near)
	}()
	_ = near.SetWriteDeadline(time.Now().Add(5 * time.Second))
	_, _ = near.Write(b)
	_ = near.Close()
	<-drained
	select {
	case <-ended:
	case <-time.After(patience):
		t.Fatal("the session does not end\n" + stacks())
	}
	require.Empty(t, s.Sessions())
	running, attached, _ := u.count()
	require.Zero(t, running+attached)
}

// Arbitrary bytes after a login neither crash the session nor outlive it.
func FuzzSession(f *testing.F) {
	login := stream(&pdu.LoginRequest{Transit: true, Current: pdu.StageOperational, Next: pdu.StageFullFeature, ISID: [6]byte{0x80}, CmdSN: 1},
		keysOf(who, "TargetName="+testTarget, "InitialR2T=No", "FirstBurstLength=2048", "MaxBurstLength=2048", "MaxOutstandingR2T=4").Append(nil))
	for _, b := range seeds() {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) { serveBytes(t, append(login[:len(login):len(login)], b...)) })
}

// The same from the first byte.
func FuzzLogin(f *testing.F) {
	req := security(pdu.StageFullFeature)
	f.Add(stream(&req, keysOf(who, "TargetName="+testTarget, "AuthMethod=CHAP,None").Append(nil)))
	f.Add([]byte{0x43, 0xc0})
	f.Fuzz(serveBytes)
}
