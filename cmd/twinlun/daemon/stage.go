package daemon

import (
	"context"
	"errors"

	"golang.org/x/sync/errgroup"
)

// stage is a set of servers that end together.
type stage struct {
	ctx    context.Context // ends when the stage is to end, or one of it has failed
	cancel context.CancelFunc
	group  *errgroup.Group
}

// newStage makes a stage that does not end with ctx; stop ends it.
func newStage(ctx context.Context) *stage {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	group, ctx := errgroup.WithContext(ctx)
	return &stage{ctx: ctx, cancel: cancel, group: group}
}

func (s *stage) run(serve func(context.Context) error) {
	s.group.Go(func() error { return serve(s.ctx) })
}

// stop ends the stage and waits for it.
func (s *stage) stop() error {
	s.cancel()
	return s.group.Wait()
}

// runStages waits until ctx ends or something of a stage fails, calls ending, and
// stops one stage after the other.
func runStages(ctx context.Context, ending func(), stages ...*stage) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for _, s := range stages {
		stop := context.AfterFunc(s.ctx, cancel)
		defer stop()
	}
	<-ctx.Done()
	ending()
	var errs []error
	for _, s := range stages {
		errs = append(errs, s.stop())
	}
	return errors.Join(errs...)
}
