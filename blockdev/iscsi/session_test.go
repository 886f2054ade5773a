package iscsi

import (
	"context"

	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/iscsi/initiator"
	"twinlun/blockdev/iscsi/pdu"
	"twinlun/blockdev/scsi"
)

func TestPingOfInitiator(t *testing.T) {
	w := start(t, Config{}, oneDisk(newFakeUnit(1))).connect().enter(1, "MaxRecvDataSegmentLength=512")
	w.write(&pdu.NopOut{ITT: 5, TTT: pdu.NoTag, CmdSN: 1}, make([]byte, 600))
	h, data := w.expect(pdu.OpNopIn)
	require.EqualValues(t, 5, h.ITT())
	require.Len(t, data, 512, "no more than the initiator takes")
}

func TestLogout(t *testing.T) {
	for _, c := range []struct {
		reason pdu.LogoutReason
		cid    uint16
		want   pdu.LogoutResult
	}{
		{pdu.LogoutSession, 0, pdu.LogoutDone}, {pdu.LogoutConnection, 3, pdu.LogoutDone},
		{pdu.LogoutConnection, 4, pdu.LogoutNoCID}, {pdu.LogoutRecovery, 3, pdu.LogoutNoRecovery}, {9, 3, pdu.LogoutFailed},
	} {
		u := newFakeUnit(1)
		letGo, _ := holdReads(u)
		h := start(t, Config{}, oneDisk(u))
		w := h.connect().enter(1)
		w.command(first(read10(10)), rw10(0x28, 0, 1), nil)
		eventually(t, func() bool { n, _, _ := u.count(); return n == 1 }, "the command does not run")
		close(letGo)
		w.write(&pdu.LogoutRequest{Reason: c.reason, CID: c.cid, ITT: 9, CmdSN: w.cmdSN}, nil)
		hd, _ := w.expect(pdu.OpLogoutResp)
		var r pdu.LogoutResponse
		r.Decode(&hd)
		require.Equal(t, c.want, r.Result)
		if c.want == pdu.LogoutDone {
			w.expectEnd()
			eventually(t, func() bool { return len(h.Sessions()) == 0 }, "the session stays")
			running, attached, _ := u.count()
			require.Zero(t, running+attached)
		}
	}
}

func TestSessionReinstatement(t *testing.T) {
	u := newFakeUnit(100)
	letGo, cancelled := holdReads(u)
	h := start(t, Config{}, oneDisk(u))
	old := h.connect().enter(1)
	old.command(first(read10(10)), rw10(0x28, 0, 1), nil)
	eventually(t, func() bool { n, _, _ := u.count(); return n == 1 }, "the command does not run")
	neighbour := h.connect().enter(2) // another ISID is another session
	require.Len(t, h.Sessions(), 2)
	entered := make(chan *wire)
	next := h.connect()
	go func() { entered <- next.enter(1) }()
	eventually(t, func() bool { return cancelled.Load() == 1 }, "the old session's command is not cancelled")
	select {
	case <-entered:
		t.Fatal("logged in while a command of the old session runs")
	default:
	}
	close(letGo)
	w := <-entered
	old.expectEnd()
	require.Len(t, h.Sessions(), 2)
	for _, alive := range []*wire{w, neighbour} {
		alive.command(pdu.Command{Final: true, ITT: 50}, make([]byte, 6), nil)
		_, _ = alive.response(50)
	}
	_, attached, _ := u.count()
	require.Equal(t, 2, attached)
}

// While a command of the old session does not end, nobody else may write.
func TestReinstatementGivesUp(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, m *inMemory) {
		letGo, _ := holdReads(m.unit)
		old := m.connect().enter(1)
		old.command(first(read10(10)), rw10(0x28, 0, 1), nil)
		synctest.Wait()
		running, _, _ := m.unit.count()
		require.Equal(t, 1, running)
		go func() { _, _ = io.Copy(io.Discard, old.nc) }()
		w := m.connect()
		w.write(&pdu.LoginRequest{Transit: true, Current: pdu.StageOperational, Next: pdu.StageFullFeature, ISID: [6]byte{0x80, 0, 0, 0, 0, 1}},
			keysOf(who, "TargetName="+testTarget).Append(nil))
		w.expectEnd()
		require.Len(t, m.Sessions(), 1)
		close(letGo)
		synctest.Wait()
		require.Empty(t, m.Sessions())
	})
}

func TestConnectionOfKnownSession(t *testing.T) {
	h := start(t, Config{}, oneDisk(newFakeUnit(1)))
	first := h.connect().enter(1)
	req := security(pdu.StageFullFeature)
	req.TSIH = first.stat.TSIH
	resp, _ := h.connect().login(req, who, "TargetName="+testTarget)
	require.Equal(t, pdu.LoginTooManyConns, resp.Status)
}

func TestSessionsAreListed(t *testing.T) {
	now := time.Date(2026, 11, 22, 1, 2, 3, 0, time.UTC)
	seen := &recorder{}
	h := start(t, Config{Time: func() time.Time { return now }, Observer: seen}, oneDisk(newFakeUnit(10)))
	d := h.dial(initiator.Options{Name: "IQN.1991-05.com.microsoft:Host1", ISID: [6]byte{0x80, 1, 2, 3, 4, 5}})
	require.NoError(t, d.WriteAt(context.Background(), make([]byte, 1024), 0))
	got := h.Sessions()
	require.Len(t, got, 1)
	require.Equal(t, h.addr, got[0].Local)
	require.NotEmpty(t, got[0].Remote)
	got[0].Remote = ""
	require.Equal(t, SessionInfo{Target: testTarget, Initiator: "IQN.1991-05.com.microsoft:Host1", Local: h.addr, Since: now,
		Nexus: scsi.Nexus{Initiator: testInitiator, ISID: [6]byte{0x80, 1, 2, 3, 4, 5}, TPGT: 1}}, got[0])
	_, _ = h.connect().login(security(pdu.StageFullFeature), who, "TargetName=iqn.2000-01.no:such")
	require.EqualValues(t, 1, seen.failed.Load())
	require.NoError(t, d.Close())
	eventually(t, func() bool { return seen.closed.Load() == 1 }, "the end is not observed")
	require.EqualValues(t, 1, seen.opened.Load())
	seen.mu.Lock()
	defer seen.mu.Unlock()
	require.Contains(t, seen.commands, CommandInfo{Target: testTarget, Opcode: 0x8a, Out: 1024})
}

type recorder struct {
	opened, closed, failed atomic.Int32
	mu                     sync.Mutex
	commands               []CommandInfo
}

func (r *recorder) SessionOpened(SessionInfo)           { r.opened.Add(1) }
func (r *recorder) SessionClosed(SessionInfo)           { r.closed.Add(1) }
func (r *recorder) LoginFailed(string, pdu.LoginStatus) { r.failed.Add(1) }
func (r *recorder) CommandDone(c CommandInfo) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.commands = append(r.commands, c)
}

func TestTargets(t *testing.T) {
	s := New(Config{})
	ctx := context.Background()
	u := newFakeUnit(1)
	require.NoError(t, s.AddTarget(oneDisk(u)))
	require.True(t, blockdev.Is(s.AddTarget(Target{Name: "IQN.2026-11.DEV.twinlun:disk"}), blockdev.KindExists))
	for name, target := range map[string]Target{
		"name":          {Name: "disk"},
		"space in name": {Name: "iqn.2026-11.dev.twinlun:a disk"},
		"LUN":           {Name: testTarget + "2", Units: map[uint64]scsi.Unit{16384: u}},
		"no unit":       {Name: testTarget + "2", Units: map[uint64]scsi.Unit{0: nil}},
		"initiator":     {Name: testTarget + "2", Initiators: []string{"host"}},
		"short secret":  {Name: testTarget + "2", CHAP: &CHAP{User: "u", Secret: "12345678901"}},
		"no user":       {Name: testTarget + "2", CHAP: &CHAP{Secret: "123456789012"}},
		"same secrets":  {Name: testTarget + "2", CHAP: &CHAP{User: "u", Secret: "123456789012", MutualUser: "m", MutualSecret: "123456789012"}},
		"half mutual":   {Name: testTarget + "2", CHAP: &CHAP{User: "u", Secret: "123456789012", MutualUser: "m"}},
	} {
		require.True(t, blockdev.Is(s.AddTarget(target), blockdev.KindInvalid), name)
	}
	require.True(t, blockdev.Is(s.SetAccess(testTarget, []string{"x"}, nil), blockdev.KindInvalid))
	require.True(t, blockdev.Is(s.SetAccess(testTarget+"2", nil, nil), blockdev.KindNotFound))
	require.NoError(t, s.RemoveTarget(ctx, testTarget))
	require.True(t, blockdev.Is(s.RemoveTarget(ctx, testTarget), blockdev.KindNotFound))
	require.NoError(t, s.AddTarget(oneDisk(u)))
}

func TestRemoveTargetUnderLoad(t *testing.T) {
	u := newFakeUnit(1000)
	h := start(t, Config{}, oneDisk(u))
	var wg sync.WaitGroup
	var busy atomic.Int32
	for range 4 {
		d := h.dial(initiator.Options{})
		for range 4 {
			wg.Go(func() {
				b := make([]byte, 8192)
				for d.WriteAt(context.Background(), b, 0) == nil {
					busy.Add(1)
				}
			})
		}
	}
	eventually(t, func() bool { return busy.Load() > 100 }, "no load")
	w := h.connect().enter(77)
	require.NoError(t, h.RemoveTarget(context.Background(), testTarget))
	running, attached, _ := u.count()
	require.Zero(t, running, "commands run after RemoveTarget")
	require.Zero(t, attached)
	hd, _ := w.expect(pdu.OpAsync)
	var a pdu.Async
	a.Decode(&hd)
	require.Equal(t, pdu.AsyncDropSession, a.Event)
	w.expectEnd()
	wg.Wait()
	_, err := h.tryDial(initiator.Options{})
	require.ErrorContains(t, err, "no such target")
}

func TestRemoveTargetWaits(t *testing.T) {
	u := newFakeUnit(100)
	letGo, cancelled := holdReads(u)
	h := start(t, Config{}, oneDisk(u))
	w := h.connect().enter(1)
	w.command(first(read10(10)), rw10(0x28, 0, 1), nil)
	eventually(t, func() bool { n, _, _ := u.count(); return n == 1 }, "the command does not run")
	ctx, cancel := context.WithCancel(context.Background())
	removed := make(chan error, 1)
	go func() { removed <- h.RemoveTarget(ctx, testTarget) }()
	eventually(t, func() bool { return cancelled.Load() == 1 }, "the command is not cancelled")
	cancel()
	require.ErrorIs(t, <-removed, context.Canceled)
	close(letGo)
}

func TestSetAccess(t *testing.T) {
	h := start(t, Config{}, oneDisk(newFakeUnit(100)))
	w := h.connect().enter(1)
	require.NoError(t, h.SetAccess(testTarget, []string{testInitiator}, nil))
	w.command(pdu.Command{Final: true, ITT: 50}, make([]byte, 6), nil)
	_, _ = w.response(50)
	require.NoError(t, h.SetAccess(testTarget, []string{testInitiator + "2"}, nil))
	w.expect(pdu.OpAsync)
	w.expectEnd()
	_, err := h.tryDial(initiator.Options{})
	require.ErrorContains(t, err, "not allowed")
	require.NoError(t, h.SetAccess(testTarget, nil, &testCHAP))
	d := h.dial(initiator.Options{User: "host", Secret: testCHAP.Secret})
	require.NoError(t, h.SetAccess(testTarget, nil, &testCHAP))
	require.NoError(t, d.Flush(context.Background()), "nothing has changed for it")
	other := testCHAP
	other.Secret = "a-new-secret-1"
	require.NoError(t, h.SetAccess(testTarget, nil, &other))
	eventually(t, func() bool { return len(h.Sessions()) == 0 }, "the session stays")
	require.NoError(t, h.SetAccess(testTarget, nil, nil))
	h.dial(initiator.Options{})
}

func TestTextRequests(t *testing.T) {
	h := start(t, Config{Limits: Limits{TextBytes: 2000}}, oneDisk(newFakeUnit(1)), Target{Name: testTarget + "2"})
	w := h.connect().enter(1)
	ask := func(r pdu.Text, text ...string) (pdu.Text, pdu.Keys) {
		t.Helper()
		r.ITT, r.CmdSN = 5, w.cmdSN
		w.cmdSN++
		w.write(&r, keysOf(text...).Append(nil))
		hd, data := w.expect(pdu.OpTextResp)
		var a pdu.Text
		a.Decode(&hd)
		keys, err := pdu.ParseKeys(data)
		require.NoError(t, err)
		return a, keys
	}
	address := "TargetAddress=" + h.addr + ",1"
	plain := pdu.Text{Final: true, TTT: pdu.NoTag}
	a, keys := ask(plain, "SendTargets=")
	require.True(t, a.Final)
	require.EqualValues(t, pdu.NoTag, a.TTT)
	require.Equal(t, keysOf("TargetName="+testTarget, address), keys)
	_, keys = ask(plain, "SendTargets="+testTarget+"2")
	require.Equal(t, keysOf("TargetName="+testTarget+"2", address), keys)
	_, keys = ask(plain, "SendTargets=All")
	require.Equal(t, keysOf("SendTargets=Reject"), keys)
	_, keys = ask(plain, "SendTargets=iqn.2000-01.no:such", "X-y=1", "MaxBurstLength=512")
	require.Equal(t, keysOf("X-y=NotUnderstood", "MaxBurstLength=Reject"), keys)
	a, keys = ask(pdu.Text{Continue: true, TTT: pdu.NoTag}, "SendTargets=")
	require.False(t, a.Final)
	require.Empty(t, keys)
	_, keys = ask(pdu.Text{Final: true, TTT: a.TTT})
	require.Len(t, keys, 2)
	w.write(&pdu.Text{Final: true, ITT: 5, TTT: a.TTT, CmdSN: w.cmdSN}, nil) // it is over
	w.rejected(pdu.RejectProtocol)
	w.write(&pdu.Text{Final: true, ITT: 5, TTT: pdu.NoTag, CmdSN: w.cmdSN + 1}, make([]byte, 2001))
	w.rejected(pdu.RejectResources)
}

// A discovery session has no units.
func TestDiscoverySession(t *testing.T) {
	w := start(t, Config{}, oneDisk(newFakeUnit(1))).connect()
	resp, _ := w.login(pdu.LoginRequest{Transit: true, Current: pdu.StageOperational, Next: pdu.StageFullFeature, CmdSN: 1},
		who, "SessionType=Discovery")
	require.True(t, resp.Transit)
	w.command(pdu.Command{Final: true, ITT: 5}, make([]byte, 6), nil)
	w.rejected(pdu.RejectProtocol)
	w.manage(pdu.TaskRequest{Function: pdu.LogicalUnitReset, ITT: 6})
	w.rejected(pdu.RejectProtocol)
}

// pipes is a listener of connections in memory, for fake time.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	c, ok := <-p
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}

type closeOnce struct {
	pipes
	once sync.Once
}

func (c *closeOnce) Close() error   { c.once.Do(func() { close(c.pipes) }); return nil }
func (c *closeOnce) Addr() net.Addr { return &net.TCPAddr{} }

// inMemory is a server that is reached in memory, in fake time.
type inMemory struct {
	*Server
	t     *testing.T
	unit  *fakeUnit
	conns pipes
}

func (m *inMemory) connect() *wire {
	near, far := net.Pipe()
	m.t.Cleanup(func() { _ = near.Close() })
	m.conns <- far
	return &wire{t: m.t, nc: near, rd: pdu.NewReader(near, 1<<20), wr: pdu.NewWriter(near), cmdSN: 1}
}

// bubble runs f in fake time.
func bubble(t *testing.T, cfg Config, f func(t *testing.T, m *inMemory)) {
	synctest.Test(t, func(t *testing.T) {
		m := &inMemory{Server: New(cfg), t: t, unit: newFakeUnit(100), conns: make(pipes, 1)}
		require.NoError(t, m.AddTarget(oneDisk(m.unit)))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- m.Serve(ctx, &closeOnce{pipes: m.conns}) }()
		defer func() {
			cancel()
			require.NoError(t, <-ended)
		}()
		f(t, m)
	})
}

func TestKeepAlive(t *testing.T) {
	bubble(t, Config{Limits: Limits{PingInterval: time.Minute}}, func(t *testing.T, h *inMemory) {
		w := h.connect().enter(1)
		began := time.Now()
		for i := range 3 { // an initiator that answers stays
			hd, _ := w.expect(pdu.OpNopIn)
			require.InDelta(t, 2*i+1, time.Since(began).Minutes(), 0.1)
			var n pdu.NopIn
			n.Decode(&hd)
			require.EqualValues(t, pdu.NoTag, n.ITT)
			require.NotEqualValues(t, pdu.NoTag, n.TTT)
			w.write(&pdu.NopOut{Immediate: true, ITT: pdu.NoTag, TTT: n.TTT, CmdSN: w.cmdSN}, nil)
		}
		w.expect(pdu.OpNopIn)
		w.expectEnd() // one that does not is dropped
		synctest.Wait()
		require.Empty(t, h.Sessions())
		require.InDelta(t, 8, time.Since(began).Minutes(), 0.1)
	})
}

// An initiator that takes nothing is cut, whoever sends: the worker of a sole command, or
// the sender.
func TestSlowInitiator(t *testing.T) {
	limits := Limits{WriteTimeout: time.Minute, PingInterval: time.Hour}
	for _, commands := range []uint32{1, 100} {
		bubble(t, Config{Limits: limits}, func(t *testing.T, h *inMemory) {
			w := h.connect().enter(1)
			began := time.Now()
			w.readMany(commands)
			for len(h.Sessions()) > 0 {
				<-time.After(time.Second) // fake time
			}
			require.Less(t, time.Since(began), 2*time.Minute)
		})
		bubble(t, Config{Limits: limits}, func(t *testing.T, h *inMemory) {
			h.connect().enter(1).readMany(commands)
			synctest.Wait()
			began := time.Now()
			require.NoError(t, h.RemoveTarget(t.Context(), testTarget))
			require.LessOrEqual(t, time.Since(began), 2*lastWords)
		})
	}
}

// readMany sends so many reads at once and takes no answer.
func (w *wire) readMany(commands uint32) {
	w.t.Helper()
	for i := range commands {
		c, cdb := read10(i)
		c.CmdSN = i + 1
		copy(c.CDB[:], cdb)
		var hd pdu.Header
		c.Encode(&hd)
		require.NoError(w.t, w.wr.Write(&hd, nil, nil))
	}
	require.NoError(w.t, w.wr.Flush())
}

func TestListenerFails(t *testing.T) {
	s := New(Config{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	require.Error(t, s.Serve(context.Background(), l))
}

func TestTargetAddress(t *testing.T) {
	for text, want := range map[string]string{
		"10.0.0.1:3260": "10.0.0.1:3260,1", "[fe80::1%eth0]:3260": "[fe80::1]:3260,1", "[::ffff:10.0.0.1]:860": "10.0.0.1:860,1", "pipe": "pipe,1",
	} {
		require.Equal(t, want, targetAddress(textAddr(text)))
	}
}

type textAddr string

func (textAddr) Network() string  { return "tcp" }
func (a textAddr) String() string { return string(a) }

// Pings that an initiator sends without taking the answers cost no more memory
// than commands may.
func TestPingFlood(t *testing.T) {
	bubble(t, Config{Limits: Limits{SessionBytes: 3000, PingInterval: time.Hour}}, func(t *testing.T, h *inMemory) {
		w := h.connect().enter(1)
		for i := range uint32(8) {
			w.write(&pdu.NopOut{Immediate: true, ITT: i, TTT: pdu.NoTag, CmdSN: 1}, make([]byte, 1000))
		}
		count := map[pdu.Opcode]int{}
		for range 8 {
			hd, _ := w.read()
			count[hd.Opcode()]++
		}
		// The sender may hold some in its buffer beside the three that count.
		require.Equal(t, 8, count[pdu.OpNopIn]+count[pdu.OpReject])
		require.GreaterOrEqual(t, count[pdu.OpNopIn], 3)
		require.GreaterOrEqual(t, count[pdu.OpReject], 2)
		w.write(&pdu.NopOut{Immediate: true, ITT: 9, TTT: pdu.NoTag, CmdSN: 1}, make([]byte, 1000))
		w.expect(pdu.OpNopIn)
	})
}
