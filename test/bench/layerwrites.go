package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"
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
	counts := make([]int, depth)
	begun := time.Now()
	g, ctx := errgroup.WithContext(ctx)
	for i := range depth {
		g.Go(func() error {
			r, block := rand.New(rand.NewPCG(uint64(i), 3)), make([]byte, 4096)
			for ; time.Since(begun) < took; counts[i]++ {
				if err := d.WriteAt(ctx, block, r.Int64N(d.Size()/4096)*4096); err != nil {
					return err
				}
				if err := d.Flush(ctx); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err := g.Wait()
	sum := 0
	for _, n := range counts {
		sum += n
	}
	return float64(sum) / time.Since(begun).Seconds(), err
}

// layerFirstWrites compares the first write to each block after a snapshot with writes
// to a file that has the blocks, to one that has not, and to a qcow2 file over another.
func layerFirstWrites(ctx context.Context, l *lab) error {
	for _, parent := range []string{l.memory, l.disk} {
		err := withVolumes(ctx, parent, "layers", func(v *volumes) error {
			return firstWrites(ctx, l, v, int64(pick(l, 64, 128))*mib)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func firstWrites(ctx context.Context, l *lab, v *volumes, size int64) error {
	f, err := plainFile(ctx, v.dir, size)
	if err != nil {
		return err
	}
	defer f.Close()
	id, d, err := v.volume(ctx, "volume", size, 0)
	if err != nil {
		return err
	}
	defer d.Close()
	rounds := 0
	got, err := takeTurns(l.rounds,
		func() (float64, error) { return everyBlock(ctx, f) },
		func() (float64, error) { return intoNew(ctx, v.dir, size) },
		func() (float64, error) {
			rounds++
			if err := v.snapshot(ctx, fmt.Sprint("round", rounds), id); err != nil {
				return 0, err
			}
			return everyBlock(ctx, d)
		},
		func() (float64, error) { return qcow2Writes(ctx, v.dir, f) })
	if err != nil {
		return err
	}
	t := l.table(fmt.Sprintf("Every block of %d MiB written once, 4 KiB at a time with a stride, on %s", size/mib, filesystem(v.dir)),
		"what", "writes a second", "volume's rate to it", "goal")
	for i, what := range []string{"a file that has the blocks", "a new sparse file", "a volume after a snapshot", "qcow2 over a raw file, qemu-img bench"} {
		goal, least := "-", 0.0
		if i == 0 {
			goal, least = "0.8x", 0.8
		}
		t.row(what, number(median(got[i])), times(median(ratios(got[2], got[i])), least), goal)
	}
	return t.print()
}

// everyBlock writes every block once, neighbours never one after the other, and gives
// writes a second.
func everyBlock(ctx context.Context, d disk) (float64, error) {
	block, blocks := make([]byte, 4096), d.Size()/4096
	begun := time.Now()
	for i, at := int64(0), int64(0); i < blocks; i++ {
		if err := d.WriteAt(ctx, block, at*4096); err != nil {
			return 0, err
		}
		at = (at + strideBlocks) % blocks
	}
	return float64(blocks) / time.Since(begun).Seconds(), nil
}

func intoNew(ctx context.Context, dir string, size int64) (float64, error) {
	f, err := os.CreateTemp(dir, "new")
	if err != nil {
		return 0, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		return 0, err
	}
	return everyBlock(ctx, plain{f, size})
}

// qcow2Writes makes a file over f and writes to it as everyBlock does.
func qcow2Writes(ctx context.Context, dir string, f plain) (float64, error) {
	over := filepath.Join(dir, "over.qcow2")
	defer os.Remove(over)
	if _, err := tool(ctx, "qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", f.Name(), over); err != nil {
		return 0, err
	}
	blocks := f.size / 4096
	out, err := tool(ctx, "qemu-img", "bench", "-w", "-f", "qcow2", "-t", "writeback", "-d", "1",
		"-c", fmt.Sprint(blocks), "-s", "4096", "-S", fmt.Sprint(strideBlocks*4096), over)
	if err != nil {
		return 0, err
	}
	took, err := completed(out)
	return float64(blocks) / took.Seconds(), err
}
