package layer

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"

	"twinlun/blockdev/vfs"
)

// castagnoliOn goes on with a checksum.
func castagnoliOn(crc uint32, p []byte) uint32 {
	return crc32.Update(crc, crc32.MakeTable(crc32.Castagnoli), p)
}

// sumOfZeros is the CRC-32C of a block of zeros.
const sumOfZeros = 0x98F94189

// sumOf is the sum of a block.
func sumOf(block []byte) uint32 { return castagnoli(block) ^ sumOfZeros }

// Damage is a range of a layer that does not hold what it did when it was frozen.
type Damage struct {
	Layer    string
	Off, Len int64 // bytes, whole blocks but for the end of the layer
}

// summer goes through a layer and its file of sums.
type summer struct {
	layer    *Layer
	grounded bool
	file     vfs.File
	head     sumHeader
	sector   [sectorSize]byte
	block    []byte // sumSpan bytes
}

// next is the first sector from i on whose blocks may have data, or, where with is a
// file, whose sums may not be zeros; n sectors at most.
func (s *summer) next(i, n int64, with vfs.File) (int64, error) {
	from, _, err := s.layer.data.NextData(i * sumSpan)
	switch {
	case err == nil:
		n = min(n, from/sumSpan)
	case !errors.Is(err, io.EOF):
		return 0, ioError("find data", err)
	}
	if with == nil {
		return max(i, n), nil
	}
	from, _, err = with.NextData((1 + i) * sectorSize)
	switch {
	case err == nil:
		n = min(n, from/sectorSize-1)
	case !errors.Is(err, io.EOF):
		return 0, ioError("find sums", err)
	}
	return max(i, n), nil
}

// sums computes those of sector i.
func (s *summer) sums(i int64) (out sumSector, err error) {
	off := i * sumSpan
	buf := s.block[:min(sumSpan, blocksOf(s.layer.Size()-off)*blockSize)]
	if err := s.layer.readRaw(buf, off); err != nil {
		return out, err
	}
	for k := range len(buf) / blockSize {
		if s.has(i*sumBlocks + int64(k)) {
			out[k] = sumOf(buf[k*blockSize:][:blockSize])
		}
	}
	return out, nil
}

// has says whether the content of a block is the layer's.
func (s *summer) has(block int64) bool {
	st, _ := s.layer.blocks.run(block, 1)
	return s.grounded || st == data
}

func (s *summer) sectors() int64 { return (blocksOf(s.layer.Size()) + sumBlocks - 1) / sumBlocks }

// Sum computes the sums of the layer, which must be frozen and stay as it is until Sum
// returns; grounded says that it stands on nothing. It can be interrupted and called
// again, and goes on; sums that are there are not computed again. When it has returned
// nil they are durable but for the name of the file, which may have to be made anew
// after a power cut.
func (l *Layer) Sum(ctx context.Context, fsys vfs.Files, grounded bool, pace Pace) error {
	if err := l.Flush(); err != nil { // what is summed must be what is there later
		return err
	}
	s := &summer{layer: l, grounded: grounded, block: make([]byte, sumSpan)}
	if err := s.open(fsys); err != nil {
		return ioError("open sums of layer "+l.id, err)
	}
	return ioError("sum layer "+l.id, errors.Join(s.run(ctx, pace), s.file.Close()))
}

// open opens the file of sums, or begins one where there is none that can be used.
func (s *summer) open(fsys vfs.Files) (err error) {
	name := SumFile(s.layer.id)
	if s.file, err = fsys.Open(name); err == nil {
		if s.head, err = readSumHeader(s.file, s.layer.id, s.layer.Size()); err == nil && s.head.done > 0 {
			return nil
		}
		if err := s.file.Close(); err != nil {
			return err
		}
		if err != nil && !errors.Is(err, ErrSums) {
			return err
		}
		if err := fsys.Remove(name); err != nil {
			return err
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	s.head = sumHeader{size: s.layer.Size()}
	s.file, err = fsys.Create(name)
	return err
}

// run computes what is missing.
func (s *summer) run(ctx context.Context, pace Pace) error {
	n, at := s.sectors(), s.head.done/sumBlocks
	for i := at; !s.head.complete(); i++ {
		next, err := s.next(i, n, nil)
		if err == nil && next < n {
			err = s.put(next)
		}
		if err != nil {
			return err
		}
		stop := pace(ctx, (min(next+1, n)-i)*sumSpan, sumSpan)
		i = next
		if last := i+1 >= n; last || stop != nil || ctx.Err() != nil || (i+1-at)*sumSpan >= commitEvery {
			if err := s.save(min(i+1, n)); err != nil {
				return err
			}
			at = i + 1
		}
		if err := errors.Join(stop, ctx.Err()); err != nil {
			return err
		}
	}
	return nil
}

// put computes and writes sector i.
func (s *summer) put(i int64) error {
	sums, err := s.sums(i)
	if err != nil {
		return err
	}
	var hole bool
	if s.head.digest, hole = sums.encode(s.sector[:], i, s.head.digest); hole {
		return nil
	}
	_, err = s.file.WriteAt(s.sector[:], (1+i)*sectorSize)
	return err
}

// save makes the first n sectors durable, and then the header that counts them.
func (s *summer) save(n int64) error {
	s.head.done = min(n*sumBlocks, blocksOf(s.head.size))
	if err := s.file.Sync(); err != nil {
		return err
	}
	if _, err := s.file.WriteAt(s.head.encode(s.layer.id), 0); err != nil {
		return err
	}
	return s.file.Sync()
}

// maxDamages bounds how many ranges of one layer Verify remembers.
const maxDamages = 1000

// Verify compares the layer, which must be frozen, with its sums and gives the ranges
// that differ: the first thousand, and the bytes of all. ErrNoSums: there are none, or
// not all; ErrSums: the sums themselves are damaged.
func (l *Layer) Verify(ctx context.Context, fsys vfs.Files, grounded bool, pace Pace) (found []Damage, bytes int64, err error) {
	f, err := fsys.Open(SumFile(l.id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, ErrNoSums
	}
	if err != nil {
		return nil, 0, ioError("open sums of layer "+l.id, err)
	}
	s := &summer{layer: l, grounded: grounded, file: f, block: make([]byte, sumSpan)}
	v := &verifier{summer: s}
	err = errors.Join(v.run(ctx, pace), f.Close())
	if err != nil {
		return nil, 0, ioError("verify layer "+l.id, err)
	}
	return v.found, v.bytes, nil
}

// verifier collects what differs.
type verifier struct {
	*summer
	found []Damage
	bytes int64
}

func (v *verifier) run(ctx context.Context, pace Pace) (err error) {
	if v.head, err = readSumHeader(v.file, v.layer.id, v.layer.Size()); err != nil {
		return err
	}
	if !v.head.complete() {
		return ErrNoSums
	}
	digest, n := uint32(0), v.sectors()
	for i := int64(0); i < n; i++ {
		next, err := v.next(i, n, v.file)
		if err == nil && next < n {
			digest, err = v.compare(next, digest)
		}
		if err == nil {
			err = pace(ctx, (min(next+1, n)-i)*sumSpan, sumSpan)
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		i = next
	}
	if digest != v.head.digest {
		return fmt.Errorf("%w: a sector is missing", ErrSums)
	}
	return nil
}

// compare compares the blocks of sector i.
func (v *verifier) compare(i int64, digest uint32) (uint32, error) {
	want, digest, err := v.load(i, digest)
	if err != nil {
		return digest, err
	}
	got, err := v.sums(i)
	if err != nil {
		return digest, err
	}
	for k := range got {
		if got[k] != want[k] {
			v.note((i*sumBlocks + int64(k)) * blockSize)
		}
	}
	return digest, nil
}

// load reads the sums of sector i.
func (s *summer) load(i int64, digest uint32) (out sumSector, _ uint32, err error) {
	n, err := s.file.ReadAt(s.sector[:], (1+i)*sectorSize)
	if err != nil && !errors.Is(err, io.EOF) {
		return out, digest, err
	}
	clear(s.sector[n:])
	digest, err = out.decode(s.sector[:], i, digest)
	return out, digest, err
}

// note remembers the block at off.
func (v *verifier) note(off int64) {
	n := min(blockSize, v.layer.Size()-off)
	v.bytes += n
	if last := len(v.found) - 1; last >= 0 && v.found[last].Off+v.found[last].Len == off {
		v.found[last].Len += n
		return
	}
	if len(v.found) < maxDamages {
		v.found = append(v.found, Damage{Layer: v.layer.id, Off: off, Len: n})
	}
}

// CheckMap reads the map file of a frozen layer of size bytes and says whether it can
// be true.
func CheckMap(fsys vfs.Files, id string, size int64) error {
	f, err := fsys.Open(MapFile(id))
	if err != nil {
		return ioError("open map of layer "+id, err)
	}
	err = newBlockMap(blocksOf(size)).load(f, id)
	return ioError("check map of layer "+id, errors.Join(err, f.Close()))
}
