package initiator

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/iscsi/pdu"
)

// lbaRange is a descriptor that a target sends.
type lbaRange struct {
	lba    uint64
	blocks uint32
	status byte
}

// lbaData is the answer to GET LBA STATUS; its length says more bytes by extra.
func lbaData(extra int32, ranges ...lbaRange) []byte {
	b := make([]byte, statusHeader)
	binary.BigEndian.PutUint32(b, uint32(int32(4+statusRange*len(ranges))+extra))
	for _, r := range ranges {
		b = binary.BigEndian.AppendUint64(b, r.lba)
		b = binary.BigEndian.AppendUint32(b, r.blocks)
		b = append(b, r.status, 0, 0, 0)
	}
	return b
}

func (p *target) lbaStatus(data []byte) (asked uint64) {
	c := p.command(opServiceIn16)
	if c.CDB[1] != saLBAStatus {
		p.t.Errorf("service action %#x", c.CDB[1])
	}
	p.write(&pdu.DataIn{Final: true, HasStatus: true, ITT: c.ITT, Sequence: p.next()}, data)
	return binary.BigEndian.Uint64(c.CDB[2:])
}

func TestExtents(t *testing.T) {
	const block = 512 // 64 of them
	all := []blockdev.Extent{{Off: 0, Len: 64 * block, Data: true}}
	for name, c := range map[string]struct {
		answers [][]byte
		limit   int
		want    []blockdev.Extent
	}{
		"one": {[][]byte{lbaData(0, lbaRange{0, 64, 0})}, 0, all},
		"kinds": {
			[][]byte{lbaData(0, lbaRange{0, 8, 0}, lbaRange{8, 8, 1}, lbaRange{16, 4, 2}, lbaRange{20, 4, 3}, lbaRange{24, 40, 0xf1})}, 0,
			[]blockdev.Extent{{Off: 0, Len: 8 * block, Data: true}, {Off: 8 * block, Len: 12 * block}, {Off: 20 * block, Len: 4 * block, Data: true}, {Off: 24 * block, Len: 40 * block}},
		},
		"several answers": {
			[][]byte{lbaData(0, lbaRange{0, 8, 1}), lbaData(0, lbaRange{8, 2, 1}, lbaRange{10, 3, 0}), lbaData(0, lbaRange{13, 51, 0})}, 0,
			[]blockdev.Extent{{Off: 0, Len: 10 * block}, {Off: 10 * block, Len: 54 * block, Data: true}},
		},
		"the last is whole": {
			[][]byte{lbaData(0, lbaRange{0, 8, 1}), lbaData(0, lbaRange{8, 8, 1}, lbaRange{16, 1, 0})}, 1,
			[]blockdev.Extent{{Off: 0, Len: 16 * block}},
		},
		"beyond the end":     {[][]byte{lbaData(0, lbaRange{0, 1<<32 - 1, 0})}, 0, all},
		"more than there is": {[][]byte{lbaData(0, lbaRange{0, 64, 0}, lbaRange{64, 64, 0})}, 0, all},
		"length too large":   {[][]byte{lbaData(-100, lbaRange{0, 64, 0})}, 0, all},
		"cut":                {[][]byte{lbaData(500, lbaRange{0, 64, 0})[:12]}, 0, nil},
		"cut before a kind":  {[][]byte{lbaData(0, lbaRange{0, 64, 1})[:20]}, 0, all},
		"nothing":            {[][]byte{lbaData(0)}, 0, nil},
		"empty range":        {[][]byte{lbaData(0, lbaRange{0, 0, 0})}, 0, nil},
		"from elsewhere":     {[][]byte{lbaData(0, lbaRange{1, 63, 0})}, 0, nil},
		"with a gap":         {[][]byte{lbaData(0, lbaRange{0, 8, 0}, lbaRange{9, 55, 0})}, 0, nil},
		"backwards":          {[][]byte{lbaData(0, lbaRange{0, 8, 0}, lbaRange{7, 57, 0})}, 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			d := disk(t, func(p *target) {
				for _, data := range c.answers {
					p.lbaStatus(data)
				}
			})
			d.thin = true
			got, err := d.Extents(ctx, 0, 64*block, c.limit)
			if c.want == nil {
				require.ErrorIs(t, err, errProtocol)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
}

// TestExtentsOfThickUnits: a target that does not know, or does not promise zeros, has
// data everywhere.
func TestExtentsOfThickUnits(t *testing.T) {
	want := []blockdev.Extent{{Off: 512, Len: 1024, Data: true}}
	d := disk(t, func(*target) {})
	got, err := d.Extents(ctx, 512, 1024, 0)
	require.NoError(t, err)
	require.Equal(t, want, got, "it is not asked")
	d = disk(t, func(p *target) {
		p.status(p.command(opServiceIn16), statusCheck, senseIllegal, 0x20, 0)
		p.status(p.command(opSyncCache16), statusGood)
	})
	d.thin = true
	for range 2 {
		got, err = d.Extents(ctx, 512, 1024, 0)
		require.NoError(t, err)
		require.Equal(t, want, got, "it is asked once")
	}
	require.NoError(t, d.Flush(ctx))
	d = disk(t, func(p *target) { p.status(p.command(opServiceIn16), statusCheck, 0x03, 0x11, 0) })
	d.thin = true
	_, err = d.Extents(ctx, 0, 512, 0)
	require.True(t, blockdev.Is(err, blockdev.KindIO))
	for _, r := range [][2]int64{{0, 65 * 512}, {-512, 512}, {512, -512}, {100, 512}, {0, 100}} {
		_, err := d.Extents(ctx, r[0], r[1], 0)
		require.Error(t, err, "%v", r)
	}
	require.NoError(t, d.Close())
	_, err = d.Extents(ctx, 0, 512, 0)
	require.True(t, blockdev.Is(err, blockdev.KindClosed))
}

func FuzzLBAStatus(f *testing.F) {
	f.Add(lbaData(0, lbaRange{5, 8, 0}, lbaRange{13, 100, 1}), int64(5), int64(64))
	f.Add(lbaData(1<<30, lbaRange{0, 1<<32 - 1, 2}), int64(0), int64(1)<<40)
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}, int64(0), int64(64))
	f.Fuzz(func(t *testing.T, b []byte, first, blocks int64) {
		if len(b) < statusHeader || first < 0 || blocks <= first || blocks > 1<<53 {
			return
		}
		list, err := parseLBAStatus(b, first, 512, blocks*512)
		if err != nil {
			return
		}
		next := first * 512
		for _, e := range list {
			if e.Off != next || e.Len <= 0 || e.Len > blocks*512-e.Off {
				t.Fatalf("%+v", list)
			}
			next += e.Len
		}
		if next == first*512 {
			t.Fatal("nothing was said")
		}
	})
}
