package daemon

import (
	"context"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"twinlun/blockdev/pool"
	"twinlun/cim/classes"
)

// Limits of what is told of damage, so that a broken disk does not flood those who
// listen.
const (
	damageQueue   = 1024             // ranges that may wait to be told of
	damageGather  = time.Second      // how long the first report waits for more
	damagePause   = 30 * time.Second // between two reports about one pool
	damageVolumes = 64               // that a report names
)

// damageDesk takes the damage that pools find in the middle of reads, and logs and
// reports it: what is found of one pool within a while together.
type damageDesk struct {
	log    *slog.Logger
	report func(context.Context, classes.DamageReport)
	queue  chan pool.Damage
	lost   atomic.Int64             // ranges that found the queue full
	due    map[string]*damageOfPool // by pool; only run uses it
}

// damageOfPool is what waits to be told of a pool.
type damageOfPool struct {
	classes.DamageReport
	next time.Time // before which nothing is told
}

func newDamageDesk(log *slog.Logger, report func(context.Context, classes.DamageReport)) *damageDesk {
	return &damageDesk{log: log, report: report, queue: make(chan pool.Damage, damageQueue), due: map[string]*damageOfPool{}}
}

// found is for pool.Config.Damaged. It never waits.
func (k *damageDesk) found(d pool.Damage) {
	select {
	case k.queue <- d:
	default:
		k.lost.Add(1)
	}
}

// run reports until ctx ends; what waits then is logged.
func (k *damageDesk) run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			for len(k.queue) > 0 {
				k.take(<-k.queue)
			}
			for _, p := range k.due {
				k.write(p)
			}
			return nil
		case d := <-k.queue:
			k.take(d)
		case <-timer.C:
		}
		timer.Reset(k.tell(ctx, time.Now()))
	}
}

// take adds a range to what waits.
func (k *damageDesk) take(d pool.Damage) {
	p := k.due[d.Pool]
	if p == nil {
		p = &damageOfPool{next: time.Now().Add(damageGather)}
		k.due[d.Pool] = p
	}
	if p.Ranges == 0 {
		p.DamageReport = classes.DamageReport{Pool: d.Pool, First: d}
	}
	p.Ranges++
	p.Bytes += d.Len
	for _, id := range d.Volumes {
		if len(p.Volumes) < damageVolumes && !slices.Contains(p.Volumes, id) {
			p.Volumes = append(p.Volumes, id)
		}
	}
}

// tell reports what is due and says when to look again.
func (k *damageDesk) tell(ctx context.Context, now time.Time) time.Duration {
	again := time.Hour
	for name, p := range k.due {
		switch wait := p.next.Sub(now); {
		case wait > 0:
			again = min(again, wait)
		case p.Ranges == 0: // it was quiet since the last report
			delete(k.due, name)
		default:
			k.write(p)
			k.report(ctx, p.DamageReport)
			p.DamageReport, p.next = classes.DamageReport{}, now.Add(damagePause)
			again = min(again, damagePause)
		}
	}
	return again
}

// write logs what waits.
func (k *damageDesk) write(p *damageOfPool) {
	if p.Ranges == 0 {
		return
	}
	k.log.Error("content of a pool is damaged", slog.String("pool", p.Pool), slog.Int64("bytes", p.Bytes), slog.Int("ranges", p.Ranges),
		slog.Group("first", slog.String("layer", p.First.Layer), slog.Int64("offset", p.First.Off), slog.Int64("bytes", p.First.Len)),
		slog.Any("volumes", p.Volumes), slog.Int64("not_listed", k.lost.Swap(0)))
}
