package devtest

import (
	"bytes"
	"runtime"
	"sync"
	"testing"

	"twinlun/blockdev"
)

func closeEnds(t *testing.T, d blockdev.Device) {
	size := d.Size()
	ok(t, d.WriteAt(bg(), pattern(1, 512), 0))
	ok(t, d.Close())
	buf := make([]byte, 512)
	fails(t, d.ReadAt(bg(), buf, 0), blockdev.KindClosed, "read")
	fails(t, d.WriteAt(bg(), buf, 0), blockdev.KindClosed, "write")
	fails(t, d.Flush(bg()), blockdev.KindClosed, "flush")
	if w, has := d.(blockdev.FUAWriter); has {
		fails(t, w.WriteFUA(bg(), buf, 0), blockdev.KindClosed, "FUA write")
	}
	if z, has := d.(blockdev.Zeroer); has {
		fails(t, z.ZeroAt(bg(), 0, 512), blockdev.KindClosed, "zero")
	}
	if e, has := d.(blockdev.Extenter); has {
		_, err := e.Extents(bg(), 0, 512, 0)
		fails(t, err, blockdev.KindClosed, "extents")
	}
	if d.Size() < size {
		t.Fatalf("size fell from %d to %d", size, d.Size())
	}
}

func closeTwice(t *testing.T, d blockdev.Device) {
	ok(t, d.Close())
	ok(t, d.Close())
}

// closeWaits closes while others read and write: each call either succeeds or
// says that the device is closed, and none happens after Close has returned.
func closeWaits(t *testing.T, d blockdev.Device) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	started, failed := sync.NewCond(&mu), error(nil)
	running := 0
	const workers = 4
	for i := range workers {
		wg.Go(func() {
			buf := pattern(byte(i), 4096)
			for n := 0; ; n++ {
				err := d.WriteAt(bg(), buf, int64(i)*8192)
				if err == nil {
					err = d.ReadAt(bg(), buf, int64(i)*8192)
				}
				mu.Lock()
				if n == 0 {
					running++
					started.Signal()
				}
				if err != nil {
					if !blockdev.Is(err, blockdev.KindClosed) {
						failed = err
					}
					mu.Unlock()
					return
				}
				mu.Unlock()
			}
		})
	}
	mu.Lock()
	for running < workers {
		started.Wait()
	}
	mu.Unlock()
	ok(t, d.Close())
	fails(t, d.WriteAt(bg(), make([]byte, 512), 0), blockdev.KindClosed, "write after close")
	wg.Wait()
	ok(t, failed)
}

// parallelDisjoint has neighbours write sectors of the same blocks at the same
// time.
func parallelDisjoint(t *testing.T, d blockdev.Device) {
	const workers, rounds, sectors = 8, 30, 64
	var wg sync.WaitGroup
	errs := make([]error, workers)
	for w := range workers {
		wg.Go(func() {
			for r := range rounds {
				for s := w; s < sectors; s += workers {
					if err := d.WriteAt(bg(), pattern(byte(s+r), 512), int64(s)*512); err != nil {
						errs[w] = err
						return
					}
				}
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		ok(t, err)
	}
	for s := range sectors {
		holds(t, d, int64(s)*512, pattern(byte(s+rounds-1), 512))
	}
}

// solid says whether every sector of b consists of one byte value.
func solid(b []byte) bool {
	for ; len(b) >= 512; b = b[512:] {
		if !bytes.Equal(b[:511], b[1:512]) {
			return false
		}
	}
	return true
}

// parallelOverlapping has many write the same range: each sector ends as the
// content of one of them.
func parallelOverlapping(t *testing.T, d blockdev.Device) {
	const workers, rounds, length = 6, 25, 24 << 10
	var wg sync.WaitGroup
	errs := make([]error, workers)
	for w := range workers {
		wg.Go(func() {
			for r := range rounds {
				data := bytes.Repeat([]byte{byte(1 + w)}, length)
				shift := int64(r%8) * 512
				if err := d.WriteAt(bg(), data, 4096+shift); err != nil {
					errs[w] = err
					return
				}
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		ok(t, err)
	}
	got := make([]byte, length+8*512)
	ok(t, d.ReadAt(bg(), got, 4096))
	if !solid(got) {
		t.Fatal("a sector is a mixture of two writes")
	}
	if got[0] == 0 || got[length] == 0 {
		t.Fatal("a write was lost")
	}
}

// readDuringWrite reads while another writes: each sector is old or new.
func readDuringWrite(t *testing.T, d blockdev.Device) {
	const length = 16 << 10
	done := make(chan struct{})
	var wg sync.WaitGroup
	var failed error
	wg.Go(func() {
		defer close(done)
		for r := range 60 {
			if failed = d.WriteAt(bg(), bytes.Repeat([]byte{byte(r)}, length), 0); failed != nil {
				return
			}
			runtime.Gosched()
		}
	})
	got := make([]byte, length)
	for open := true; open; {
		select {
		case <-done:
			open = false
		default:
		}
		ok(t, d.ReadAt(bg(), got, 0))
		if !solid(got) {
			t.Fatal("a read saw half of a sector's new content")
		}
	}
	wg.Wait()
	ok(t, failed)
}
