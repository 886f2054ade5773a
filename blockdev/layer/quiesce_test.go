package layer

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev/vfs"
)

// stuckFile has writes at its first byte wait.
type stuckFile struct {
	vfs.File
	release chan struct{}
}

func (f *stuckFile) WriteAt(p []byte, off int64) (int, error) {
	if off == 0 {
		<-f.release
	}
	return len(p), nil
}

// stuckVolume is a volume in that file.
func stuckVolume() (*Volume, *Handle, *stuckFile) {
	f := &stuckFile{release: make(chan struct{})}
	l := &Layer{data: f, blocks: newBlockMap(0)}
	l.size.Store(1 << 20)
	v := NewVolume(NewChain(l, nil), 1<<20)
	return v, v.NewHandle(false, func() error { return nil }), f
}

// TestQuiesceLetsOthersWrite: while one write does not end, no other waits for longer
// than whoever quiesces has patience, in any of the volumes; and when it ends all are
// quiesced.
func TestQuiesceLetsOthersWrite(t *testing.T) {
	for _, stuck := range []time.Duration{0, 5 * time.Millisecond, 100 * time.Millisecond, time.Second} {
		synctest.Test(t, func(t *testing.T) {
			a, ha, _ := stuckVolume()
			b, hb, f := stuckVolume()
			var wg sync.WaitGroup
			write := func(h *Handle, off int64) (took time.Duration) {
				begun := time.Now()
				if err := h.WriteAt(t.Context(), []byte{1}, off); err != nil {
					t.Error(err)
				}
				return time.Since(begun)
			}
			wg.Go(func() { write(hb, 0) })
			synctest.Wait()
			wg.Go(func() {
				time.Sleep(stuck)
				close(f.release)
			})
			quiesced := make(chan time.Time)
			wg.Go(func() {
				QuiesceAll(a, b)
				quiesced <- time.Now()
				a.Resume()
				b.Resume()
			})
			begun, longest := time.Now(), time.Duration(0)
			for time.Since(begun) < min(stuck, 2*lastPatience-2*firstPatience) {
				longest = max(longest, write(ha, 1<<18), write(hb, 1<<18))
				time.Sleep(100 * time.Microsecond)
			}
			require.LessOrEqual(t, longest, lastPatience)
			late := (<-quiesced).Sub(begun) - stuck
			require.GreaterOrEqual(t, late, time.Duration(0))
			require.LessOrEqual(t, late, lastPatience)
			wg.Wait()
			write(ha, 1<<18) // it is open again
		})
	}
}

// TestQuiesceKeepsWritesOut: none gets in before Resume, and a volume that was given up
// for now is left open.
func TestQuiesceKeepsWritesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, ha, f := stuckVolume()
		b, hb, _ := stuckVolume()
		var wg sync.WaitGroup
		wg.Go(func() { _ = ha.WriteAt(t.Context(), []byte{1}, 0) })
		synctest.Wait()
		require.False(t, quiesceWithin([]*Volume{b, a}, time.Millisecond))
		require.NoError(t, hb.WriteAt(t.Context(), []byte{1}, 1<<18))
		require.NoError(t, ha.WriteAt(t.Context(), []byte{1}, 1<<18))
		close(f.release)
		wg.Wait()
		require.True(t, quiesceWithin([]*Volume{b, a}, time.Millisecond))
		wrote := false
		wg.Go(func() {
			_ = hb.WriteAt(t.Context(), []byte{1}, 1<<18)
			wrote = true
		})
		time.Sleep(time.Hour)
		require.False(t, wrote)
		b.Resume()
		a.Resume()
		wg.Wait()
	})
}
