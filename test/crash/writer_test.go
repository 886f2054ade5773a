package crash

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev/iscsi/initiator"
	"twinlun/test/system"
)

const (
	blockSize  = 4096
	sectorSize = 512
	blocks     = 8192 // of each volume: 32 MiB
	volumes    = 2
)

// history knows, for one volume, what each block may hold: a version no older
// than the last one that a completed flush covered, no newer than the last one
// that was sent.
type history struct {
	mu      sync.Mutex
	sent    [blocks]uint64
	acked   [blocks]uint64
	flushed [blocks]uint64
}

// stamp fills a block with its number and version.
func stamp(p []byte, volume, block int, version uint64) {
	for off := 0; off < len(p); off += 16 {
		binary.LittleEndian.PutUint64(p[off:], version)
		binary.LittleEndian.PutUint64(p[off+8:], uint64(volume)<<32|uint64(block))
	}
}

// version reads a stamped block: the versions of its oldest and newest sector.
func version(p []byte, volume, block int) (oldest, newest uint64, err error) {
	oldest = ^uint64(0)
	for ; len(p) > 0; p = p[sectorSize:] {
		v, err := sectorVersion(p[:sectorSize], uint64(volume)<<32|uint64(block))
		if err != nil {
			return 0, 0, err
		}
		oldest, newest = min(oldest, v), max(newest, v)
	}
	return oldest, newest, nil
}

// sectorVersion reads a stamped sector, which must be whole; 0 is one that was
// never written.
func sectorVersion(s []byte, tag uint64) (uint64, error) {
	if !bytes.Equal(s[16:], s[:sectorSize-16]) {
		return 0, errors.New("a sector is torn")
	}
	v, got := binary.LittleEndian.Uint64(s), binary.LittleEndian.Uint64(s[8:])
	if got != tag && (v != 0 || got != 0) {
		return 0, errors.New("the block holds what was never written to it")
	}
	return v, nil
}

// work writes random blocks and flushes now and then until ctx ends or the
// daemon is gone.
func (h *history) work(ctx context.Context, disk *initiator.Disk, volume int, seed uint64) {
	defer disk.Close()
	r := rand.New(rand.NewPCG(seed, uint64(volume)))
	block := make([]byte, blockSize)
	for n := 1; ctx.Err() == nil; n++ {
		b := r.IntN(blocks)
		stamp(block, volume, b, h.next(b))
		if disk.WriteAt(ctx, block, int64(b)*blockSize) != nil {
			return
		}
		h.ack(b)
		if n%32 == 0 && !h.flush(ctx, disk) {
			return
		}
	}
}

// fill writes every block once, so that a copy has something to copy.
func (h *history) fill(t *testing.T, d *system.Daemon, name string, volume int) {
	t.Helper()
	disk, err := d.Disk(t.Context(), name)
	require.NoError(t, err)
	defer disk.Close()
	content := make([]byte, blocks*blockSize)
	for b := range blocks {
		stamp(content[b*blockSize:(b+1)*blockSize], volume, b, h.next(b))
		h.ack(b)
	}
	require.NoError(t, disk.WriteAt(t.Context(), content, 0))
	require.True(t, h.flush(t.Context(), disk))
}

func (h *history) next(b int) uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sent[b]++
	return h.sent[b]
}

func (h *history) ack(b int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.acked[b] = h.sent[b]
}

// flush notes what was acknowledged before a flush that completes.
func (h *history) flush(ctx context.Context, disk *initiator.Disk) bool {
	h.mu.Lock()
	covered := h.acked
	h.mu.Unlock()
	if disk.Flush(ctx) != nil {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.flushed = covered
	return true
}

// check reads the volume after a crash and takes what it holds as the new truth.
func (h *history) check(t *testing.T, d *system.Daemon, name string, volume int) []byte {
	t.Helper()
	content := read(t, d, name)
	h.mu.Lock()
	defer h.mu.Unlock()
	for b := range blocks {
		oldest, newest, err := version(content[b*blockSize:(b+1)*blockSize], volume, b)
		switch {
		case err != nil:
			t.Fatalf("%s block %d: %v", name, b, err)
		case oldest < h.flushed[b]:
			t.Fatalf("%s block %d lost what a flush covered: version %d, flushed %d", name, b, oldest, h.flushed[b])
		case newest > h.sent[b]:
			t.Fatalf("%s block %d has version %d, the last one sent is %d", name, b, newest, h.sent[b])
		}
		h.acked[b], h.flushed[b] = oldest, oldest
	}
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
