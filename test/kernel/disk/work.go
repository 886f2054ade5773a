package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"twinlun/blockdev"
	"twinlun/blockdev/pool"
)

const (
	volumes = 2
	writers = 6  // of each volume; every second one writes durably, the others flush
	own     = 48 // blocks of each writer
	size    = writers * own * blockdev.BlockSize
)

// longer is how long work goes on after an error: the disk is well again meanwhile.
const longer = 1500 * time.Millisecond

// patience is how long it waits for an error.
const patience = time.Minute

// work writes to volumes. Change n of a writer goes to its block n % own, so that a
// flush after it covers all blocks as they were left by the last changes up to n.
type work struct {
	snapshots bool
	pool      *pool.LayerPool

	mu     sync.Mutex
	notes  io.Writer
	failed atomic.Bool // a volume has refused: nothing that begins later may be acknowledged
	late   atomic.Int64
	acks   atomic.Int64
}

func (w *work) run(ctx context.Context, dir string) error {
	p, closeAll, err := open(ctx, dir)
	if err != nil {
		return err
	}
	w.pool = p
	if w.snapshots {
		return errors.Join(w.forever(ctx), closeAll())
	}
	err = w.untilError(ctx)
	_ = closeAll() // says what failed
	return err
}

// fill makes a volume, or finds it, and sees to it that all its blocks are there.
func (w *work) fill(ctx context.Context, name string) (pool.Volume, error) {
	list, err := w.pool.List(ctx)
	if err != nil {
		return pool.Volume{}, err
	}
	for _, v := range list {
		if v.Name == name {
			return v, nil
		}
	}
	v, err := w.pool.Create(ctx, pool.Spec{Name: name, Size: size})
	if err != nil {
		return v, err
	}
	d, err := w.pool.Open(ctx, v.ID)
	if err != nil {
		return v, err
	}
	for i := range writers {
		for n := range uint64(own) {
			if err := d.WriteAt(ctx, block(v.Name, i, n), offset(i, n)); err != nil {
				return v, err
			}
		}
	}
	return v, errors.Join(d.Flush(ctx), d.Close())
}

// forever writes to all volumes and takes snapshots until an error.
func (w *work) forever(ctx context.Context) error {
	ended := make(chan error)
	for i := range volumes {
		v, err := w.fill(ctx, "v"+strconv.Itoa(i))
		if err != nil {
			return err
		}
		d, err := w.pool.Open(ctx, v.ID)
		if err != nil {
			return err
		}
		for i := range writers {
			go func() { ended <- w.write(ctx, d, v.Name, i, func() bool { return true }) }()
		}
		go func() { ended <- w.shoot(ctx, v) }()
	}
	return <-ended // the process ends with it
}

// untilError writes to a volume until it refuses, and then as long again as it takes
// to see that it goes on to refuse. The volume is a new one all of whose blocks are
// there, so that nothing but their content is written when the disk fails: an error in
// its journal would end the filesystem, which then refuses everything by itself.
func (w *work) untilError(ctx context.Context) error {
	if err := w.pool.WaitIdle(ctx); err != nil {
		return err
	}
	v, err := w.fill(ctx, fmt.Sprint("e", time.Now().UnixNano()%1e12))
	if err != nil {
		return err
	}
	d, err := w.pool.Open(ctx, v.ID)
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	end := make(chan struct{})
	goOn := func() bool {
		select {
		case <-end:
			return false
		default:
			return true
		}
	}
	for i := range writers {
		wg.Go(func() { _ = w.write(ctx, d, v.Name, i, goOn) })
	}
	for began := time.Now(); !w.failed.Load() && time.Since(began) < patience; {
		time.Sleep(10 * time.Millisecond)
	}
	time.Sleep(longer)
	close(end)
	wg.Wait()
	switch late := w.late.Load(); {
	case !w.failed.Load():
		return errors.New("no error was seen")
	case late > 0:
		return fmt.Errorf("%d acknowledgements after an error", late)
	}
	return nil
}

// write is one writer. It begins where others before it cannot have been.
func (w *work) write(ctx context.Context, d blockdev.Device, name string, i int, goOn func() bool) error {
	var failed error
	for n := uint64(time.Now().Unix()) << 20; goOn(); n++ {
		after := w.failed.Load()
		p, off := block(name, i, n), offset(i, n)
		var err error
		if i%2 == 0 {
			err = blockdev.WriteFUA(ctx, d, p, off)
		} else if err = d.WriteAt(ctx, p, off); err == nil {
			err = d.Flush(ctx)
		}
		switch {
		case err != nil && w.snapshots:
			return err
		case err != nil:
			w.failed.Store(true)
			failed = err
			time.Sleep(time.Millisecond)
		case after:
			w.late.Add(1)
		default:
			w.acks.Add(1)
			w.note("ack %s %d %d", name, i, n)
		}
	}
	return failed
}

// shoot takes snapshots of a volume and deletes those before the last.
func (w *work) shoot(ctx context.Context, v pool.Volume) error {
	var before []pool.VolumeID
	for {
		name := fmt.Sprint("s", time.Now().UnixNano())
		w.note("ask %s %s", name, v.Name)
		out, err := w.pool.Snapshot(ctx, []pool.Copy{{Source: v.ID, Target: pool.Spec{Name: name}}})
		if err != nil {
			return err
		}
		w.note("snap %s", name)
		if before = append(before, out[0].ID); len(before) > 2 {
			old, err := w.pool.Get(ctx, before[0])
			if err != nil {
				return err
			}
			w.note("drop %s", old.Name)
			if err := w.pool.Delete(ctx, old.ID); err != nil {
				return err
			}
			before = before[1:]
		}
	}
}

func (w *work) note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	fmt.Fprintf(w.notes, format+"\n", args...)
}

// offset is where change n of writer i goes, in bytes.
func offset(i int, n uint64) int64 { return int64(i*own+int(n%own)) * blockdev.BlockSize }

// block is what change n of writer i writes: 32 bytes again and again.
func block(name string, i int, n uint64) []byte {
	p := make([]byte, blockdev.BlockSize)
	for at := 0; at < len(p); at += 32 {
		copy(p[at:at+16], name)
		binary.LittleEndian.PutUint64(p[at+16:], uint64(i))
		binary.LittleEndian.PutUint64(p[at+24:], n)
	}
	return p
}
