package pdu

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

type codec interface {
	Decode(*Header)
	Encode(*Header)
}

var seq = Sequence{StatSN: 0x11121314, ExpCmdSN: 0x21222324, MaxCmdSN: 0x31323334}

// golden holds one PDU of each type and its 48 bytes, laid out by hand from the
// figures of RFC 7143 section 11.
var golden = []struct {
	name  string
	value codec
	empty func() codec
	bytes string
}{
	{"command", &Command{Immediate: true, Final: true, Read: true, Attr: Ordered, LUN: 1 << 48, ITT: 0x0a0b0c0d, Expected: 4096,
		CmdSN: 7, ExpStatSN: 9, CDB: [16]byte{0x28, 0, 0, 0, 0, 8, 0, 0, 8, 0}}, func() codec { return &Command{} },
		`41c20000 00000000 0001000000000000 0a0b0c0d 00001000 00000007 00000009 28000000000800000800 000000000000`},
	{"write command", &Command{Write: true, Attr: Simple, ITT: 1}, func() codec { return &Command{} },
		`01210000 00000000 0000000000000000 00000001 00000000 00000000 00000000 00000000000000000000000000000000`},
	{"response", &Response{Response: 1, Status: 2, ITT: 5, Sequence: seq, ExpDataSN: 3, Residual: Residual{Underflow: true, Count: 512}},
		func() codec { return &Response{} },
		`21820102 00000000 0000000000000000 00000005 00000000 11121314 21222324 31323334 00000003 00000000 00000200`},
	{"data-out", &DataOut{Final: true, LUN: 2, ITT: 5, TTT: 6, ExpStatSN: 7, DataSN: 8, Offset: 9}, func() codec { return &DataOut{} },
		`05800000 00000000 0000000000000002 00000005 00000006 00000000 00000007 00000000 00000008 00000009 00000000`},
	{"data-in", &DataIn{Final: true, HasStatus: true, Status: 8, LUN: 2, ITT: 5, Sequence: seq, DataSN: 8, Offset: 9,
		Residual: Residual{Overflow: true, Count: 1}}, func() codec { return &DataIn{} },
		`25850008 00000000 0000000000000002 00000005 ffffffff 11121314 21222324 31323334 00000008 00000009 00000001`},
	{"r2t", &R2T{LUN: 2, ITT: 5, TTT: 6, Sequence: seq, R2TSN: 1, Offset: 4096, Length: 8192}, func() codec { return &R2T{} },
		`31800000 00000000 0000000000000002 00000005 00000006 11121314 21222324 31323334 00000001 00001000 00002000`},
	{"task request", &TaskRequest{Immediate: true, Function: LogicalUnitReset, LUN: 2, ITT: 5, RefITT: 6, CmdSN: 7, ExpStatSN: 8,
		RefCmdSN: 9, ExpDataSN: 10}, func() codec { return &TaskRequest{} },
		`42850000 00000000 0000000000000002 00000005 00000006 00000007 00000008 00000009 0000000a 00000000 00000000`},
	{"task response", &TaskResponse{Result: TaskNoLUN, ITT: 5, Sequence: seq}, func() codec { return &TaskResponse{} },
		`22800200 00000000 0000000000000000 00000005 00000000 11121314 21222324 31323334 00000000 00000000 00000000`},
	{"login request", &LoginRequest{Transit: true, Current: StageOperational, Next: StageFullFeature, VersionMax: 1, VersionMin: 2,
		ISID: [6]byte{0x80, 1, 2, 3, 4, 5}, TSIH: 0x0607, ITT: 5, CID: 6, CmdSN: 7, ExpStatSN: 8}, func() codec { return &LoginRequest{} },
		`43870102 00000000 800102030405 0607 00000005 0006 0000 00000007 00000008 00000000000000000000000000000000`},
	{"login response", &LoginResponse{Continue: true, Current: StageSecurity, VersionMax: 1, VersionActive: 2,
		ISID: [6]byte{0x80, 1, 2, 3, 4, 5}, TSIH: 0x0607, ITT: 5, Sequence: seq, Status: LoginNotFound}, func() codec { return &LoginResponse{} },
		`23400102 00000000 800102030405 0607 00000005 00000000 11121314 21222324 31323334 0203 0000 0000000000000000`},
	{"text request", &Text{Immediate: true, Continue: true, LUN: 2, ITT: 5, TTT: 6, CmdSN: 7, ExpStatSN: 8}, func() codec { return &Text{} },
		`44400000 00000000 0000000000000002 00000005 00000006 00000007 00000008 00000000000000000000000000000000`},
	{"text response", &Text{IsResponse: true, Final: true, LUN: 2, ITT: 5, TTT: NoTag, Sequence: seq}, func() codec { return &Text{} },
		`24800000 00000000 0000000000000002 00000005 ffffffff 11121314 21222324 31323334 000000000000000000000000`},
	{"logout request", &LogoutRequest{Immediate: true, Reason: LogoutRecovery, ITT: 5, CID: 6, CmdSN: 7, ExpStatSN: 8},
		func() codec { return &LogoutRequest{} },
		`46820000 00000000 0000000000000000 00000005 0006 0000 00000007 00000008 00000000000000000000000000000000`},
	{"logout response", &LogoutResponse{Result: LogoutNoCID, ITT: 5, Sequence: seq, Time2Wait: 2, Time2Retain: 20},
		func() codec { return &LogoutResponse{} },
		`26800100 00000000 0000000000000000 00000005 00000000 11121314 21222324 31323334 00000000 0002 0014 00000000`},
	{"nop-out", &NopOut{Immediate: true, LUN: 2, ITT: 5, TTT: NoTag, CmdSN: 7, ExpStatSN: 8}, func() codec { return &NopOut{} },
		`40800000 00000000 0000000000000002 00000005 ffffffff 00000007 00000008 00000000000000000000000000000000`},
	{"nop-in", &NopIn{LUN: 2, ITT: NoTag, TTT: 6, Sequence: seq}, func() codec { return &NopIn{} },
		`20800000 00000000 0000000000000002 ffffffff 00000006 11121314 21222324 31323334 000000000000000000000000`},
	{"async", &Async{LUN: 2, Sequence: seq, Event: AsyncDropSession, Code: 4, Parameters: [3]uint16{1, 2, 3}}, func() codec { return &Async{} },
		`32800000 00000000 0000000000000002 ffffffff 00000000 11121314 21222324 31323334 03 04 0001 0002 0003 00000000`},
	{"reject", &Reject{Reason: RejectProtocol, Sequence: seq, DataSN: 9}, func() codec { return &Reject{} },
		`3f800400 00000000 0000000000000000 ffffffff 00000000 11121314 21222324 31323334 00000009 0000000000000000`},
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	require.NoError(t, err)
	return b
}

func TestGolden(t *testing.T) {
	for _, g := range golden {
		t.Run(g.name, func(t *testing.T) {
			want := unhex(t, g.bytes)
			require.Len(t, want, HeaderLen)
			h := Header{1, 2, 3, 4, 5, 6, 7} // Encode must clear what was there
			g.value.Encode(&h)
			require.Equal(t, hex.EncodeToString(want), hex.EncodeToString(h[:]))
			got := g.empty()
			got.Decode((*Header)(want))
			require.Equal(t, g.value, got)
		})
	}
}

func TestHeaderFields(t *testing.T) {
	h := Header(unhex(t, golden[0].bytes))
	h.setLengths(8, 0x010203)
	require.Equal(t, OpCommand, h.Opcode())
	require.True(t, h.Immediate())
	require.True(t, h.Final())
	require.Equal(t, 8, h.AHSLen())
	require.Equal(t, 0x010203, h.DataLen())
	require.EqualValues(t, 0x0a0b0c0d, h.ITT())
	require.EqualValues(t, 7, h.CmdSN())
}

func TestBefore(t *testing.T) {
	for _, c := range []struct {
		a, b uint32
		want bool
	}{{1, 2, true}, {2, 1, false}, {1, 1, false}, {0xffffffff, 0, true}, {0, 0xffffffff, false}, {0xfffffff0, 0x10, true}} {
		require.Equal(t, c.want, Before(c.a, c.b), "%d %d", c.a, c.b)
	}
}

// What was decoded must survive being encoded, whatever the bytes were.
func FuzzCodecs(f *testing.F) {
	for _, g := range golden {
		f.Add(unhex(f, g.bytes))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) != HeaderLen {
			return
		}
		for _, g := range golden {
			first, second := g.empty(), g.empty()
			in := Header(b)
			if _, isText := first.(*Text); isText && in.Opcode() != OpTextReq && in.Opcode() != OpTextResp {
				continue
			}
			first.Decode(&in)
			var out Header
			first.Encode(&out)
			second.Decode(&out)
			require.Equal(t, first, second, g.name)
		}
	})
}
