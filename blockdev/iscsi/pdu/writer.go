package pdu

import (
	"encoding/binary"
	"hash/crc32"
	"io"
	"net"
)

const (
	writerBuffer = 128 << 10
	// copyMax is the longest data segment that is copied to be written
	// together with its neighbours; longer ones are written from where they
	// are.
	copyMax = 16 << 10
)

// Writer puts PDUs on a stream. Small ones are collected until Flush or until
// the buffer is full; a long data segment is written at once, without a copy.
// It is not safe for concurrent use.
type Writer struct {
	// HeaderDigest and DataDigest turn CRC32C digests on; they may change
	// between PDUs.
	HeaderDigest, DataDigest bool

	w     io.Writer
	buf   []byte
	vec   net.Buffers
	store [3][]byte
	table *crc32.Table
}

// NewWriter writes to w. A *net.TCPConn gets one writev for a long PDU.
func NewWriter(w io.Writer) *Writer {
	return &Writer{w: w, table: crc32.MakeTable(crc32.Castagnoli)}
}

// Write puts out the PDU of header h, whose length fields it sets, and data.
// ahs has a multiple of 4 and at most 1020 bytes, data less than 16 MiB. When it
// returns, data is no longer needed.
func (w *Writer) Write(h *Header, ahs, data []byte) error {
	if len(ahs) > maxAHS || len(ahs)%4 != 0 || len(data) > maxDataLen {
		return ErrTooLong
	}
	if len(w.buf)+HeaderLen+len(ahs)+min(len(data), copyMax)+16 > writerBuffer {
		if err := w.Flush(); err != nil {
			return err
		}
	}
	w.header(h, ahs, len(data))
	if len(data) == 0 {
		return nil
	}
	if len(data) <= copyMax {
		w.buf = append(w.buf, data...)
		w.buf = w.tail(w.buf, data)
		return nil
	}
	return w.long(data)
}

// Flush writes what has been collected.
func (w *Writer) Flush() error {
	if len(w.buf) == 0 {
		return nil
	}
	_, err := w.w.Write(w.buf)
	w.buf = w.buf[:0]
	return err
}

// Buffered is the number of bytes that wait for Flush.
func (w *Writer) Buffered() int { return len(w.buf) }

func (w *Writer) header(h *Header, ahs []byte, n int) {
	h.setLengths(len(ahs), n)
	start := len(w.buf)
	w.buf = append(append(w.buf, h[:]...), ahs...)
	if w.HeaderDigest {
		w.buf = binary.LittleEndian.AppendUint32(w.buf, crc32.Checksum(w.buf[start:], w.table))
	}
}

// tail appends the padding and the digest of data to b.
func (w *Writer) tail(b, data []byte) []byte {
	var zeros [3]byte
	pad := zeros[:padding(len(data))]
	b = append(b, pad...)
	if !w.DataDigest {
		return b
	}
	sum := crc32.Update(crc32.Checksum(data, w.table), w.table, pad)
	return binary.LittleEndian.AppendUint32(b, sum)
}

// long writes the buffer, data and its tail in one go.
func (w *Writer) long(data []byte) error {
	var space [8]byte
	w.vec = append(w.store[:0], w.buf, data, w.tail(space[:0], data))
	_, err := w.vec.WriteTo(w.w)
	w.vec, w.store = nil, [3][]byte{}
	w.buf = w.buf[:0]
	return err
}
