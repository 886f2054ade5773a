package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"twinlun/blockdev/pool"
	"twinlun/cim"
	"twinlun/replication/store"
)

// manyMeta lets a pool keep its records in the daemon's store.
type manyMeta struct{ store store.Store }

func (m manyMeta) Update(ctx context.Context, f func(pool.MetaTx) error) error {
	return m.store.Update(ctx, func(tx store.Tx) error { return f(tx) })
}

func (m manyMeta) View(ctx context.Context, f func(pool.MetaTx) error) error {
	return m.store.View(ctx, func(tx store.Tx) error { return f(tx) })
}

// benchScale shows what a start and a single request cost when there are many objects.
func benchScale(ctx context.Context, l *lab) error {
	n := pick(l, 2000, 10000)
	dir, err := inDir(l.memory, "scale")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	d, err := l.startMany(ctx, filepath.Join(dir, "data"), n)
	if err != nil {
		return err
	}
	return errors.Join(l.showScale(ctx, d, n), d.stop())
}

func (l *lab) showScale(ctx context.Context, d *daemon, n int) error {
	t := l.table(fmt.Sprintf("A daemon with %d volumes and a snapshot of each, on %s; one request at a time", n, filesystem(l.memory)), "what", "p50 ms", "p99 ms", "max ms", "server CPU us", "goal")
	t.row("start until it answers", under(milliseconds([]time.Duration{d.started})[0], 2000), "", "", "", "< 2000")
	begun, _ := d.resident()
	if err := l.single(ctx, t, d); err != nil {
		return err
	}
	now, peak := d.resident()
	if err := t.print(); err != nil {
		return err
	}
	fmt.Fprintf(l.out, "  memory of the daemon, MiB: %s when it answers, %s after these requests, %s at most\n", number(begun), number(now), number(peak))
	return nil
}

// startMany starts a daemon on a new data dir that has n volumes and a snapshot of each.
func (l *lab) startMany(ctx context.Context, data string, n int) (*daemon, error) {
	makeDir := func(*daemon) error { return nil }
	if err := l.whileRunning(ctx, data, makeDir); err != nil {
		return nil, err
	}
	if err := createThroughPool(ctx, data, n); err != nil {
		return nil, err
	}
	if err := l.whileRunning(ctx, data, func(d *daemon) error { return d.snapshotAll(ctx) }); err != nil {
		return nil, err
	}
	return startDaemon(ctx, l, data)
}

// whileRunning does something with a daemon, which is then stopped.
func (l *lab) whileRunning(ctx context.Context, data string, f func(d *daemon) error) error {
	d, err := startDaemon(ctx, l, data)
	if err != nil {
		return err
	}
	return errors.Join(f(d), d.stop())
}

// snapshotAll makes a snapshot of every volume, many with each call.
func (d *daemon) snapshotAll(ctx context.Context) error {
	const together = 100
	sources, err := d.volumes(ctx)
	if err != nil {
		return err
	}
	i := 0
	for set := range slices.Chunk(sources, together) {
		var names []cim.Value
		for range set {
			names, i = append(names, fmt.Sprintf("first%05d", i)), i+1
		}
		_, err := d.invoke(ctx, "CIM_ReplicationService", "CreateListReplica",
			arg("SyncType", syncSnapshot), arg("SourceElements", set), arg("ElementNames", names))
		if err != nil {
			return err
		}
	}
	return nil
}

// volumes are the paths of all volumes, as they come.
func (d *daemon) volumes(ctx context.Context) (all []cim.Value, err error) {
	err = d.Enumerate(ctx, namespace, "CIM_StorageVolume", func(in *cim.Instance) error {
		all = append(all, in.Path)
		return nil
	})
	return all, err
}

// createThroughPool makes volumes while the daemon does not run.
func createThroughPool(ctx context.Context, data string, n int) error {
	s, err := store.Open(filepath.Join(data, "twinlun.db"), store.Options{})
	if err != nil {
		return err
	}
	defer s.Close()
	p, err := pool.Open(ctx, pool.Config{
		Dir: filepath.Join(data, "pools", "default"), Name: "default", Meta: manyMeta{s},
		Logger: slog.New(slog.DiscardHandler), Time: time.Now, Rand: rand.Reader,
	})
	if err != nil {
		return err
	}
	defer p.Close()
	for i := range n {
		if _, err := p.Create(ctx, pool.Spec{Name: fmt.Sprintf("volume%05d", i), Size: mib}); err != nil {
			return err
		}
	}
	return nil
}

// single measures requests one after another.
func (l *lab) single(ctx context.Context, t *table, d *daemon) error {
	var last replica
	all, err := d.volumes(ctx)
	if err != nil {
		return err
	}
	v, err := d.named(ctx, "volume00007")
	if err != nil {
		return err
	}
	idle, err := d.named(ctx, "volume00008")
	if err != nil {
		return err
	}
	n, made := pick(l, 200, 1000), 0
	snapshot := func(source cim.Value) (err error) {
		made++
		last, err = d.replicate(ctx, syncSnapshot, source, fmt.Sprintf("snapshot%05d", made))
		return err
	}
	w := &wire{}
	defer func() { w.close() }()
	on := func(op operation) func() error {
		return func() (err error) {
			if w.conn == nil {
				w, err = dialWire(ctx, d, admin)
			}
			if err == nil {
				_, err = op(w)
			}
			return err
		}
	}
	for _, r := range []struct {
		name  string
		times int
		do    func() error
	}{
		{"CreateListReplica, snapshot", n, func() error { return snapshot(all[made*len(all)/n]) }},
		{"the same, all of one volume", 100, func() error { return snapshot(v) }},
		{"Get of a volume", n, on(getOnce(v))},
		{"Invoke GetSupportedFeatures", n / 4, on(invokeOnce)},
		{"Enumerate and the first Pull of 100", n / 8, on(firstPull)},
		{"create a volume", n / 2, func() error {
			made++
			_, err := d.createVolume(ctx, fmt.Sprintf("more%05d", made), mib)
			return err
		}},
		{"what is associated with a volume", n / 8, on(associatedOnce(idle))},
		{"relationships of a snapshot", n / 8, func() error { return d.linksOf(ctx, last.target) }},
	} {
		if err := t.single(d, r.name, max(r.times, 20), r.do); err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
	}
	return nil
}

// single measures one request, times times. The processor time is the daemon's, with what
// it does in the background.
func (t *table) single(d *daemon, name string, times int, do func() error) error {
	all, cpu := make([]time.Duration, times), d.cpu()
	for i := range all {
		begun := time.Now()
		if err := do(); err != nil {
			return err
		}
		all[i] = time.Since(begun)
	}
	ms, each := milliseconds(all), (d.cpu()-cpu)/time.Duration(times)
	t.row(name, number(quantile(ms, 0.5)), number(quantile(ms, 0.99)), under(quantile(ms, 1), 10), number(float64(each)/float64(time.Microsecond)), "max < 10")
	return nil
}

// firstPull begins an enumeration, takes a hundred instances and gives up.
func firstPull(w *wire) (int, error) {
	answer, err := w.send(message(enumeration+"Enumerate", "CIM_StorageVolume", nil, "<n:Enumerate/>"))
	if err != nil {
		return 0, err
	}
	for _, verb := range []string{"Pull", "Release"} {
		id, err := contextOf(answer)
		if err != nil {
			return 0, err
		}
		most := ""
		if verb == "Pull" {
			most = "<n:MaxElements>100</n:MaxElements>"
		}
		next, err := w.send(message(enumeration+verb, "CIM_StorageVolume", nil, "<n:"+verb+"><n:EnumerationContext>"+id+"</n:EnumerationContext>"+most+"</n:"+verb+">"))
		if err != nil {
			return 0, err
		}
		if verb == "Pull" {
			answer = slices.Clone(next)
		}
	}
	return 100, nil
}

func (d *daemon) linksOf(ctx context.Context, p *cim.Path) error {
	q := cim.AssociationQuery{Object: p, ResultClass: "CIM_StorageSynchronized", References: true}
	found := 0
	err := d.Associators(ctx, q, func(*cim.Instance) error { found++; return nil })
	if err == nil && found == 0 {
		err = fmt.Errorf("none came")
	}
	return err
}
