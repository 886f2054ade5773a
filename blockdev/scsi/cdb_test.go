package scsi

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
)

// rw makes the CDB of a command of the read and write family.
func rw(op, flags byte, lba uint64, n uint32) string {
	be := binary.BigEndian
	switch op >> 5 {
	case 0:
		return string([]byte{op, byte(lba >> 16), byte(lba >> 8), byte(lba), byte(n), 0})
	case 1, 2:
		b := be.AppendUint32([]byte{op, flags}, uint32(lba))
		return string(append(be.AppendUint16(append(b, 0), uint16(n)), 0))
	case 5:
		b := be.AppendUint32([]byte{op, flags}, uint32(lba))
		return string(append(be.AppendUint32(b, n), 0, 0))
	}
	b := be.AppendUint64([]byte{op, flags}, lba)
	return string(append(be.AppendUint32(b, n), 0, 0))
}

func TestDecodeBlocks(t *testing.T) {
	for cdb, want := range map[string]blocks{
		"\x08\x1f\x02\x03\x04\x00":                                         {lba: 0x1F0203, n: 4, field: 4},
		"\x0a\x00\x00\x01\x00\x00":                                         {lba: 1, n: 256, field: 4},
		"\x28\x08\x01\x02\x03\x04\x1f\x05\x06\x00":                         {lba: 0x01020304, n: 0x0506, field: 7, fua: true},
		"\x2a\x10\xff\xff\xff\xff\x00\xff\xff\x00":                         {lba: 1<<32 - 1, n: 65535, field: 7},
		"\xa8\x08\x01\x02\x03\x04\x05\x06\x07\x08\x00\x00":                 {lba: 0x01020304, n: 0x05060708, field: 6, fua: true},
		"\x8a\x08\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x00\x00": {lba: 0x0102030405060708, n: 0x090A0B0C, field: 10, fua: true},
		"\x88\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00": {lba: 1<<64 - 1, n: 1<<32 - 1, field: 10},
	} {
		require.Equal(t, want, decodeBlocks([]byte(cdb)), "% X", cdb)
	}
	for _, op := range []byte{0x28, 0xA8, 0x88} {
		b := decodeBlocks([]byte(rw(op, bitFUA, 0x123456, 0x789)))
		require.Equal(t, [2]uint64{0x123456, 0x789}, [2]uint64{b.lba, b.n})
		require.True(t, b.fua)
	}
}

// family are the opcodes that address blocks, by kind.
var family = map[string][]byte{
	"read":   {0x08, 0x28, 0xA8, 0x88},
	"write":  {0x0A, 0x2A, 0xAA, 0x8A},
	"verify": {0x2F, 0xAF, 0x8F},
	"both":   {0x2E, 0xAE, 0x8E},
	"same":   {0x41, 0x93},
	"sync":   {0x35, 0x91},
}

func TestBeyondTheEnd(t *testing.T) {
	r := newRig(t)
	const last = testSize / 512
	for kind, ops := range family {
		for _, op := range ops {
			for _, c := range []struct {
				lba uint64
				n   uint32
			}{{last, 1}, {last - 1, 2}, {last - 100, 101}, {last + 1, 0}, {last, 0}, {0x1FFFFF, 1}} {
				if op>>5 == 0 && c.n == 0 {
					continue
				}
				r.bad(lbaOutOfRange, rw(op, 0, c.lba, c.n), sectors(1, 1)...)
			}
			if op>>5 == 0 {
				continue
			}
			r.bad(lbaOutOfRange, rw(op, 0, 1<<32-1, 1), sectors(1, 1)...)
			r.bad(lbaOutOfRange, rw(op, 0, 1<<31, 0), sectors(1, 1)...)
			if op>>5 == 4 {
				r.bad(lbaOutOfRange, rw(op, 0, 1<<64-1, 1<<32-1), sectors(1, 1)...)
				r.bad(lbaOutOfRange, rw(op, 0, 1<<63, 1), sectors(1, 1)...)
				r.bad(lbaOutOfRange, rw(op, 0, 1<<55+1, 1), sectors(1, 1)...) // would wrap in bytes
			}
		}
		require.Equal(t, make([]byte, testSize), r.medium(0, testSize), kind)
	}
	require.Zero(t, r.plan.Count())
}

func TestTooLong(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Device = newHuge() })
	for _, kind := range []string{"read", "write", "verify", "both"} {
		for _, op := range family[kind] {
			if op>>5 == 0 {
				continue
			}
			sense := r.bad(invalidFieldInCDB, rw(op, 0, 0, MaxTransfer/512+1))
			require.Equal(t, []byte{0xC0, 0, byte(decodeBlocks([]byte(rw(op, 0, 0, 1))).field)}, sense[15:18])
		}
	}
	r.bad(invalidFieldInCDB, rw(0x93, 0, 0, maxSameBytes/512+1), sectors(0, 1)...)
	r.bad(invalidFieldInCDB, rw(0x93, 1, 0, 1<<32-1))
	require.Len(t, r.exec(&Command{CDB: []byte(rw(0x88, 0, 8, MaxTransfer/512)), Expected: MaxTransfer}).DataIn, MaxTransfer)
}
