package pdu

import (
	"bufio"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
)

// What can be wrong with the framing of a PDU. After any error of a Reader the
// stream cannot be read further.
var (
	ErrTooLong      = errors.New("pdu: segment is longer than allowed")
	ErrHeaderDigest = errors.New("pdu: header digest does not match")
	ErrDataDigest   = errors.New("pdu: data digest does not match")
	ErrDataSize     = errors.New("pdu: buffer is not of the size of the data segment")
)

const (
	readerBuffer = 64 << 10
	// longData is from where a data segment is read to where it belongs at once.
	longData = 16 << 10
	// shortAhead is how much is read ahead after a long data segment, because
	// another is to be expected: what is read ahead of it has to be copied.
	shortAhead = 2 << 10
	digestLen  = 4
	maxAHS     = 255 * 4
)

// Reader takes PDUs from a stream: Next gives a header, then Data or Discard
// takes its data segment. It is not safe for concurrent use.
type Reader struct {
	// HeaderDigest and DataDigest say that CRC32C digests are on the wire;
	// they may change between PDUs.
	HeaderDigest, DataDigest bool
	// MaxData is the longest data segment that is taken, in bytes.
	MaxData int

	src     throttle
	br      *bufio.Reader
	ahs     [maxAHS]byte
	ahsLen  int
	pending int // of the data segment, not read yet; -1: none
	table   *crc32.Table
}

// NewReader reads from r, which it buffers, and takes data segments of at most
// maxData bytes.
func NewReader(r io.Reader, maxData int) *Reader {
	rd := &Reader{MaxData: maxData, src: throttle{r: r, most: readerBuffer}, pending: -1,
		table: crc32.MakeTable(crc32.Castagnoli)}
	rd.br = bufio.NewReaderSize(&rd.src, readerBuffer)
	return rd
}

// throttle bounds how much of a stream is read ahead.
type throttle struct {
	r    io.Reader
	most int // bytes, > 0
}

// Read is part of io.Reader.
func (t *throttle) Read(p []byte) (int, error) { return t.r.Read(p[:min(len(p), t.most)]) }

// Next reads the header segments of the next PDU into h, after it has skipped
// what was not read of the last one. io.EOF means a clean end between PDUs.
func (r *Reader) Next(h *Header) error {
	if err := r.Discard(); err != nil {
		return err
	}
	if _, err := io.ReadFull(r.br, h[:]); err != nil {
		return err
	}
	r.ahsLen = h.AHSLen()
	if h.DataLen() > r.MaxData {
		return ErrTooLong
	}
	if err := r.full(r.ahs[:r.ahsLen]); err != nil {
		return err
	}
	if r.HeaderDigest {
		if err := r.checkHeader(h); err != nil {
			return err
		}
	}
	r.pending = h.DataLen()
	r.src.most = readerBuffer
	if r.pending >= longData {
		r.src.most = shortAhead
	}
	return nil
}

// AHS is the additional header segments of the last PDU, valid until Next.
func (r *Reader) AHS() []byte { return r.ahs[:r.ahsLen] }

// Data reads the whole data segment of the last PDU into p, which must have
// exactly its length.
func (r *Reader) Data(p []byte) error {
	if r.pending != len(p) {
		return ErrDataSize
	}
	r.pending = -1
	if len(p) == 0 {
		return nil
	}
	if err := r.segment(p); err != nil {
		return err
	}
	var tail [3 + digestLen]byte
	pad := padding(len(p))
	if !r.DataDigest {
		return r.full(tail[:pad])
	}
	if err := r.full(tail[:pad+digestLen]); err != nil {
		return err
	}
	sum := crc32.Update(crc32.Checksum(p, r.table), r.table, tail[:pad])
	if sum != binary.LittleEndian.Uint32(tail[pad:]) {
		return ErrDataDigest
	}
	return nil
}

// Discard skips the data segment of the last PDU, if it has not been read. Its
// digest is not checked.
func (r *Reader) Discard() error {
	n := r.pending
	r.pending = -1
	if n <= 0 {
		return nil
	}
	r.src.most = readerBuffer
	n += padding(n)
	if r.DataDigest {
		n += digestLen
	}
	_, err := r.br.Discard(n)
	return unexpected(err)
}

func (r *Reader) checkHeader(h *Header) error {
	var d [digestLen]byte
	if err := r.full(d[:]); err != nil {
		return err
	}
	sum := crc32.Update(crc32.Checksum(h[:], r.table), r.table, r.AHS())
	if sum != binary.LittleEndian.Uint32(d[:]) {
		return ErrHeaderDigest
	}
	return nil
}

// full reads all of p; an end of the stream is an error here.
func (r *Reader) full(p []byte) error {
	_, err := io.ReadFull(r.br, p)
	return unexpected(err)
}

// segment is full for what may be long: that goes past the buffer.
func (r *Reader) segment(p []byte) error {
	n := min(r.br.Buffered(), len(p))
	if len(p)-n < longData {
		return r.full(p)
	}
	if err := r.full(p[:n]); err != nil {
		return err
	}
	_, err := io.ReadFull(r.src.r, p[n:])
	return unexpected(err)
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func padding(n int) int { return -n & 3 }
