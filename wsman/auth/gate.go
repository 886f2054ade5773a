package auth

import "context"

// gate lets a few through at once and a few more wait.
type gate struct {
	slots chan struct{}
	queue chan struct{} // waiting or inside
}

func newGate(slots, queue int) *gate {
	return &gate{slots: make(chan struct{}, slots), queue: make(chan struct{}, slots+queue)}
}

// enter waits for a place. It fails with ErrBusy where too many wait already,
// or with ctx's error. After nil the caller must leave.
func (g *gate) enter(ctx context.Context) error {
	select {
	case g.queue <- struct{}{}:
	default:
		return ErrBusy
	}
	select {
	case g.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		<-g.queue
		return ctx.Err()
	}
}

func (g *gate) leave() {
	<-g.slots
	<-g.queue
}
