// Package blockdev is the vocabulary of the block layer: what a device is, what
// it may additionally be able to do, what may stand in its write path and how
// it fails. It depends on the standard library only.
package blockdev

import "context"

// BlockSize is the unit in which layers keep track of what they hold, in bytes.
// Reads and writes need not be aligned to it.
const BlockSize = 4096

// SectorSize is the logical block size that initiators see, in bytes.
const SectorSize = 512

// Device is a fixed range of bytes that can be read and written.
//
// All methods may be called at the same time from many goroutines. Overlapping
// writes that run at the same time leave, for each 512-byte sector, the content
// of one of them. A read that overlaps a running write sees, for each sector,
// the old or the new content.
//
// The caller owns p before and after a call; the device must not keep it.
type Device interface {
	// ReadAt fills p from off. It reads all of p or fails; a range outside
	// [0, Size()) fails with KindOutOfRange and reads nothing.
	ReadAt(ctx context.Context, p []byte, off int64) error
	// WriteAt stores p at off, or fails. After a failure each sector of the
	// range holds its old or its new content. What was written is durable
	// only after a Flush that began later has returned nil.
	WriteAt(ctx context.Context, p []byte, off int64) error
	// Flush makes everything durable that was written before it was called.
	// An error is final for the data it covered: it must not be retried
	// into success.
	Flush(ctx context.Context) error
	// Size is the length in bytes, a multiple of SectorSize. It can grow
	// while the device is open and never shrinks.
	Size() int64
	// Close gives the handle back. It does not imply Flush. Calls that are
	// running finish first; calls after it fail with KindClosed. A second
	// Close does nothing.
	Close() error
}

// FUAWriter is a Device that can make one write durable without flushing
// everything. Without it, use WriteAt and Flush (see WriteFUA).
type FUAWriter interface {
	// WriteFUA is WriteAt whose data is durable when it returns nil.
	WriteFUA(ctx context.Context, p []byte, off int64) error
}

// Zeroer is a Device that can make a range read as zeros without being sent the
// zeros, and give the space back where it can. Without it, zeros are written
// (see Zero).
type Zeroer interface {
	// ZeroAt makes [off, off+n) read as zeros. It has the ordering and
	// durability of WriteAt.
	ZeroAt(ctx context.Context, off, n int64) error
}

// Revisioner is a Device whose content can be replaced as a whole while it is open,
// by something other than writes: its volume is taken back to a snapshot. Those who
// keep what they have read must be told.
type Revisioner interface {
	// Revision is another number after each such replacement than before it. It
	// changes before the first read finds the new content.
	Revision() uint64
}

// Extenter is a Device that knows which of its ranges hold data. Without it, all
// of the device is taken to hold data.
type Extenter interface {
	// Extents lists, in ascending order and without gaps or overlaps, what
	// [off, off+n) holds. At most limit extents are returned, which then
	// cover a prefix of the range; limit < 1 means no limit.
	Extents(ctx context.Context, off, n int64, limit int) ([]Extent, error)
}

// Extent is a range of a device that is of one kind.
type Extent struct {
	Off, Len int64 // bytes
	Data     bool  // false: the range reads as zeros and holds no space
}

// WriteFUA writes p durably through d's own FUAWriter, or with a write and a
// flush where d has none.
func WriteFUA(ctx context.Context, d Device, p []byte, off int64) error {
	if f, ok := d.(FUAWriter); ok {
		return f.WriteFUA(ctx, p, off)
	}
	if err := d.WriteAt(ctx, p, off); err != nil {
		return err
	}
	return d.Flush(ctx)
}

// zeroChunk bounds the buffer that Zero writes from.
const zeroChunk = 1 << 20

// Zero makes [off, off+n) of d read as zeros, through d's own Zeroer or by
// writing zeros where d has none.
func Zero(ctx context.Context, d Device, off, n int64) error {
	if z, ok := d.(Zeroer); ok {
		return z.ZeroAt(ctx, off, n)
	}
	buf := make([]byte, min(n, zeroChunk))
	for n > 0 {
		part := min(n, int64(len(buf)))
		if err := d.WriteAt(ctx, buf[:part], off); err != nil {
			return err
		}
		off, n = off+part, n-part
	}
	return nil
}

// CheckRange says whether [off, off+n) lies within a device of the given size,
// as a KindOutOfRange error of operation op if it does not.
func CheckRange(op string, off, n, size int64) error {
	if off < 0 || n < 0 || off > size || n > size-off {
		return outOfRange(op, off, n, size)
	}
	return nil
}

// outOfRange stands alone so that CheckRange is part of its callers.
func outOfRange(op string, off, n, size int64) error {
	return Errorf(KindOutOfRange, op, "range %d+%d is outside of %d bytes", off, n, size)
}
