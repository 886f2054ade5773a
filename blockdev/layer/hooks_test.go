package layer

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
)

// gateHook holds changes until it is opened.
type gateHook struct{ open chan struct{} }

func (g gateHook) Apply(_ context.Context, _ blockdev.Change, next func() error) error {
	<-g.open
	return next()
}

// TestHooksOfHandles: attaching waits for what is under way in every handle, closing
// for what is under way in its own, also from before a hook came; and hooks, which
// outlast a volume, keep nothing of a handle that was closed.
func TestHooksOfHandles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, one, _ := stuckVolume()
		two := v.NewHandle(false, func() error { return nil })
		raw := v.NewHandle(true, func() error { return nil })
		gate := gateHook{make(chan struct{})}
		detach, err := v.hooks.Attach(t.Context(), gate)
		require.NoError(t, err)
		var wg sync.WaitGroup
		done := map[string]bool{}
		var mu sync.Mutex
		start := func(name string, do func() error) {
			wg.Go(func() {
				err := do()
				mu.Lock()
				defer mu.Unlock()
				if done[name] = true; err != nil {
					t.Error(name, err)
				}
			})
			synctest.Wait()
		}
		start("write", func() error { return one.WriteAt(t.Context(), []byte{1}, 1<<18) })
		start("attach", func() error {
			_, err := v.hooks.Attach(t.Context(), gateHook{gate.open})
			return err
		})
		start("close one", one.Close)
		start("close two", two.Close)
		start("write raw", func() error { return raw.WriteAt(t.Context(), []byte{1}, 1<<18) })
		mu.Lock()
		require.Equal(t, map[string]bool{"close two": true, "write raw": true}, done)
		mu.Unlock()
		require.True(t, blockdev.Is(one.ReadAt(t.Context(), make([]byte, 1), 0), blockdev.KindClosed))
		close(gate.open)
		wg.Wait()
		detach()
		require.NoError(t, raw.Close())
		require.Empty(t, v.hooks.handles)
		require.Empty(t, v.hooks.draining)
	})
}
