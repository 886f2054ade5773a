package initiator

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/iscsi/pdu"
)

var ctx = context.Background()

func TestLogin(t *testing.T) {
	for _, c := range []struct {
		name   string
		script func(p *target)
		err    string
	}{
		{"at once", func(p *target) { p.login(); p.ready() }, ""},
		{"the target takes its time", func(p *target) {
			h, _ := p.read()
			var r pdu.LoginRequest
			r.Decode(&h)
			p.respond(r, false, text("AuthMethod=None"))
			p.answer(nil)
			h, _ = p.read()
			r.Decode(&h)
			p.respond(r, false, nil)
			p.answer(nil)
			p.ready()
		}, ""},
		{"an answer in two pieces", func(p *target) {
			h, _ := p.read()
			var r pdu.LoginRequest
			r.Decode(&h)
			p.write(&pdu.LoginResponse{Continue: true, Current: r.Current, Sequence: p.next()}, []byte("AuthMet"))
			h, _ = p.read()
			r.Decode(&h)
			if r.Transit {
				p.t.Error("transit in the middle of a text")
			}
			p.write(&pdu.LoginResponse{Transit: true, Current: r.Current, Next: 1, Sequence: p.next()}, []byte("hod=None\x00"))
			p.answer(nil)
			p.ready()
		}, ""},
		{"refused", func(p *target) {
			p.read()
			p.write(&pdu.LoginResponse{Status: pdu.LoginForbidden}, nil)
		}, "not allowed"},
		{"refused for a reason of its own", func(p *target) {
			p.read()
			p.write(&pdu.LoginResponse{Status: 0x03ff}, nil)
		}, "0x03ff"},
		{"never leaves security", func(p *target) {
			for range 2 {
				h, _ := p.read()
				var r pdu.LoginRequest
				r.Decode(&h)
				p.respond(r, false, nil)
			}
		}, "does not end"},
		{"never enters full feature phase", func(p *target) {
			p.answer(nil)
			for range maxLoginSteps {
				h, _ := p.read()
				var r pdu.LoginRequest
				r.Decode(&h)
				p.respond(r, false, nil)
			}
		}, "does not end"},
		{"not a login response", func(p *target) { p.read(); p.write(&pdu.NopIn{}, nil) }, "opcode"},
		{"hangs up", func(p *target) { p.read(); p.hangUp() }, "EOF"},
		{"bad text", func(p *target) { p.answer([]byte("none")) }, "malformed"},
		{"bad segment length", func(p *target) { p.answer(nil); p.answer(text("MaxRecvDataSegmentLength=1")) }, "MaxRecvDataSegmentLength"},
		{"bad first burst", func(p *target) { p.answer(nil); p.answer(text("FirstBurstLength=x")) }, "FirstBurstLength"},
		{"no capacity", func(p *target) {
			p.login()
			p.status(p.command(opTestUnitReady), 0)
			c := p.command(opServiceIn16)
			p.write(&pdu.DataIn{Final: true, HasStatus: true, ITT: c.ITT, Sequence: p.next()}, make([]byte, 32))
		}, "capacity"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := dial(t, play(t, c.script))
			if c.err == "" {
				require.NoError(t, err)
				require.EqualValues(t, 64*512, d.Size())
				return
			}
			require.ErrorContains(t, err, c.err)
		})
	}
}

func TestMutualCHAPIsInsistedOn(t *testing.T) {
	o := play(t, func(p *target) { p.answer(text("AuthMethod=None")) })
	o.User, o.Secret, o.MutualUser, o.MutualSecret = "u", "s", "m", "t"
	_, err := dial(t, o)
	require.ErrorContains(t, err, "does not prove")
	o = play(t, func(p *target) {
		p.answer(text("AuthMethod=CHAP"))
		p.answer(text("CHAP_A=5", "CHAP_I=300", "CHAP_C=0x00"))
	})
	o.User, o.Secret = "u", "s"
	_, err = dial(t, o)
	require.ErrorIs(t, err, errProtocol)
}

func TestStatusToError(t *testing.T) {
	for _, c := range []struct {
		status byte
		sense  []byte
		kind   blockdev.Kind
	}{
		{statusCheck, []byte{0x03, 0x11, 0}, blockdev.KindIO},
		{statusCheck, []byte{0x05, 0x21, 0}, blockdev.KindInvalid},
		{statusCheck, []byte{0x07, 0x27, 0}, blockdev.KindReadOnly},
		{statusCheck, []byte{0x07, 0x27, 7}, blockdev.KindNoSpace},
		{statusCheck, nil, blockdev.KindIO},
		{0x18, nil, blockdev.KindIO},
	} {
		d := disk(t, func(p *target) { p.status(p.command(opSyncCache16), c.status, c.sense...) })
		err := d.Flush(ctx)
		require.Equal(t, c.kind, blockdev.KindOf(err), "%v", err)
		require.Error(t, err)
	}
}

func TestTriesAgain(t *testing.T) {
	d := disk(t, func(p *target) {
		p.status(p.command(opSyncCache16), statusBusy)
		p.status(p.command(opSyncCache16), statusTaskSetFull)
		p.status(p.command(opSyncCache16), statusCheck, senseUnitAttention, 0x29, 0)
		p.status(p.command(opSyncCache16), statusGood)
		for range attempts {
			p.status(p.command(opSyncCache16), statusCheck, senseUnitAttention, 0x29, 0)
		}
		p.status(p.command(opSyncCache16), statusBusy)
	})
	require.NoError(t, d.Flush(ctx))
	require.ErrorContains(t, d.Flush(ctx), "06/29/00", "not for ever")
	gone, cancel := context.WithTimeout(ctx, 5*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, d.Flush(gone), context.DeadlineExceeded)
}

// What a target must not do ends the session with an error, for all calls.
func TestBadTargets(t *testing.T) {
	for name, script := range map[string]func(p *target, c pdu.Command){
		"R2T outside of the data": func(p *target, c pdu.Command) {
			p.write(&pdu.R2T{ITT: c.ITT, TTT: 1, Offset: 512, Length: 512, Sequence: p.seq}, nil)
		},
		"R2T of nobody": func(p *target, c pdu.Command) { p.write(&pdu.R2T{ITT: c.ITT + 9, TTT: 1, Sequence: p.seq}, nil) },
		"a flood of R2Ts": func(p *target, c pdu.Command) {
			for range 3 * maxEvents {
				p.write(&pdu.R2T{ITT: c.ITT, TTT: 1, Length: 512, Sequence: p.seq}, nil)
			}
		},
		"data nobody asked for":     func(p *target, c pdu.Command) { p.write(&pdu.DataIn{ITT: c.ITT}, make([]byte, 512)) },
		"response of nobody":        func(p *target, c pdu.Command) { p.status(pdu.Command{ITT: c.ITT + 9}, 0) },
		"text out of the blue":      func(p *target, c pdu.Command) { p.write(&pdu.Text{IsResponse: true, ITT: 99}, nil) },
		"logout out of the blue":    func(p *target, c pdu.Command) { p.write(&pdu.LogoutResponse{ITT: 99}, nil) },
		"a request":                 func(p *target, c pdu.Command) { p.write(&pdu.NopOut{}, nil) },
		"an answer of another kind": func(p *target, c pdu.Command) { p.write(&pdu.LoginResponse{}, nil) },
		"hangs up":                  func(p *target, c pdu.Command) { p.hangUp() },
	} {
		t.Run(name, func(t *testing.T) {
			d := disk(t, func(p *target) { script(p, p.command(opWrite16)) })
			require.True(t, blockdev.Is(d.WriteAt(ctx, make([]byte, 512), 0), blockdev.KindIO))
			require.True(t, blockdev.Is(d.Flush(ctx), blockdev.KindIO), "what is broken stays so")
		})
	}
}

func (p *target) hangUp() {
	p.rd = pdu.NewReader(bytes.NewReader(nil), 0) // the script's end closes
}

func TestTargetFailure(t *testing.T) {
	d := disk(t, func(p *target) {
		p.write(&pdu.Response{Response: 1, ITT: p.command(opSyncCache16).ITT, Sequence: p.next()}, nil)
	})
	require.ErrorContains(t, d.Flush(ctx), "target failure")
}

// Pings are answered, also while a command waits; messages are taken note of.
func TestPingAndMessages(t *testing.T) {
	d := disk(t, func(p *target) {
		c := p.command(opSyncCache16)
		p.write(&pdu.NopIn{ITT: pdu.NoTag, TTT: 77, Sequence: p.seq}, nil)
		h, _ := p.read()
		var n pdu.NopOut
		n.Decode(&h)
		if n.TTT != 77 || n.ITT != pdu.NoTag || !n.Immediate {
			p.t.Errorf("answer to a ping: %+v", n)
		}
		p.write(&pdu.NopIn{ITT: pdu.NoTag, TTT: pdu.NoTag, Sequence: p.seq}, nil)
		p.write(&pdu.Async{Event: pdu.AsyncLogoutRequest, Sequence: p.next()}, nil)
		p.status(c, 0)
	})
	require.NoError(t, d.Flush(ctx))
}

// A call that is given up cuts the session, because only then its buffer is
// certainly no longer used.
func TestContextCuts(t *testing.T) {
	read := make(chan struct{})
	d := disk(t, func(p *target) {
		p.command(opRead16)
		close(read)
	})
	c, cancel := context.WithCancel(ctx)
	go func() { <-read; cancel() }()
	require.ErrorIs(t, d.ReadAt(c, make([]byte, 512), 0), context.Canceled)
	require.Error(t, d.Flush(ctx))
}

// A target that opens its window one by one gets one command at a time.
func TestWindow(t *testing.T) {
	d := disk(t, func(p *target) {
		c := p.command(opSyncCache16)
		for range 9 {
			p.seq.ExpCmdSN, p.seq.MaxCmdSN = c.CmdSN+1, c.CmdSN+1
			p.status(c, 0)
			c = p.command(opSyncCache16)
		}
		p.status(c, 0)
	})
	d.c.mu.Lock()
	d.c.mu.maxCmdSN = d.c.mu.cmdSN
	d.c.mu.Unlock()
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			if err := d.Flush(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestDiscoverAnswers(t *testing.T) {
	script := func(pieces ...string) func(p *target) {
		return func(p *target) {
			p.answer(nil)
			p.answer(nil)
			for i, piece := range pieces {
				h, _ := p.read()
				last := i == len(pieces)-1
				a := pdu.Text{IsResponse: true, Final: last, Continue: !last, ITT: h.ITT(), TTT: 5, Sequence: p.next()}
				if last {
					a.TTT = pdu.NoTag
				}
				p.write(&a, []byte(piece))
			}
		}
	}
	got, err := Discover(ctx, "fake", play(t, script("TargetName=a\x00TargetAdd", "ress=h:1,1\x00TargetAddress=i:1,2\x00TargetName=b\x00")))
	require.NoError(t, err)
	require.Equal(t, []Found{{"a", []string{"h:1,1", "i:1,2"}}, {"b", nil}}, got)
	_, err = Discover(ctx, "fake", play(t, script("TargetAddress=h:1,1\x00")))
	require.ErrorIs(t, err, errProtocol)
	_, err = Discover(ctx, "fake", play(t, script("nonsense")))
	require.ErrorIs(t, err, pdu.ErrText)
	_, err = Discover(ctx, "fake", play(t, func(p *target) { p.answer(nil); p.answer(nil); p.read(); p.hangUp() }))
	require.True(t, blockdev.Is(err, blockdev.KindIO))
	_, err = Discover(ctx, "fake", play(t, func(p *target) { p.read(); p.write(&pdu.LoginResponse{Status: pdu.LoginAuthFailed}, nil) }))
	_, refused := errors.AsType[*LoginError](err)
	require.True(t, refused)
}

// Whatever a target sends after the login, calls end and nothing crashes.
func FuzzTarget(f *testing.F) {
	f.Add([]byte{})
	f.Add(append([]byte{0x25, 0x81}, make([]byte, 46)...))
	f.Add(append([]byte{0x31, 0x80}, make([]byte, 46)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		d := disk(t, func(p *target) {
			p.command(opWrite16)
			_, _ = p.raw.Write(b)
			p.hangUp()
		})
		_ = d.WriteAt(ctx, make([]byte, 512), 0)
		require.NoError(t, d.Close())
	})
}
