package main

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// writer writes 4 KiB at random offsets as fast as it can, and notes how long
// each write takes.
type writer struct {
	unit  *unit
	ended atomic.Bool

	mu    sync.Mutex
	since time.Time
	noted []time.Duration
}

// notes are the writes that ended in some time.
type notes struct {
	took  time.Duration
	times []time.Duration
}

func (n notes) rate() float64 { return float64(len(n.times)) / n.took.Seconds() }

// longest is in milliseconds.
func (n notes) longest() float64 { return quantile(milliseconds(n.times), 1) }

func (w *writer) run(ctx context.Context, seed uint64) error {
	r := rand.New(rand.NewPCG(seed, 2))
	buffer := make([]byte, 4096)
	blocks := w.unit.disk.Size() / int64(len(buffer))
	for !w.ended.Load() {
		begun := time.Now()
		if err := w.unit.disk.WriteAt(ctx, buffer, r.Int64N(blocks)*int64(len(buffer))); err != nil {
			return err
		}
		w.note(time.Since(begun))
	}
	return nil
}

func (w *writer) note(took time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.noted = append(w.noted, took)
}

// begin forgets what was noted.
func (w *writer) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.noted, w.since = nil, time.Now()
}

// end is what was noted since begin.
func (w *writer) end() notes {
	w.mu.Lock()
	defer w.mu.Unlock()
	return notes{time.Since(w.since), w.noted}
}

// allAnswered says whether as many writes have ended since now as can be under
// way: then those that were when it was called have, too, but for the unlucky.
func (w *writer) allAnswered() func() (bool, error) {
	before := len(w.end().times)
	return func() (bool, error) { return len(w.end().times) >= before+2*writerDepth, nil }
}

// during is what happens in the next while.
func (w *writer) during(ctx context.Context, d time.Duration) notes {
	w.begin()
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
	return w.end()
}
