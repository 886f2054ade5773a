package scsi

import (
	"bytes"
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/faultdev"
	"twinlun/blockdev/memdev"
)

// newHuge is a device that no transfer covers.
func newHuge() blockdev.Device { return memdev.New(1 << 43) }

func TestReadAndWrite(t *testing.T) {
	for i, op := range family["write"] {
		r := newRig(t)
		data := append(sectors(1, 2), sectors(2, 1)...)
		require.Equal(t, len(data), r.do(rw(op, 0, 7, 3), data...).Transfer)
		require.Equal(t, data, r.medium(7*512, len(data)))
		require.Equal(t, make([]byte, 7*512), r.medium(0, 7*512))
		require.Equal(t, make([]byte, 4096), r.medium(10*512, 4096))
		require.Equal(t, data, r.good(rw(family["read"][i], 0, 7, 3)))
		require.Equal(t, data[512:1024], r.good(rw(family["read"][i], 0, 8, 1)))

		end := uint64(testSize/512 - 2)
		r.good(rw(op, 0, end, 2), sectors(9, 2)...)
		require.Equal(t, sectors(9, 2), r.good(rw(family["read"][i], 0, end, 2)))
	}
}

func TestSixByteCommandsMoveUpTo256Blocks(t *testing.T) {
	r := newRig(t)
	r.good(rw(0x0A, 0, 100, 0), sectors(3, 256)...)
	require.Equal(t, sectors(3, 256), r.good(rw(0x08, 0, 100, 0)))
	require.Equal(t, make([]byte, 512), r.medium(356*512, 512))
}

func TestEmptyTransfers(t *testing.T) {
	r := newRig(t)
	for _, kind := range []string{"read", "write", "verify", "both"} {
		for _, op := range family[kind] {
			if op>>5 != 0 {
				res := r.do(rw(op, 0, 5, 0))
				require.Equal(t, StatusGood, res.Status)
				require.Zero(t, res.Transfer)
				require.Empty(t, res.DataIn)
			}
		}
	}
	require.Zero(t, r.plan.Count())
}

func TestReadResiduals(t *testing.T) {
	r := newRig(t)
	r.put(0, append(sectors(1, 1), sectors(2, 1)...))
	for _, expected := range []int{-1, 0, 200, 512, 1000, 1024, 10000} {
		res := r.exec(&Command{CDB: []byte(rw(0x28, 0, 0, 2)), Expected: expected})
		require.Equal(t, StatusGood, res.Status)
		require.Equal(t, 1024, res.Transfer)
		require.Len(t, res.DataIn, max(0, min(expected, 1024)))
		require.Equal(t, r.medium(0, len(res.DataIn)), append([]byte{}, res.DataIn...))
	}
}

func TestWriteResiduals(t *testing.T) {
	for _, op := range []byte{0x2A, 0x2E} {
		for _, c := range []struct{ sent, written int }{{0, 0}, {200, 0}, {512, 1}, {1000, 1}, {1024, 2}, {4096, 2}} {
			r := newRig(t)
			r.put(0, sectors('a', 3))
			res := r.do(rw(op, 0, 0, 2), bytes.Repeat([]byte{'b'}, c.sent)...)
			require.Equal(t, StatusGood, res.Status)
			require.Equal(t, 1024, res.Transfer)
			require.Equal(t, append(sectors('b', c.written), sectors('a', 3-c.written)...), r.medium(0, 1536))
		}
	}
}

func TestAllocIsUsedAndGivenBack(t *testing.T) {
	r := newRig(t)
	r.put(0, sectors(1, 8))
	pool := make([]byte, 1<<20)
	asked := 0
	c := &Command{CDB: []byte(rw(0x28, 0, 0, 8)), Expected: 4096, Alloc: func(n int) []byte {
		asked = n
		return pool
	}}
	res := r.exec(c)
	require.Equal(t, 4096, asked)
	require.Same(t, &pool[0], &res.DataIn[0])
	r.plan.Inject(faultdev.Fault{Err: blockdev.Errorf(blockdev.KindIO, "read", "broken")})
	res = r.exec(c)
	requireSense(t, mediumReadError, res)
	require.Same(t, &pool[0], &res.DataIn[:1][0], "an unused buffer goes back")
}

func TestFUA(t *testing.T) {
	for _, op := range []byte{0x2A, 0xAA, 0x8A} {
		r := newRig(t)
		r.good(rw(op, 0, 0, 1), sectors(1, 1)...)
		require.Equal(t, [2]int{1, 0}, [2]int{r.plan.Count(faultdev.OpWrite), r.plan.Count(faultdev.OpFUA)})
		r.good(rw(op, bitFUA, 0, 1), sectors(2, 1)...)
		require.Equal(t, [2]int{1, 1}, [2]int{r.plan.Count(faultdev.OpWrite), r.plan.Count(faultdev.OpFUA)})
		r.good(rw(op, 0x12, 0, 1), sectors(3, 1)...) // DPO and the obsolete FUA_NV
		require.Equal(t, sectors(3, 1), r.medium(0, 512))
	}
	for _, op := range []byte{0x28, 0xA8, 0x88} {
		r := newRig(t)
		r.good(rw(op, 0x12, 0, 1))
		require.Zero(t, r.plan.Count(faultdev.OpFlush))
		r.good(rw(op, bitFUA, 0, 1))
		require.Equal(t, 1, r.plan.Count(faultdev.OpFlush), "what FUA reads is on the medium first")
	}
}

func TestSynchronizeCache(t *testing.T) {
	for i, op := range family["sync"] {
		r := newRig(t)
		for n, cdb := range []string{rw(op, 0, 0, 0), rw(op, 2, 0, 0), rw(op, 0, 8, 100), rw(op, 4, testSize/512-1, 1)} {
			require.Empty(t, r.good(cdb))
			require.Equal(t, n+1, r.plan.Count(faultdev.OpFlush), "%d", i)
		}
	}
}

func TestStartStop(t *testing.T) {
	r := newRig(t)
	r.good("\x1b\x00\x00\x00\x01\x00")
	r.good("\x1b\x00\x00\x00\x04\x00")
	require.Zero(t, r.plan.Count())
	r.good("\x1b\x01\x00\x00\x00\x00")
	require.Equal(t, 1, r.plan.Count(faultdev.OpFlush), "a stop makes durable")
	r.good("\x00\x00\x00\x00\x00\x00")
	r.bad(invalidFieldInCDB, "\x1b\x00\x00\x00\x02\x00") // eject
	r.bad(invalidFieldInCDB, "\x1b\x00\x00\x00\x30\x00") // standby
	r.good("\x1e\x00\x00\x00\x01\x00")
	r.good("\x1e\x00\x00\x00\x00\x00")
}

func TestVerify(t *testing.T) {
	for _, op := range family["verify"] {
		r := newRig(t)
		const blocks = 600 // more than one part
		data := make([]byte, blocks*512)
		for i := range data {
			data[i] = byte(i>>9) ^ byte(i)
		}
		r.put(4096, data)
		r.good(rw(op, 0x02, 8, blocks), data...)
		require.Equal(t, len(data), r.do(rw(op, 0x12, 8, blocks), append(data, 1, 2, 3)...).Transfer)
		for _, at := range []int{0, 511, scratchSize - 1, scratchSize, len(data) - 1} {
			wrong := bytes.Clone(data)
			wrong[at] ^= 1
			sense := r.bad(miscompare, rw(op, 0x02, 8, blocks), wrong...)
			require.EqualValues(t, 0xF0, sense[0])
			require.EqualValues(t, at, be.Uint32(sense[3:]))
			r.good(rw(op, 0, 8, blocks), wrong...) // no comparison
		}
		r.bad(invalidFieldInUnit, rw(op, 0x02, 8, blocks), data[1:]...)
		require.Equal(t, []byte{0xCA, 0, 1}, r.bad(invalidFieldInCDB, rw(op, 0x04, 8, blocks), data...)[15:18])
	}
}

func TestVerifyOneBlock(t *testing.T) {
	r := newRig(t)
	r.put(0, sectors(6, 300))
	res := r.do(rw(0x2F, 0x06, 0, 300), sectors(6, 1)...)
	require.Equal(t, StatusGood, res.Status)
	require.Equal(t, 512, res.Transfer)
	r.put(299*512+17, []byte{5})
	sense := r.bad(miscompare, rw(0x2F, 0x06, 0, 300), sectors(6, 1)...)
	require.EqualValues(t, 17, be.Uint32(sense[3:]))
	r.bad(invalidFieldInUnit, rw(0x2F, 0x06, 0, 300), 1, 2, 3)
}

func TestWriteAndVerify(t *testing.T) {
	for _, op := range family["both"] {
		r := newRig(t)
		r.good(rw(op, 0x02, 4, 3), sectors(8, 3)...)
		require.Equal(t, sectors(8, 3), r.medium(4*512, 3*512))
		require.Equal(t, 1, r.plan.Count(faultdev.OpFUA), "verified is durable")
		r.good(rw(op, 0x10, 4, 3), sectors(9, 3)...)
		require.Equal(t, sectors(9, 3), r.medium(4*512, 3*512))
		require.Equal(t, 2, r.plan.Count(faultdev.OpRead))
		r.bad(invalidFieldInCDB, rw(op, 0x04, 4, 3), sectors(1, 3)...)
		r.bad(invalidFieldInCDB, rw(op, 0x06, 4, 3), sectors(1, 3)...)
		require.Equal(t, sectors(9, 3), r.medium(4*512, 3*512))
	}
}

// liar is a device that loses writes.
type liar struct{ blockdev.Device }

func (liar) WriteAt(context.Context, []byte, int64) error { return nil }

func TestWriteAndVerifyFindsLostWrite(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Device = liar{memdev.New(testSize)} })
	sense := r.bad(miscompare, rw(0x2E, 0x02, 4, 3), append(sectors(0, 1), sectors(8, 2)...)...)
	require.EqualValues(t, 512, be.Uint32(sense[3:]))
}

func TestCompareAndWrite(t *testing.T) {
	caw := func(lba uint64, n byte, flags byte) string {
		b := be.AppendUint64([]byte{0x89, flags}, lba)
		return string(append(b, 0, 0, 0, n, 0, 0))
	}
	r := newRig(t)
	r.put(0, sectors('a', 20))
	for n := byte(1); n <= maxCompare; n++ {
		res := r.do(caw(0, n, 0), append(sectors('a', int(n)), sectors('b', int(n))...)...)
		require.Equal(t, StatusGood, res.Status)
		require.Equal(t, 2*int(n)*512, res.Transfer)
		require.Equal(t, append(sectors('b', int(n)), sectors('a', 20-int(n))...), r.medium(0, 20*512))

		wrong := append(sectors('b', int(n)), sectors('c', int(n))...)
		wrong[int(n)*512-27] = 'x'
		sense := r.bad(miscompare, caw(0, n, 0), wrong...)
		require.EqualValues(t, 0xF0, sense[0])
		require.EqualValues(t, int(n)*512-27, be.Uint32(sense[3:]))
		require.Equal(t, sectors('b', int(n)), r.medium(0, int(n)*512), "nothing is written")
		r.put(0, sectors('a', 20))
	}
	require.Zero(t, r.plan.Count(faultdev.OpFUA))
	r.good(caw(0, 1, bitFUA), append(sectors('a', 1), sectors('b', 1)...)...)
	require.Equal(t, 1, r.plan.Count(faultdev.OpFUA))

	require.Equal(t, []byte{0xC0, 0, 13}, r.bad(invalidFieldInCDB, caw(0, maxCompare+1, 0), sectors(1, 2*(maxCompare+1))...)[15:18])
	r.bad(invalidFieldInCDB, caw(0, 1, 0), sectors('b', 4)...)
	r.bad(invalidFieldInCDB, caw(0, 3, 0), sectors('b', 4)...)
	r.bad(invalidFieldInCDB, caw(0, 1, 0))
	r.bad(invalidFieldInCDB, caw(0, 0, 0), sectors('b', 512)...) // 256 blocks do not fit the field
	r.bad(lbaOutOfRange, caw(testSize/512, 1, 0), sectors(0, 2)...)
	r.bad(lbaOutOfRange, caw(testSize/512-1, 2, 0), sectors(0, 4)...)
	r.good(caw(5, 0, 0))
}

// unmapList is an UNMAP parameter list.
func unmapList(ranges ...lbaRange) []byte {
	b := be.AppendUint16(nil, uint16(6+16*len(ranges)))
	b = be.AppendUint16(b, uint16(16*len(ranges)))
	b = append(b, 0, 0, 0, 0)
	for _, r := range ranges {
		b = be.AppendUint32(be.AppendUint64(b, r.lba), r.n)
		b = append(b, 0, 0, 0, 0)
	}
	return b
}

// unmapCDB is the CDB for a parameter list of n bytes.
func unmapCDB(n int) string {
	return string(append(be.AppendUint16([]byte{0x42, 0, 0, 0, 0, 0, 0}, uint16(n)), 0))
}

func TestUnmap(t *testing.T) {
	r := newRig(t)
	r.put(0, sectors(1, 1000))
	list := unmapList(lbaRange{lba: 0, n: 3}, lbaRange{lba: 100, n: 0}, lbaRange{lba: 16, n: 8}, lbaRange{lba: testSize / 512, n: 0})
	require.Equal(t, len(list), r.do(unmapCDB(len(list)), list...).Transfer)
	want := sectors(1, 1000)
	clear(want[:3*512])
	clear(want[16*512 : 24*512])
	require.Equal(t, want, r.medium(0, 1000*512))
	require.Equal(t, 2, r.plan.Count(faultdev.OpZero))

	r.good(unmapCDB(0))
	r.good(unmapCDB(8), unmapList()...)
	many := make([]lbaRange, maxUnmapDescriptors)
	for i := range many {
		many[i] = lbaRange{lba: uint64(2 * i), n: 1}
	}
	list = unmapList(many...)
	r.good(unmapCDB(len(list)), list...)
	require.Equal(t, make([]byte, 512), r.medium(510*512, 512))
}

func TestUnmapRefuses(t *testing.T) {
	r := newRig(t, func(c *Config) {
		m := memdev.New(2 << 30)
		require.NoError(t, m.WriteAt(context.Background(), sectors(1, 8), 0))
		c.Device = m
	})
	send := func(list []byte) (string, []byte) { return unmapCDB(len(list)), list }
	for _, c := range []struct {
		want condition
		list []byte
	}{
		{lbaOutOfRange, unmapList(lbaRange{lba: 0, n: 8}, lbaRange{lba: 2<<30/512 - 1, n: 2})},
		{lbaOutOfRange, unmapList(lbaRange{lba: 0, n: 8}, lbaRange{lba: 1<<64 - 1, n: 1<<32 - 1})},
		{invalidFieldInParameter, unmapList(lbaRange{lba: 0, n: maxUnmapBlocks}, lbaRange{lba: 9, n: 1})},
		{invalidFieldInParameter, unmapList(make([]lbaRange, maxUnmapDescriptors+1)...)},
		{parameterListLength, unmapList(lbaRange{lba: 0, n: 8})[:23]},
		{parameterListLength, unmapList()[:7]},
	} {
		cdb, list := send(c.list)
		r.bad(c.want, cdb, list...)
	}
	r.bad(parameterListLength, unmapCDB(24), unmapList(lbaRange{lba: 0, n: 8})[:8]...)
	require.Equal(t, sectors(1, 8), r.good(rw(0x28, 0, 0, 8)), "nothing is unmapped unless all is right")

	list := unmapList(lbaRange{lba: 0, n: 1}, lbaRange{lba: 2, n: 1})
	be.PutUint16(list[2:], 31) // the second descriptor is cut off
	r.good(unmapCDB(len(list)), list...)
	require.Equal(t, append(sectors(0, 1), sectors(1, 7)...), r.good(rw(0x28, 0, 0, 8)))
	r.good(unmapCDB(24), unmapList(lbaRange{lba: 0, n: maxUnmapBlocks})...)
}

func TestWriteSame(t *testing.T) {
	for _, op := range family["same"] {
		r := newRig(t)
		pattern := sectors(0, 1)
		pattern[0], pattern[511] = 0xAB, 0xCD
		const blocks = 700 // several scratch buffers
		require.Equal(t, 512, r.do(rw(op, 0, 3, blocks), pattern...).Transfer)
		require.Equal(t, bytes.Repeat(pattern, blocks), r.medium(3*512, blocks*512))
		require.Equal(t, make([]byte, 512), r.medium((3+blocks)*512, 512))
		require.Equal(t, make([]byte, 3*512), r.medium(0, 3*512))
		require.Zero(t, r.plan.Count(faultdev.OpZero))

		r.good(rw(op, bitUnmap, 4, 2), pattern...) // cannot be unmapped: is written
		require.Equal(t, pattern, r.medium(4*512, 512))
		r.good(rw(op, 0, 3, 10), sectors(0, 1)...)
		require.Equal(t, append(sectors(0, 10), pattern...), r.medium(3*512, 11*512))
		r.good(rw(op, bitUnmap, 13, 10), sectors(0, 1)...)
		require.Equal(t, 2, r.plan.Count(faultdev.OpZero))
		r.good(rw(op, 0, testSize/512-1, 1), pattern...)

		r.bad(invalidFieldInCDB, rw(op, 0, 0, 0), pattern...)
		r.bad(invalidFieldInUnit, rw(op, bitUnmap, 0, 1), pattern[:256]...)
		r.bad(invalidFieldInUnit, rw(op, bitUnmap, 0, 1), sectors(0, 2)...)
		r.bad(invalidFieldInUnit, rw(op, 0, 0, 1))
		r.bad(invalidFieldInCDB, rw(op, 0x10, 0, 1), pattern...) // ANCHOR
	}
	r := newRig(t)
	r.put(0, sectors(1, 20))
	require.Zero(t, r.do(rw(0x93, bitNoData, 2, 10)).Transfer)
	require.Equal(t, append(append(sectors(1, 2), sectors(0, 10)...), sectors(1, 8)...), r.medium(0, 20*512))
	r.good(rw(0x93, bitNoData|bitUnmap, 0, 20))
	require.Equal(t, sectors(0, 20), r.medium(0, 20*512))
}

func TestGetLBAStatus(t *testing.T) {
	ask := func(lba uint64, allocation uint32) string {
		b := be.AppendUint64([]byte{0x9E, 0x12}, lba)
		return string(append(be.AppendUint32(b, allocation), 0, 0))
	}
	r := newRig(t)
	r.put(4096, sectors(1, 1))
	r.put(16384, sectors(1, 8))
	require.Equal(t, golden(t, `00000054 00000000
		0000000000000000 00000008 01000000
		0000000000000008 00000008 00000000
		0000000000000010 00000010 01000000
		0000000000000020 00000008 00000000
		0000000000000028 00003fd8 01000000`), r.good(ask(0, 1024)))
	require.Equal(t, golden(t, "00000014 00000000 000000000000000b 00000005 00000000"), r.good(ask(11, 24)))
	require.Equal(t, golden(t, `00000024 00000000
		000000000000000b 00000005 00000000 0000000000000010 00000010 01000000`), r.good(ask(11, 40)))
	require.Equal(t, golden(t, "00000014 00000000"), r.good(ask(11, 8)))
	require.Empty(t, r.good(ask(11, 0)))
	r.bad(lbaOutOfRange, ask(testSize/512, 24))
	r.bad(lbaOutOfRange, ask(1<<63, 24))
	r.bad(lbaOutOfRange, ask(1<<64-1, 24))
	list := unmapList(lbaRange{lba: 8, n: 8})
	r.good(unmapCDB(len(list)), list...)
	require.EqualValues(t, 1, r.good(ask(8, 24))[20])
}

func TestGetLBAStatusWithoutExtents(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Device = liar{memdev.New(1 << 40)} })
	require.Equal(t, golden(t, "00000014 00000000 0000000000000005 7ffffffb 00000000"),
		r.good("\x9e\x12\x00\x00\x00\x00\x00\x00\x00\x05\x00\x00\x01\x00\x00\x00"))
}

func TestAppendStatus(t *testing.T) {
	next := uint64(0)
	list := appendStatus(nil, &next, blockdev.Extent{Off: 0, Len: 1000, Data: false})
	list = appendStatus(list, &next, blockdev.Extent{Off: 1000, Len: 10, Data: true})
	list = appendStatus(list, &next, blockdev.Extent{Off: 1010, Len: 10, Data: false})
	list = appendStatus(list, &next, blockdev.Extent{Off: 1020, Len: 5 << 41, Data: true})
	require.Equal(t, []lbaRange{{0, 1, statusDeallocated}, {1, 1, statusMapped}}, list[:2])
	require.Len(t, list, 2+6, "one range holds less than 2^32 blocks")
	at := uint64(2)
	for _, e := range list[2:] {
		require.Equal(t, at, e.lba)
		require.EqualValues(t, statusMapped, e.provisioning)
		at += uint64(e.n)
	}
	require.Equal(t, uint64(1020+5<<41+511)/512, at)
	require.Equal(t, next, at)
}
