package pool_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/pool"
	"twinlun/blockdev/pool/pooltest"
)

// TestCloseWhileRestoring: the pool closes after a restore is stored and before its
// volume, to which somebody writes at length, shows it. What it is restored from is
// closed first.
func TestCloseWhileRestoring(t *testing.T) {
	w := newSlowWorld(t)
	require.NoError(t, w.disk.Flush(t.Context())) // so that the write is one call, which is waited for
	w.fs.gate.arm(0)
	writing, restored := make(chan error, 1), make(chan error, 1)
	go func() { writing <- blockdev.WriteFUA(context.Background(), w.disk, pooltest.Fill(3, 512), 0) }()
	<-w.fs.gate.hit
	before, err := w.pool.Revision(t.Context(), w.slow)
	require.NoError(t, err)
	go func() {
		_, err := w.pool.Snapshot(context.Background(), []pool.Copy{{Source: w.other, Into: w.slow}})
		restored <- err
	}()
	require.Eventually(t, func() bool {
		now, err := w.pool.Revision(t.Context(), w.slow)
		return err == nil && now > before
	}, time.Minute, time.Millisecond)
	require.NoError(t, w.pool.CloseOne(w.other))
	require.Eventually(t, func() bool { return w.pool.Released(w.other) }, time.Minute, time.Millisecond)
	close(w.fs.gate.open)
	require.NoError(t, <-writing)
	require.NoError(t, <-restored)
	require.NoError(t, w.pool.Close())
}
