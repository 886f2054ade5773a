package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	walkerUsers  = 10 // the service lets one user have a part of all enumerations only
	walkersAtOne = 32 // requests under way at the same time
)

// walkAway has many clients enumerate all volumes at the same time, of which every
// second one takes a first batch and is never heard of again, and shows the memory
// of the server.
func (l *lab) walkAway(ctx context.Context, d *daemon, volumes int) error {
	clients := pick(l, 100, 1000)
	if err := l.addWalkers(ctx, d); err != nil {
		return err
	}
	before, _ := d.resident()
	peak, stop := d.watchMemory()
	begun := time.Now()
	err := l.walk(ctx, d, clients, volumes)
	took := time.Since(begun).Seconds()
	stop()
	if err != nil {
		return err
	}
	after, _ := d.resident()
	t := l.table(fmt.Sprintf("%d clients enumerate %d instances at the same time; half of them walk away", clients, volumes),
		"server's RSS, MiB: before", "at most", "after, the abandoned ones still open", "instances per second")
	t.row(number(before), number(peak()), number(after), number(float64(clients/2*volumes)/took))
	return t.print()
}

// addWalkers makes the users that the clients are. Each is known to the server before
// anything is measured: it takes more memory to check a password for the first time
// than for all that comes after.
func (l *lab) addWalkers(ctx context.Context, d *daemon) error {
	file := filepath.Join(l.memory, "walker-password")
	if err := os.WriteFile(file, []byte(d.password+"\n"), 0o600); err != nil {
		return err
	}
	for i := range walkerUsers {
		if _, err := tool(ctx, l.binary, "user", "add", walkerName(i), "--role", "monitor", "--data-dir", d.dataDir, "--password-file", file); err != nil {
			return err
		}
		w, err := d.newWalker(ctx, i)
		if err != nil {
			return err
		}
		w.wire.close()
	}
	return nil
}

func walkerName(i int) string { return fmt.Sprintf("walker%d", i%walkerUsers) }

// walk begins all the enumerations before the first is gone on with.
func (l *lab) walk(ctx context.Context, d *daemon, clients, volumes int) error {
	staying := make(chan *walker, clients)
	defer func() {
		for len(staying) > 0 {
			(<-staying).wire.close()
		}
	}()
	g, begin := errgroup.WithContext(ctx)
	g.SetLimit(walkersAtOne)
	for i := range clients {
		g.Go(func() error {
			w, err := d.newWalker(begin, i)
			switch {
			case err != nil:
				return err
			case i%2 == 0:
				staying <- w
			default:
				w.wire.close()
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return goOn(ctx, staying, volumes)
}

// goOn has every walker take one batch in its turn, until all have everything.
func goOn(ctx context.Context, staying chan *walker, volumes int) error {
	g, ctx := errgroup.WithContext(ctx)
	var left atomic.Int64
	left.Store(int64(len(staying)))
	for range walkersAtOne {
		g.Go(func() error {
			for left.Load() > 0 && ctx.Err() == nil {
				var w *walker
				select {
				case w = <-staying:
				default:
					return nil // the others are in good hands
				}
				if err := w.pull(volumes); err != nil {
					w.wire.close()
					return err
				}
				if w.id != "" {
					staying <- w
					continue
				}
				w.wire.close()
				left.Add(-1)
			}
			return ctx.Err()
		})
	}
	return g.Wait()
}

// walker is one client in the middle of an enumeration.
type walker struct {
	wire *wire
	id   string // of the enumeration; empty: it has ended
	got  int
}

// newWalker begins an enumeration and takes a first batch.
func (d *daemon) newWalker(ctx context.Context, i int) (*walker, error) {
	wire, err := dialWire(ctx, d, walkerName(i))
	if err != nil {
		return nil, err
	}
	w := &walker{wire: wire}
	answer, err := wire.send(message(enumeration+"Enumerate", "CIM_StorageVolume", nil, "<n:Enumerate/>"))
	if err == nil {
		w.id, err = contextOf(answer)
	}
	if err == nil {
		err = w.pull(0)
	}
	if err != nil {
		wire.close()
	}
	return w, err
}

// pull takes one batch; the last one must complete the volumes.
func (w *walker) pull(volumes int) error {
	answer, err := w.wire.send(pullMessage(w.id))
	if err != nil {
		return err
	}
	w.got += countVolumes(answer)
	if !isLast(answer) {
		w.id, err = contextOf(answer)
		return err
	}
	w.id = ""
	if w.got != volumes {
		return fmt.Errorf("%d instances came, not %d", w.got, volumes)
	}
	return nil
}

// watchMemory notes how much memory the process has at most, until stop is called.
func (p *process) watchMemory() (peak func() float64, stop func()) {
	var most float64
	ended, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			now, _ := p.resident()
			most = max(most, now)
			select {
			case <-ended:
				return
			case <-tick.C:
			}
		}
	}()
	return func() float64 { return most }, func() { close(ended); <-done }
}
