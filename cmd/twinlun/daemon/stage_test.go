package daemon

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// Stages end one after the other, when the one before has ended.
func TestStagesEndInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		first, second := newStage(ctx), newStage(ctx)
		var events []string
		busy := make(chan struct{})
		first.run(func(ctx context.Context) error {
			<-ctx.Done()
			<-busy // a request is under way
			events = append(events, "first")
			return nil
		})
		second.run(func(ctx context.Context) error {
			<-ctx.Done()
			events = append(events, "second")
			return errors.New("second is unhappy")
		})
		done := make(chan error, 1)
		go func() { done <- runStages(ctx, func() { events = append(events, "ending") }, first, second) }()
		cancel()
		synctest.Wait()
		require.NoError(t, second.ctx.Err(), "the second goes on while the first is busy")
		require.Equal(t, []string{"ending"}, events)
		close(busy)
		require.ErrorContains(t, <-done, "second is unhappy")
		require.Equal(t, []string{"ending", "first", "second"}, events)
	})
}

// What fails in a stage ends all of them.
func TestStageFails(t *testing.T) {
	broken := errors.New("broken")
	first, second := newStage(t.Context()), newStage(t.Context())
	first.run(func(ctx context.Context) error { <-ctx.Done(); return nil })
	second.run(func(context.Context) error { return broken })
	require.ErrorIs(t, runStages(t.Context(), func() {}, first, second), broken)
}
