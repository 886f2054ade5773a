package layer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"twinlun/blockdev/vfs"
)

// The map file, all numbers little-endian:
//
//	sector 0      header: magic, format version, bytes a block, blocks a sector,
//	              the layer's id, zeros, CRC-32C of all that
//	sector 1 + i  leaf i: 63 words of 32 blocks, two bits each from the lowest
//	              up; the leaf's number; CRC-32C of all that
//
// A sector that is a hole is a leaf whose blocks are all absent.
//
// A power cut may leave any sector old or new. That can do no harm: a leaf is
// written only after the data that it names was synced, its states only ever move
// absent -> zero -> data, and each older leaf is what an older flush could have
// left. A block that is 'absent' or 'zero' in an old leaf and has data in the data
// file therefore reads as what it was before the writes that no flush covered. A
// sector that is neither old nor new (a broken disk, a foreign file) fails its
// checksum, and the layer is refused.
const (
	mapMagic   = "TWLNMAP\n"
	mapVersion = 1
	sectorSize = vfs.Sector
	idBytes    = 32
)

// errDamaged is the cause of every error about a map file that cannot be true.
var errDamaged = errors.New("map file is damaged")

// castagnoli is what makes the checksums.
func castagnoli(p []byte) uint32 { return crc32.Checksum(p, crc32.MakeTable(crc32.Castagnoli)) }

// seal puts the checksum of a sector into its last bytes.
func seal(sector []byte) {
	binary.LittleEndian.PutUint32(sector[sectorSize-4:], castagnoli(sector[:sectorSize-4]))
}

func sealed(sector []byte) bool {
	return binary.LittleEndian.Uint32(sector[sectorSize-4:]) == castagnoli(sector[:sectorSize-4])
}

func encodeHeader(id string) []byte {
	h := make([]byte, sectorSize)
	copy(h, mapMagic)
	binary.LittleEndian.PutUint32(h[8:], mapVersion)
	binary.LittleEndian.PutUint32(h[12:], blockSize)
	binary.LittleEndian.PutUint32(h[16:], leafBlocks)
	copy(h[20:20+idBytes], id)
	seal(h)
	return h
}

func checkHeader(h []byte, id string) error {
	want := encodeHeader(id)
	switch version := binary.LittleEndian.Uint32(h[8:]); {
	case string(h[:8]) != mapMagic:
		return fmt.Errorf("%w: it does not begin like a map", errDamaged)
	case !sealed(h):
		return fmt.Errorf("%w: checksum of the header", errDamaged)
	case version != mapVersion:
		return fmt.Errorf("map file has format version %d, this program knows %d", version, mapVersion)
	case string(h[12:20]) != string(want[12:20]):
		return fmt.Errorf("%w: block size or leaf size is not ours", errDamaged)
	case string(h[20:20+idBytes]) != string(want[20:20+idBytes]):
		return fmt.Errorf("%w: it belongs to another layer", errDamaged)
	}
	return nil
}

// encodeLeaf writes the leaf's present states into a sector.
func encodeLeaf(sector []byte, i int, l *leaf) {
	for w := range l.words {
		binary.LittleEndian.PutUint64(sector[8*w:], l.words[w].Load())
	}
	binary.LittleEndian.PutUint32(sector[8*leafWords:], uint32(i))
	seal(sector)
}

// decodeLeaf returns nil for a hole.
func decodeLeaf(sector []byte, i int) (*leaf, error) {
	if isZero(sector) {
		return nil, nil
	}
	if !sealed(sector) || binary.LittleEndian.Uint32(sector[8*leafWords:]) != uint32(i) {
		return nil, fmt.Errorf("%w: leaf %d", errDamaged, i)
	}
	l := new(leaf)
	for w := range l.words {
		word := binary.LittleEndian.Uint64(sector[8*w:])
		if high := word >> 1 & everyBlock; high&^word != 0 {
			return nil, fmt.Errorf("%w: leaf %d has a state that does not exist", errDamaged, i)
		}
		l.words[w].Store(word)
	}
	return l, nil
}

func isZero(p []byte) bool {
	for _, b := range p {
		if b != 0 {
			return false
		}
	}
	return true
}

// loadBuffer is how much of a map file is read at a time, in bytes.
const loadBuffer = 256 << 10

// load reads the map file of layer id into m. Sectors beyond the layer's size are
// left alone.
func (m *blockMap) load(f vfs.File, id string) error {
	h := make([]byte, sectorSize)
	if _, err := f.ReadAt(h, 0); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if err := checkHeader(h, id); err != nil {
		return err
	}
	end := int64(1+len(*m.leaves.Load())) * sectorSize
	buf := make([]byte, min(loadBuffer, end))
	for off := int64(sectorSize); off < end; {
		from, to, err := f.NextData(off)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		off = min(end, max(off, from/sectorSize*sectorSize))
		to = min(end, (to+sectorSize-1)/sectorSize*sectorSize)
		for off < to {
			part := min(to-off, int64(len(buf)))
			if err := m.loadRange(f, buf[:part], off); err != nil {
				return err
			}
			off += part
		}
	}
	return nil
}

func (m *blockMap) loadRange(f vfs.File, buf []byte, off int64) error {
	n, err := f.ReadAt(buf, off)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	clear(buf[n:])
	leaves := *m.leaves.Load()
	for ; len(buf) > 0; buf, off = buf[sectorSize:], off+sectorSize {
		i := int(off/sectorSize) - 1
		l, err := decodeLeaf(buf[:sectorSize], i)
		if err != nil {
			return err
		}
		leaves[i].Store(l)
	}
	return nil
}

// image is the encoding of leaves that follow each other in the file.
type image struct {
	off  int64
	data []byte
}

// images encodes the present states of leaves, which come in order.
func (m *blockMap) images(leaves []int) []image {
	var out []image
	for _, i := range leaves {
		off := int64(1+i) * sectorSize
		if n := len(out); n == 0 || out[n-1].off+int64(len(out[n-1].data)) != off {
			out = append(out, image{off: off})
		}
		last := &out[len(out)-1]
		at := len(last.data)
		last.data = append(last.data, make([]byte, sectorSize)...)
		encodeLeaf(last.data[at:], i, m.leaf(i))
	}
	return out
}
