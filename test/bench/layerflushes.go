package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// layerFlushes compares writes that are flushed, each of them, on disk.
func layerFlushes(ctx context.Context, l *lab) error {
	return withVolumes(ctx, l.disk, "layers", func(v *volumes) error {
		const size = 64 * mib
		f, err := plainFile(ctx, v.dir, size)
		if err != nil {
			return err
		}
		defer f.Close()
		_, alone, err := v.volume(ctx, "alone", size, 0)
		if err != nil {
			return err
		}
		defer alone.Close()
		_, above, err := v.volume(ctx, "above", size, 1)
		if err != nil {
			return err
		}
		defer above.Close()
		if err := overwrite(ctx, above); err != nil {
			return err
		}
		t := l.table("4 KiB random writes on "+filesystem(v.dir)+", each with a flush: operations a second",
			"goroutines", "file, fdatasync each", "volume", "to the file", "with a snapshot", "to the file")
		for _, depth := range []int{1, 16} {
			var contestants []func() (float64, error)
			for _, d := range []disk{f, alone, above} {
				contestants = append(contestants, func() (float64, error) {
					return flushed(ctx, d, depth, pick(l, 200*time.Millisecond, 500*time.Millisecond))
				})
			}
			got, err := takeTurns(l.rounds*2, contestants...)
			if err != nil {
				return err
			}
			t.row(fmt.Sprint(depth), number(median(got[0])), number(median(got[1])), number(median(ratios(got[1], got[0])))+"x",
				number(median(got[2])), number(median(ratios(got[2], got[0])))+"x")
		}
		return t.print()
	})
}

// flushed writes and flushes in several goroutines and gives pairs a second.
func flushed(ctx context.Context, d disk, depth int, took time.Duration) (float64, error) {
	var sum atomic.Int64
	end := time.Now().Add(took)
	elapsed, err := together(ctx, depth, func(ctx context.Context, g int) error {
		r, block := rand.New(rand.NewPCG(uint64(g), 3)), make([]byte, 4096)
		for ; time.Now().Before(end); sum.Add(1) {
			if err := d.WriteAt(ctx, block, r.Int64N(d.Size()/4096)*4096); err != nil {
				return err
			}
			if err := d.Flush(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	return float64(sum.Load()) / elapsed.Seconds(), err
}
