package initiator

import (
	"context"
	"encoding/binary"
	"fmt"

	"twinlun/blockdev"
)

// statusRanges is how many ranges one GET LBA STATUS asks for.
const statusRanges = 256

var _ blockdev.Extenter = (*Disk)(nil)

// Extents is part of blockdev.Extenter: GET LBA STATUS(16) (SBC-4 section 5.9). Where
// the target does not answer it, or does not promise that what is not mapped reads as
// zeros, all of the range is data. The range must be a multiple of the block size.
func (d *Disk) Extents(ctx context.Context, off, n int64, limit int) ([]blockdev.Extent, error) {
	d.life.RLock()
	defer d.life.RUnlock()
	if d.life.closed {
		return nil, errClosed("extents")
	}
	if err := d.checkAligned("extents", off, n); err != nil || n == 0 {
		return nil, err
	}
	var out []blockdev.Extent
	for end := off + n; off < end && (limit < 1 || len(out) <= limit); { // one more, so that the last is whole
		ranges, err := d.lbaStatus(ctx, off)
		if err != nil {
			return nil, err
		}
		for _, r := range ranges {
			if r.Len = min(r.Len, end-r.Off); r.Len > 0 {
				out = appendExtent(out, r)
				off = r.Off + r.Len
			}
		}
	}
	if limit > 0 {
		out = out[:min(len(out), limit)]
	}
	return out, nil
}

// appendExtent joins extents of one kind.
func appendExtent(list []blockdev.Extent, e blockdev.Extent) []blockdev.Extent {
	if last := len(list) - 1; last >= 0 && list[last].Data == e.Data {
		list[last].Len += e.Len
		return list
	}
	return append(list, e)
}

// lbaStatus asks what is mapped from off on and gives at least one range.
func (d *Disk) lbaStatus(ctx context.Context, off int64) ([]blockdev.Extent, error) {
	rest := []blockdev.Extent{{Off: off, Len: d.size - off, Data: true}}
	if !d.thin || d.unmapped.Load() {
		return rest, nil
	}
	b := make([]byte, statusHeader+statusRanges*statusRange)
	var cdb [16]byte
	cdb[0], cdb[1] = opServiceIn16, saLBAStatus
	binary.BigEndian.PutUint64(cdb[2:], uint64(off/d.blockSize))
	binary.BigEndian.PutUint32(cdb[10:], uint32(len(b)))
	r, err := d.try(ctx, cdb[:], b, nil)
	switch {
	case err != nil:
		return nil, err
	case r.senseKey() == senseIllegal:
		d.unmapped.Store(true)
		return rest, nil
	case r.Status != statusGood:
		return nil, r.asError()
	}
	return parseLBAStatus(b, off/d.blockSize, d.blockSize, d.size)
}

// The parameter data of GET LBA STATUS (SBC-4 section 5.9.2).
const (
	statusHeader      = 8
	statusRange       = 16
	statusDeallocated = 1
	statusAnchored    = 2
)

// parseLBAStatus reads the answer to a question about block first on. The ranges have
// to begin there and to follow each other; those beyond the end of the unit are cut.
func parseLBAStatus(b []byte, first, blockSize, size int64) ([]blockdev.Extent, error) {
	n := min(uint64(binary.BigEndian.Uint32(b))+4, uint64(len(b)))
	var out []blockdev.Extent
	next, end := uint64(first), uint64(size/blockSize)
	for at := uint64(statusHeader); at+statusRange <= n && next < end; at += statusRange {
		lba, blocks := binary.BigEndian.Uint64(b[at:]), uint64(binary.BigEndian.Uint32(b[at+8:]))
		if lba != next || blocks == 0 {
			return nil, fmt.Errorf("%w: LBA status of %d+%d, not from %d on", errProtocol, lba, blocks, next)
		}
		blocks = min(blocks, end-next)
		status := b[at+12] & 0x0f
		out = append(out, blockdev.Extent{
			Off: int64(next) * blockSize, Len: int64(blocks) * blockSize,
			Data: status != statusDeallocated && status != statusAnchored,
		})
		next += blocks
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%w: no LBA status of block %d", errProtocol, first)
	}
	return out, nil
}
