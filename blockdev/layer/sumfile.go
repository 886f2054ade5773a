package layer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"twinlun/blockdev/vfs"
)

// The file of sums of a frozen layer, all numbers little-endian:
//
//	sector 0      header: magic, format version, bytes a block, blocks a sector, the
//	              layer's id, the layer's size, how many of its blocks are summed,
//	              a digest of the sectors so far, zeros, CRC-32C of all that
//	sector 1 + i  the sums of 126 blocks, 4 bytes each; i; CRC-32C of all that
//
// The sum of a block is its CRC-32C, exclusive-ored with that of zeros: a sector that
// is a hole is 126 blocks of zeros. Blocks that the layer does not have are summed as
// zeros; the last block of a layer is filled up with zeros.
//
// The header is written when the sectors that it counts are durable, so what a power
// cut leaves is complete, or goes on from where it counts to, or is made anew. The
// digest is that of the numbers and checksums of all sectors that are not holes: it
// tells when one was lost.
const (
	sumMagic      = "TWLNSUM\n"
	sumVersion    = 1
	sumBlocks     = (sectorSize - 8) / 4
	sumSpan       = sumBlocks * blockSize // bytes of the layer that a sector is about
	sumIDAt       = 20
	sumSizeAt     = sumIDAt + idBytes
	sumDoneAt     = sumSizeAt + 8
	sumDigestAt   = sumDoneAt + 8
	sumHeaderUsed = sumDigestAt + 4
)

// SumFile is the name of the file with the sums of a frozen layer; it may be absent.
func SumFile(id string) string { return id + ".sum" }

// ErrSums is the cause of every error about a file of sums that cannot be used; it
// can be made anew.
var ErrSums = errors.New("file of sums is damaged")

// ErrNoSums says that a layer does not have all its sums yet.
var ErrNoSums = errors.New("the layer has no sums yet")

// sumHeader is what the header says that changes.
type sumHeader struct {
	size, done int64 // bytes, blocks
	digest     uint32
}

func (h sumHeader) complete() bool { return h.done == blocksOf(h.size) }

func (h sumHeader) encode(id string) []byte {
	b := make([]byte, sectorSize)
	copy(b, sumMagic)
	binary.LittleEndian.PutUint32(b[8:], sumVersion)
	binary.LittleEndian.PutUint32(b[12:], blockSize)
	binary.LittleEndian.PutUint32(b[16:], sumBlocks)
	copy(b[sumIDAt:sumSizeAt], id)
	binary.LittleEndian.PutUint64(b[sumSizeAt:], uint64(h.size))
	binary.LittleEndian.PutUint64(b[sumDoneAt:], uint64(h.done))
	binary.LittleEndian.PutUint32(b[sumDigestAt:], h.digest)
	seal(b)
	return b
}

// decodeSumHeader reads the header of a layer's sums.
func decodeSumHeader(b []byte, id string) (sumHeader, error) {
	want := sumHeader{}.encode(id)
	switch version := binary.LittleEndian.Uint32(b[8:]); {
	case string(b[:8]) != sumMagic:
		return sumHeader{}, fmt.Errorf("%w: it does not begin like one", ErrSums)
	case !sealed(b):
		return sumHeader{}, fmt.Errorf("%w: checksum of the header", ErrSums)
	case version != sumVersion:
		return sumHeader{}, fmt.Errorf("file of sums has format version %d, this program knows %d", version, sumVersion)
	case string(b[12:sumSizeAt]) != string(want[12:sumSizeAt]):
		return sumHeader{}, fmt.Errorf("%w: it belongs to another layer", ErrSums)
	}
	h := sumHeader{
		size: int64(binary.LittleEndian.Uint64(b[sumSizeAt:])), done: int64(binary.LittleEndian.Uint64(b[sumDoneAt:])),
		digest: binary.LittleEndian.Uint32(b[sumDigestAt:]),
	}
	if h.size < 0 || h.done < 0 || h.done > blocksOf(h.size) || h.done%sumBlocks != 0 && !h.complete() {
		return sumHeader{}, fmt.Errorf("%w: it has %d of %d blocks", ErrSums, h.done, blocksOf(h.size))
	}
	return h, nil
}

// readSumHeader reads the header of an open file of sums; without one nothing is
// summed. One that is for another size
// was made before the layer grew: it is damaged.
func readSumHeader(f vfs.File, id string, size int64) (sumHeader, error) {
	b := make([]byte, sectorSize)
	if _, err := f.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		return sumHeader{}, err
	}
	if isZero(b) { // as it was created, or dropped
		return sumHeader{size: size}, nil
	}
	h, err := decodeSumHeader(b, id)
	if err == nil && h.size != size {
		err = fmt.Errorf("%w: it is for %d bytes, the layer has %d", ErrSums, h.size, size)
	}
	return h, err
}

// sumSector is the sums of one sector's blocks.
type sumSector [sumBlocks]uint32

// encode writes sector i into b and adds it to the digest; hole says that it is all
// zeros, which is not written.
func (s *sumSector) encode(b []byte, i int64, digest uint32) (next uint32, hole bool) {
	if *s == (sumSector{}) {
		return digest, true
	}
	for k, sum := range s {
		binary.LittleEndian.PutUint32(b[4*k:], sum)
	}
	binary.LittleEndian.PutUint32(b[4*sumBlocks:], uint32(i))
	seal(b)
	return digestOf(digest, b), false
}

// digestOf adds the number and the checksum of a sector to a digest.
func digestOf(digest uint32, sector []byte) uint32 {
	return castagnoliOn(digest, sector[4*sumBlocks:])
}

// decode reads sector i from b and adds it to the digest.
func (s *sumSector) decode(b []byte, i int64, digest uint32) (uint32, error) {
	*s = sumSector{}
	if isZero(b) {
		return digest, nil
	}
	if !sealed(b) || binary.LittleEndian.Uint32(b[4*sumBlocks:]) != uint32(i) {
		return digest, fmt.Errorf("%w: sector %d", ErrSums, i)
	}
	for k := range s {
		s[k] = binary.LittleEndian.Uint32(b[4*k:])
	}
	return digestOf(digest, b), nil
}

// DropSums makes the sums of a layer invalid for ever, before its content changes, and
// removes the file. The layer need not have any.
func DropSums(fsys vfs.Files, id string) error {
	f, err := fsys.Open(SumFile(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	op := "drop sums of layer " + id
	if err != nil {
		return ioError(op, err)
	}
	_, err = f.WriteAt(make([]byte, sectorSize), 0)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return ioError(op, err)
	}
	return ioError(op, fsys.Remove(SumFile(id)))
}

// CheckSums reads the whole file of sums of a frozen layer of size bytes and says whether
// it can be true, and whether it has all of them. ErrSums: it is damaged, and can be made
// anew.
func CheckSums(fsys vfs.Files, id string, size int64) (complete bool, err error) {
	f, err := fsys.Open(SumFile(id))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	op := "check sums of layer " + id
	if err != nil {
		return false, ioError(op, err)
	}
	h, err := readSumHeader(f, id, size)
	if err == nil {
		err = h.check(f)
	}
	return err == nil && h.complete(), ioError(op, errors.Join(err, f.Close()))
}

// check reads the sectors that the header counts.
func (h sumHeader) check(f vfs.File) error {
	var b [sectorSize]byte
	var s sumSector
	digest := uint32(0)
	for i := int64(0); i*sumBlocks < h.done; i++ {
		from, _, err := f.NextData((1 + i) * sectorSize)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if i = max(i, from/sectorSize-1); i*sumBlocks >= h.done {
			break
		}
		n, err := f.ReadAt(b[:], (1+i)*sectorSize)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		clear(b[n:])
		if digest, err = s.decode(b[:], i, digest); err != nil {
			return err
		}
	}
	if digest != h.digest {
		return fmt.Errorf("%w: a sector is missing", ErrSums)
	}
	return nil
}
