package iscsi

import (
	"bytes"
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev/iscsi/pdu"
	"twinlun/blockdev/scsi"
)

// liberal is what lets a test send data as it likes.
var liberal = []string{"InitialR2T=No", "ImmediateData=Yes", "FirstBurstLength=2048", "MaxBurstLength=2048", "MaxOutstandingR2T=2"}

func write10(itt uint32, blocks, expected int) (pdu.Command, []byte) {
	return pdu.Command{Final: true, Write: true, Attr: pdu.Simple, ITT: itt, Expected: uint32(expected)}, rw10(0x2a, 0, blocks)
}

func (w *wire) dataOut(itt, ttt, sn uint32, off int, data []byte, final bool) {
	w.t.Helper()
	w.write(&pdu.DataOut{Final: final, ITT: itt, TTT: ttt, DataSN: sn, Offset: uint32(off)}, data)
}

func (w *wire) r2t() pdu.R2T {
	w.t.Helper()
	h, _ := w.expect(pdu.OpR2T)
	var r pdu.R2T
	r.Decode(&h)
	return r
}

func TestWriteByR2T(t *testing.T) {
	u := newFakeUnit(100)
	h := start(t, Config{}, oneDisk(u))
	w := h.connect().enter(1, liberal...)
	data := fill(make([]byte, 8192), 1)
	c, cdb := write10(5, 16, 8192)
	c.Final = false
	w.command(c, cdb, data[:512])
	w.dataOut(5, pdu.NoTag, 0, 512, data[512:1024], false)
	w.dataOut(5, pdu.NoTag, 1, 1024, data[1024:1536], true) // less than the first burst could be
	first, second := w.r2t(), w.r2t()
	require.Equal(t, [4]uint32{0, 1536, 2048, 0}, [4]uint32{first.R2TSN, first.Offset, first.Length, uint32(first.LUN)})
	require.Equal(t, [3]uint32{1, 3584, 2048}, [3]uint32{second.R2TSN, second.Offset, second.Length})
	require.NotEqual(t, first.TTT, second.TTT)
	w.dataOut(5, first.TTT, 0, 1536, data[1536:2048], false)
	w.dataOut(5, first.TTT, 1, 2048, data[2048:3584], true)
	third := w.r2t()
	require.Equal(t, [3]uint32{2, 5632, 2048}, [3]uint32{third.R2TSN, third.Offset, third.Length})
	w.dataOut(5, second.TTT, 0, 3584, data[3584:5632], true)
	fourth := w.r2t()
	require.Equal(t, [3]uint32{3, 7680, 512}, [3]uint32{fourth.R2TSN, fourth.Offset, fourth.Length})
	w.dataOut(5, third.TTT, 0, 5632, data[5632:7680], true)
	w.dataOut(5, fourth.TTT, 0, 7680, data[7680:], true)
	r, _ := w.response(5)
	require.Zero(t, r.Status)
	require.Equal(t, pdu.Residual{}, r.Residual)
	require.Equal(t, data, u.data[:8192])
}

// Data that is not as announced fails the command, and the session goes on.
func TestBadDataOut(t *testing.T) {
	block := make([]byte, 512)
	for _, c := range []struct {
		name  string
		offer []string
		asc   []byte
		send  func(w *wire)
	}{
		{"DataSN of unsolicited data", liberal, []byte{0x47, 5}, func(w *wire) { w.dataOut(5, pdu.NoTag, 1, 512, block, true) }},
		{"DataSN again", liberal, []byte{0x47, 5}, func(w *wire) {
			w.dataOut(5, pdu.NoTag, 0, 512, block, false)
			w.dataOut(5, pdu.NoTag, 0, 1024, block, true)
		}},
		{"offset of unsolicited data", liberal, []byte{0x47, 5}, func(w *wire) { w.dataOut(5, pdu.NoTag, 0, 1024, block, true) }},
		{"beyond the first burst", liberal, []byte{0x0c, 0x0d}, func(w *wire) { w.dataOut(5, pdu.NoTag, 0, 512, make([]byte, 2048), true) }},
		{"an R2T that never was", liberal, []byte{0x0c, 0x0c}, func(w *wire) { w.dataOut(5, 12345, 0, 512, block, true) }},
		{"unsolicited after the burst", liberal, []byte{0x0c, 0x0c}, func(w *wire) {
			w.dataOut(5, pdu.NoTag, 0, 512, block, true)
			_, _ = w.r2t(), w.r2t()
			w.dataOut(5, pdu.NoTag, 1, 1024, block, true)
		}},
		{"DataSN of solicited data", liberal, []byte{0x47, 5}, func(w *wire) {
			w.dataOut(5, pdu.NoTag, 0, 512, block, true)
			r, _ := w.r2t(), w.r2t()
			w.dataOut(5, r.TTT, 1, int(r.Offset), block, false)
		}},
		{"offset of solicited data", liberal, []byte{0x47, 5}, func(w *wire) {
			w.dataOut(5, pdu.NoTag, 0, 512, block, true)
			r, _ := w.r2t(), w.r2t()
			w.dataOut(5, r.TTT, 0, int(r.Offset)+512, block, true)
		}},
		{"more than asked for", liberal, []byte{0x0c, 0x0d}, func(w *wire) {
			w.dataOut(5, pdu.NoTag, 0, 512, block, true)
			r, _ := w.r2t(), w.r2t()
			w.dataOut(5, r.TTT, 0, int(r.Offset), make([]byte, 2560), true)
		}},
		{"less than asked for", liberal, []byte{0x0c, 0x0d}, func(w *wire) {
			w.dataOut(5, pdu.NoTag, 0, 512, block, true)
			r, _ := w.r2t(), w.r2t()
			w.dataOut(5, r.TTT, 0, int(r.Offset), block, true)
		}},
		{"more to come though all must be asked for", nil, []byte{0x0c, 0x0c}, func(*wire) {}},
		{"immediate data though there is none", []string{"ImmediateData=No", "InitialR2T=No"}, []byte{0x0c, 0x0c}, func(*wire) {}},
	} {
		t.Run(c.name, func(t *testing.T) {
			u := newFakeUnit(100)
			h := start(t, Config{}, oneDisk(u))
			w := h.connect().enter(1, c.offer...)
			cmd, cdb := write10(5, 16, 8192)
			cmd.Final = false
			w.command(cmd, cdb, block)
			c.send(w)
			r, data := w.response(5)
			require.EqualValues(t, scsi.StatusCheckCondition, r.Status)
			require.Equal(t, []byte{0, 18, 0x70, 0, 0x0b}, data[:5])
			require.Equal(t, c.asc, data[14:16])
			require.Equal(t, pdu.Residual{Underflow: true, Count: 8192}, r.Residual)
			require.Empty(t, u.executed(), "nothing was written")
			w.dataOut(5, pdu.NoTag, 9, 0, block, true) // what comes late is dropped
			w.command(pdu.Command{Final: true, ITT: 6}, make([]byte, 6), nil)
			r, _ = w.response(6)
			require.Zero(t, r.Status)
		})
	}
}

func TestImmediateBeyondExpected(t *testing.T) {
	w := start(t, Config{}, oneDisk(newFakeUnit(100))).connect().enter(1)
	c, cdb := write10(5, 1, 256)
	w.command(c, cdb, make([]byte, 512))
	_, data := w.response(5)
	require.Equal(t, []byte{0x0c, 0x0d}, data[14:16])
}

// Residuals of RFC 7143 section 11.4.5.
func TestResiduals(t *testing.T) {
	over := func(n uint32) pdu.Residual { return pdu.Residual{Overflow: true, Count: n} }
	under := func(n uint32) pdu.Residual { return pdu.Residual{Underflow: true, Count: n} }
	for _, c := range []struct {
		name             string
		write            bool
		blocks, expected int
		want             pdu.Residual
	}{
		{"read, exact", false, 2, 1024, pdu.Residual{}},
		{"read, more expected", false, 1, 1024, under(512)},
		{"read, less expected", false, 2, 512, over(512)},
		{"read, odd", false, 1, 100, over(412)},
		{"read, nothing expected", false, 1, 0, over(512)},
		{"read, of nothing", false, 0, 512, under(512)},
		{"write, exact", true, 2, 1024, pdu.Residual{}},
		{"write, more sent", true, 1, 1024, under(512)},
		{"write, less sent", true, 2, 512, over(512)},
		{"write, nothing sent", true, 1, 0, over(512)},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := start(t, Config{}, oneDisk(newFakeUnit(100))).connect().enter(1)
			if c.write {
				cmd, cdb := write10(5, c.blocks, c.expected)
				w.command(cmd, cdb, make([]byte, c.expected))
				r, _ := w.response(5)
				require.Zero(t, r.Status)
				require.Equal(t, c.want, r.Residual)
				return
			}
			w.command(pdu.Command{Final: true, Read: true, ITT: 5, Expected: uint32(c.expected)}, rw10(0x28, 0, c.blocks), nil)
			sent := min(c.blocks*512, c.expected)
			if sent == 0 {
				r, _ := w.response(5)
				require.Equal(t, c.want, r.Residual)
				return
			}
			d, data := w.dataIn()
			require.Len(t, data, sent)
			require.True(t, d.HasStatus)
			require.Equal(t, c.want, d.Residual)
		})
	}
}

func TestDataInPieces(t *testing.T) {
	u := newFakeUnit(100)
	fill(u.data, 3)
	w := start(t, Config{}, oneDisk(u)).connect().enter(1, "MaxRecvDataSegmentLength=512", "MaxBurstLength=1280")
	w.command(pdu.Command{Final: true, Read: true, ITT: 5, Expected: 2560}, rw10(0x28, 0, 5), nil)
	var got []byte
	for i, want := range []struct {
		n     int
		final bool
	}{{512, false}, {512, false}, {256, true}, {512, false}, {512, false}, {256, true}} {
		d, data := w.dataIn()
		require.Len(t, data, want.n)
		require.Equal(t, want.final, d.Final, "%d", i)
		require.EqualValues(t, i, d.DataSN)
		require.EqualValues(t, len(got), d.Offset)
		require.Equal(t, i == 5, d.HasStatus)
		got = append(got, data...)
	}
	require.Equal(t, u.data[:2560], got)
}

func TestSequenceNumbers(t *testing.T) {
	w := start(t, Config{Limits: Limits{Window: 4}}, oneDisk(newFakeUnit(100))).connect().enter(1)
	stat := w.stat.StatSN
	require.EqualValues(t, 1, w.stat.ExpCmdSN)
	require.EqualValues(t, 4, w.stat.MaxCmdSN)
	for i := range uint32(6) {
		w.command(pdu.Command{Final: true, ITT: i, Attr: pdu.Simple}, make([]byte, 6), nil)
		r, _ := w.response(i)
		require.Equal(t, pdu.Sequence{StatSN: stat + 1 + i, ExpCmdSN: i + 2, MaxCmdSN: i + 5}, r.Sequence)
	}
	w.command(pdu.Command{Immediate: true, Final: true, ITT: 50}, make([]byte, 6), nil)
	r, _ := w.response(50)
	require.Equal(t, pdu.Sequence{StatSN: stat + 7, ExpCmdSN: 7, MaxCmdSN: 10}, r.Sequence, "immediate: the window stays")
}

// Commands are delivered by CmdSN, whatever the order they come in; those that
// are outside of the window or come twice are ignored.
func TestCmdSNOrder(t *testing.T) {
	u := newFakeUnit(100)
	w := start(t, Config{Limits: Limits{Window: 8}}, oneDisk(u)).connect().enter(1)
	send := func(sn uint32, lba byte) {
		c := pdu.Command{Final: true, Write: true, Attr: pdu.Ordered, ITT: 100 + sn, CmdSN: sn, Expected: 512}
		copy(c.CDB[:], rw10(0x2a, int(lba), 1))
		w.write(&c, make([]byte, 512))
	}
	send(3, 3)
	send(9, 9)  // beyond the window
	send(0, 0)  // before it
	send(3, 33) // twice
	send(2, 2)
	w.write(&pdu.NopOut{Immediate: true, ITT: 1, TTT: pdu.NoTag, CmdSN: 1}, []byte("ping"))
	h, data := w.expect(pdu.OpNopIn)
	require.Equal(t, "ping", string(data))
	var n pdu.NopIn
	n.Decode(&h)
	require.EqualValues(t, 1, n.ExpCmdSN)
	require.Empty(t, u.executed())
	send(1, 1)
	for _, itt := range []uint32{101, 102, 103} {
		r, _ := w.response(itt)
		require.Zero(t, r.Status)
	}
	require.Equal(t, []byte{1, 2, 3}, u.executed())
	send(9, 9) // now it is inside
	send(4, 4)
	_, _ = w.response(104)
	require.Equal(t, []byte{1, 2, 3, 4}, u.executed())
}

func TestOrderedTasks(t *testing.T) {
	u := newFakeUnit(100)
	release := make(chan struct{})
	u.setHold(func(_ context.Context, cdb []byte) error {
		if cdb[5] < 2 {
			<-release
		}
		return nil
	})
	w := start(t, Config{}, oneDisk(u)).connect().enter(1)
	for i, attr := range []pdu.Attribute{pdu.Simple, pdu.Simple, pdu.Ordered, pdu.Simple, pdu.Ordered, pdu.HeadOfQueue} {
		c, _ := write10(uint32(i), 1, 512)
		c.Attr = attr
		w.command(c, rw10(0x2a, i, 1), make([]byte, 512))
	}
	_, _ = w.response(5) // head of queue passes all
	require.Equal(t, []byte{5}, u.executed())
	close(release)
	for range 5 {
		w.expect(pdu.OpResponse)
	}
	got := u.executed()
	require.ElementsMatch(t, []byte{0, 1}, got[1:3])
	require.Equal(t, []byte{2, 3, 4}, got[3:])
}

func TestCommandLimits(t *testing.T) {
	u := newFakeUnit(100)
	release := make(chan struct{})
	u.setHold(func(context.Context, []byte) error { <-release; return nil })
	h := start(t, Config{Limits: Limits{TransferBytes: 4096, SessionBytes: 6000, Immediate: 2}}, oneDisk(u))
	w := h.connect().enter(1)
	read := func(itt uint32, n int) {
		w.command(pdu.Command{Final: true, Read: true, ITT: itt, Expected: uint32(n)}, rw10(0x28, 0, n/512), nil)
	}
	read(1, 8192)
	r, data := w.response(1)
	require.EqualValues(t, scsi.StatusCheckCondition, r.Status)
	require.Equal(t, []byte{0x24, 0}, data[14:16])
	read(2, 4096)
	read(3, 2048)
	r, _ = w.response(3)
	require.EqualValues(t, scsi.StatusTaskSetFull, r.Status)
	read(2, 512)
	w.rejected(pdu.RejectTaskInUse)
	for i := range uint32(3) {
		w.command(pdu.Command{Immediate: true, Final: true, ITT: 10 + i}, make([]byte, 6), nil)
	}
	w.rejected(pdu.RejectImmediate)
	close(release)
	seen := map[uint32]bool{}
	for range 3 {
		hd, _ := w.read()
		seen[hd.ITT()] = true
	}
	require.Equal(t, map[uint32]bool{2: true, 10: true, 11: true}, seen)
	read(4, 4096) // all has been given back
	w.dataIn()
}

// rejected reads a Reject of that reason and gives the header that it is about.
func (w *wire) rejected(reason pdu.RejectReason) []byte {
	w.t.Helper()
	h, data := w.expect(pdu.OpReject)
	var r pdu.Reject
	r.Decode(&h)
	require.Equal(w.t, reason, r.Reason)
	require.Len(w.t, data, pdu.HeaderLen)
	return data
}

func TestRejects(t *testing.T) {
	w := start(t, Config{}, oneDisk(newFakeUnit(100))).connect().enter(1)
	send := func(opcode byte) {
		h := pdu.Header{opcode, 0x80}
		require.NoError(t, w.wr.Write(&h, nil, []byte("data")))
		require.NoError(t, w.wr.Flush())
	}
	send(0x10) // SNACK
	w.rejected(pdu.RejectSNACK)
	send(0x1c)
	got := w.rejected(pdu.RejectUnsupported)
	require.EqualValues(t, 0x1c, got[0])
	send(0x43) // login in full feature phase
	w.rejected(pdu.RejectUnsupported)
	w.command(pdu.Command{Final: true, Read: true, ITT: 5}, rw10(0x28, 0, 1), []byte("data"))
	w.rejected(pdu.RejectProtocol)
	w.command(pdu.Command{Final: true, ITT: pdu.NoTag}, make([]byte, 6), nil)
	w.rejected(pdu.RejectInvalidField)
	w.command(pdu.Command{Final: true, ITT: 6}, make([]byte, 6), nil) // the window has moved on
	_, _ = w.response(6)
}

func TestLongAndBidirectionalCommands(t *testing.T) {
	w := start(t, Config{}, oneDisk(newFakeUnit(100))).connect().enter(1)
	w.command(pdu.Command{Final: true, Read: true, Write: true, ITT: 5, Expected: 512}, rw10(0x28, 0, 1), make([]byte, 512))
	r, data := w.response(5)
	require.EqualValues(t, scsi.StatusCheckCondition, r.Status)
	require.Equal(t, []byte{0x20, 0}, data[14:16])
	c := pdu.Command{Final: true, ITT: 6, CmdSN: w.cmdSN}
	c.CDB[0] = 0x7f
	var h pdu.Header
	c.Encode(&h)
	require.NoError(t, w.wr.Write(&h, make([]byte, 20), nil))
	require.NoError(t, w.wr.Flush())
	_, data = w.response(6)
	require.Equal(t, []byte{0x20, 0}, data[14:16])
}

func TestDigestFailures(t *testing.T) {
	for name, damage := range map[string]int{"header": 20, "data": 60} {
		t.Run(name, func(t *testing.T) {
			u := newFakeUnit(100)
			w := start(t, Config{}, oneDisk(u)).connect().enter(1, "HeaderDigest=CRC32C", "DataDigest=CRC32C")
			var wire bytes.Buffer
			wr := pdu.NewWriter(&wire)
			wr.HeaderDigest, wr.DataDigest = true, true
			c, cdb := write10(5, 1, 512)
			c.CmdSN = 1
			copy(c.CDB[:], cdb)
			var h pdu.Header
			c.Encode(&h)
			require.NoError(t, wr.Write(&h, nil, make([]byte, 512)))
			require.NoError(t, wr.Flush())
			wire.Bytes()[damage] ^= 1
			_, err := w.nc.Write(wire.Bytes())
			require.NoError(t, err)
			w.rd.HeaderDigest, w.rd.DataDigest = true, true
			if name == "data" {
				w.rejected(pdu.RejectDataDigest)
			}
			w.expectEnd()
			require.Empty(t, u.executed())
		})
	}
}
