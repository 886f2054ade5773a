package initiator

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev/iscsi/pdu"
)

// target is the other end of a connection, played by a test.
type target struct {
	t   *testing.T
	rd  *pdu.Reader
	wr  *pdu.Writer
	raw net.Conn
	// seq is sent with each PDU; StatSN counts up.
	seq pdu.Sequence
}

type encoder interface{ Encode(*pdu.Header) }

// play makes a dialer whose connections are served by script, each in turn.
func play(t *testing.T, script func(p *target)) Options {
	ended := make(chan struct{}, 16)
	started := 0
	t.Cleanup(func() {
		for range started {
			select {
			case <-ended:
			case <-time.After(20 * time.Second):
				t.Error("the script does not end")
			}
		}
	})
	return Options{Dial: func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		started++
		go func() {
			defer func() { ended <- struct{}{} }()
			defer far.Close()
			p := &target{t: t, raw: far, rd: pdu.NewReader(far, 1<<20), wr: pdu.NewWriter(far), seq: pdu.Sequence{StatSN: 1, ExpCmdSN: 1, MaxCmdSN: 32}}
			script(p)
			var h pdu.Header
			for p.rd.Next(&h) == nil { // take what comes until the initiator is gone
				if h.Opcode() == pdu.OpLogoutReq {
					p.write(&pdu.LogoutResponse{ITT: h.ITT(), Sequence: p.next()}, nil)
				}
			}
		}()
		return near, nil
	}}
}

func (p *target) next() pdu.Sequence {
	p.seq.StatSN++
	return p.seq
}

func (p *target) write(e encoder, data []byte) {
	var h pdu.Header
	e.Encode(&h)
	_ = p.wr.Write(&h, nil, data)
	_ = p.wr.Flush()
}

func (p *target) read() (h pdu.Header, data []byte) {
	if p.rd.Next(&h) == nil {
		data = make([]byte, h.DataLen())
		_ = p.rd.Data(data)
	}
	return h, data
}

func text(s ...string) []byte { return []byte(strings.Join(s, "\x00") + "\x00") }

// answer answers a login request as the initiator wishes, with those keys.
func (p *target) answer(keys []byte) pdu.LoginRequest {
	h, _ := p.read()
	var r pdu.LoginRequest
	r.Decode(&h)
	p.respond(r, r.Transit, keys)
	return r
}

func (p *target) respond(r pdu.LoginRequest, transit bool, keys []byte) {
	a := pdu.LoginResponse{Transit: transit, Current: r.Current, ISID: r.ISID, TSIH: 1, ITT: r.ITT, Sequence: p.next()}
	if transit {
		a.Next = r.Next
	}
	p.write(&a, keys)
}

// login lets the initiator in.
func (p *target) login(keys ...string) {
	p.answer(text("AuthMethod=None"))
	p.answer(text(append([]string{"InitialR2T=Yes", "ImmediateData=No"}, keys...)...))
}

// command reads a command and gives its header.
func (p *target) command(opcode byte) pdu.Command {
	h, _ := p.read()
	var c pdu.Command
	c.Decode(&h)
	if h.Opcode() != pdu.OpCommand || c.CDB[0] != opcode {
		p.t.Errorf("command %x expected: %x", opcode, h)
	}
	p.seq.ExpCmdSN, p.seq.MaxCmdSN = c.CmdSN+1, c.CmdSN+32
	return c
}

func (p *target) status(c pdu.Command, status byte, sense ...byte) {
	var data []byte
	if len(sense) == 3 {
		data = make([]byte, 20)
		data[1], data[2], data[4], data[14], data[15] = 18, 0x70, sense[0], sense[1], sense[2]
	}
	p.write(&pdu.Response{Status: status, ITT: c.ITT, Sequence: p.next()}, data)
}

// ready answers what Dial asks: a unit of 64 blocks.
func (p *target) ready() {
	p.status(p.command(opTestUnitReady), 0)
	c := p.command(opServiceIn16)
	b := make([]byte, 32)
	b[7], b[10] = 63, 2
	p.write(&pdu.DataIn{Final: true, HasStatus: true, ITT: c.ITT, Sequence: p.next()}, b)
}

func dial(t *testing.T, o Options) (*Disk, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	d, err := Dial(ctx, "fake", "iqn.2000-01.a:b", o)
	if err == nil {
		t.Cleanup(func() { _ = d.Close() })
	}
	return d, err
}

// disk is a Disk whose target goes on with script.
func disk(t *testing.T, script func(p *target)) *Disk {
	t.Helper()
	d, err := dial(t, play(t, func(p *target) {
		p.login()
		p.ready()
		script(p)
	}))
	require.NoError(t, err)
	return d
}
