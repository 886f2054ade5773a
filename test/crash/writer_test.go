package crash

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev/iscsi/initiator"
	"twinlun/test/system"
)

// reach is the most that one request of a writer covers, in sectors: no multiple of a
// block, so that two writers meet in blocks.
const reach = 100

// writersOf is how many writers a volume has. Sectors are theirs in turn, reach at a time.
const writersOf = 2

// tally counts what was answered.
type tally struct {
	writes, fua, zeros, flushes, reads atomic.Int64
}

// writer is one session with a volume.
type writer struct {
	h     *history
	disk  *initiator.Disk
	turn  int // which of the writers it is
	r     *rand.Rand
	tally *tally
}

// work changes, flushes and reads until ctx ends or something fails.
func (w *writer) work(ctx context.Context) error {
	defer w.disk.Close()
	for ctx.Err() == nil {
		if err := w.step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) step(ctx context.Context) error {
	first, n := w.place()
	switch k := w.r.IntN(100); {
	case k < 55:
		return w.change(first, n, &w.tally.writes, false, func(p []byte) error { return w.disk.WriteAt(ctx, p, int64(first)*sectorSize) })
	case k < 65:
		return w.change(first, n, &w.tally.fua, true, func(p []byte) error { return writeFUA(ctx, w.disk, p, first) })
	case k < 73:
		w.h.begin(first, n, true)
		return w.ended(first, n, &w.tally.zeros, false, unmap(ctx, w.disk, first, n))
	case k < 82:
		return w.flush(ctx)
	}
	return w.verify(ctx, first, n)
}

// place is a random range of the writer's sectors; half of them are whole blocks.
func (w *writer) place() (first, n int) {
	stripes := w.h.size() / (reach * writersOf)
	from := (w.r.IntN(stripes)*writersOf + w.turn) * reach
	first = from + w.r.IntN(reach)
	n = 1 + w.r.IntN(from+reach-first)
	if w.r.IntN(2) == 0 {
		first = (from + 7 + w.r.IntN(reach/2)) &^ 7
		n = 8 * (1 + w.r.IntN((from+reach-first)/8))
	}
	return first, n
}

func (w *writer) change(first, n int, count *atomic.Int64, durable bool, put func(p []byte) error) error {
	return w.ended(first, n, count, durable, put(w.h.begin(first, n, false)))
}

func (w *writer) ended(first, n int, count *atomic.Int64, durable bool, err error) error {
	if err == nil {
		w.h.end(first, n, durable)
		count.Add(1)
	}
	return err
}

// flush notes what was answered before a flush that completes.
func (w *writer) flush(ctx context.Context) error {
	covered := w.h.answered()
	if err := w.disk.Flush(ctx); err != nil {
		return err
	}
	w.h.flushed(covered)
	w.tally.flushes.Add(1)
	return nil
}

// verify reads some of the writer's own sectors.
func (w *writer) verify(ctx context.Context, first, n int) error {
	p := make([]byte, n*sectorSize)
	if err := w.disk.ReadAt(ctx, p, int64(first)*sectorSize); err != nil {
		return err
	}
	w.tally.reads.Add(1)
	got, err := changes(p, w.h.volume, first)
	if err != nil {
		return wrongError{err}
	}
	for i, v := range got {
		if !w.h.exact(first+i, v) {
			return wrongError{fmt.Errorf("sector %d reads as change %d, which was not the last", first+i, v)}
		}
	}
	return nil
}

// wrongError is content that may not be there.
type wrongError struct{ error }

// writeFUA is WRITE(16) with FUA.
func writeFUA(ctx context.Context, disk *initiator.Disk, p []byte, first int) error {
	cdb := make([]byte, 16)
	cdb[0], cdb[1] = 0x8a, 0x08
	binary.BigEndian.PutUint64(cdb[2:], uint64(first))
	binary.BigEndian.PutUint32(cdb[10:], uint32(len(p)/sectorSize))
	return command(ctx, disk, cdb, p)
}

// unmap is UNMAP with one descriptor.
func unmap(ctx context.Context, disk *initiator.Disk, first, n int) error {
	cdb, list := make([]byte, 10), make([]byte, 24)
	cdb[0], cdb[8] = 0x42, byte(len(list))
	list[1], list[3] = byte(len(list)-2), 16
	binary.BigEndian.PutUint64(list[8:], uint64(first))
	binary.BigEndian.PutUint32(list[16:], uint32(n))
	return command(ctx, disk, cdb, list)
}

// command sends a command again while the unit has news to tell first.
func command(ctx context.Context, disk *initiator.Disk, cdb, out []byte) error {
	for range 16 {
		r, err := disk.Command(ctx, cdb, nil, out)
		switch {
		case err != nil:
			return err
		case r.Status == 0:
			return nil
		case r.Status != 2 || len(r.Sense) < 3 || r.Sense[2]&0x0f != 6:
			return fmt.Errorf("command %#x: status %#x, sense %x", cdb[0], r.Status, r.Sense)
		}
	}
	return errors.New("no end of unit attentions")
}

// fill writes every sector once, so that a copy has something to copy.
func (h *history) fill(t *testing.T, d *system.Daemon, name string) {
	t.Helper()
	disk, err := d.Disk(t.Context(), name)
	require.NoError(t, err)
	w := &writer{h: h, disk: disk, tally: &tally{}}
	defer disk.Close()
	n := h.size()
	require.NoError(t, w.change(0, n, &w.tally.writes, false, func(p []byte) error { return disk.WriteAt(t.Context(), p, 0) }))
	require.NoError(t, w.flush(t.Context()))
}

// recovered reads the volume after a crash and takes what it holds as the new truth.
func (h *history) recovered(t *testing.T, d *system.Daemon, name string) []byte {
	t.Helper()
	content := read(t, d, name)
	found, err := changes(content, h.volume, 0)
	require.NoError(t, err, name)
	require.NoError(t, h.verify(found), name)
	h.settle(found)
	return content
}

// read reads all of a volume.
func read(t *testing.T, d *system.Daemon, name string) []byte {
	t.Helper()
	disk, err := d.Disk(t.Context(), name)
	require.NoError(t, err)
	defer disk.Close()
	content := make([]byte, disk.Size())
	require.NoError(t, disk.ReadAt(t.Context(), content, 0))
	return content
}
