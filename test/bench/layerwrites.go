package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// contestant is one row of a table of rates.
type contestant struct {
	name string
	once func() (float64, error)
	// plain is the row of writes to what is there already, by the same client.
	plain int
	least float64 // of the rate of that row; 0: no goal
}

// layerFirstWrites compares the first write to each block after a snapshot with a write
// to a file that has the blocks, and that with what a qcow2 external snapshot does.
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
	f, err := blockByBlock(ctx, v.dir, size)
	if err != nil {
		return err
	}
	defer f.Close()
	all, done, err := v.firstWriters(ctx, f)
	defer done()
	if err != nil {
		return err
	}
	all = append(all, qcow2Writers(ctx, v.dir, f, len(all))...)
	var once []func() (float64, error)
	for _, c := range all {
		once = append(once, c.once)
	}
	got, err := takeTurns(l.rounds, once...)
	if err != nil {
		return err
	}
	t := l.table(fmt.Sprintf("Every block of %d MiB written once, 4 KiB at a time with a stride, on %s", size/mib, filesystem(v.dir)),
		"what", "writes a second", "us", "to a plain write by the same client", "goal", "us more")
	for i, c := range all {
		t.firstRow(c, got[i], got[c.plain])
	}
	return t.print()
}

// firstRow shows a row beside that of plain writes.
func (t *table) firstRow(c contestant, rates, plain []float64) {
	goal := "-"
	if c.least > 0 {
		goal = number(c.least) + "x"
	}
	t.row(c.name, number(median(rates)), number(1e6/median(rates)), times(median(ratios(rates, plain)), c.least), goal,
		number(median(excess(rates, plain))))
}

// excess is how many microseconds an operation takes longer than a plain one, round by
// round.
func excess(rates, plain []float64) []float64 {
	out := make([]float64, min(len(rates), len(plain)))
	for i := range out {
		out[i] = 1e6/rates[i] - 1e6/plain[i]
	}
	return out
}

// firstWriters are a file and volumes, written to by this process.
func (v *volumes) firstWriters(ctx context.Context, f plain) (all []contestant, done func() error, err error) {
	id, d, err := v.volume(ctx, "volume", f.size, 0)
	if err != nil {
		return nil, func() error { return nil }, err
	}
	rounds := 0
	afterSnapshot := func(goroutines int) func() (float64, error) {
		return func() (float64, error) {
			rounds++
			if err := v.snapshot(ctx, fmt.Sprint("round", rounds), id); err != nil {
				return 0, err
			}
			return everyBlock(ctx, d, goroutines)
		}
	}
	if _, err := afterSnapshot(1)(); err != nil { // from now on it is written block by block, too
		return nil, d.Close, err
	}
	return []contestant{
		{"a file that has the blocks", func() (float64, error) { return everyBlock(ctx, f, 1) }, 0, 0},
		{"a new sparse file", func() (float64, error) { return intoNew(ctx, v.dir, f.size) }, 0, 0},
		{"a volume that has the blocks", func() (float64, error) { return everyBlock(ctx, d, 1) }, 0, 0},
		{"a volume after a snapshot", afterSnapshot(1), 0, 0.8},
		{"the file, by 16 goroutines", func() (float64, error) { return everyBlock(ctx, f, 16) }, 4, 0},
		{"the volume after a snapshot, by 16", afterSnapshot(16), 4, 0.8},
	}, d.Close, nil
}

// everyBlock writes every block of a disk that has nothing left to be made durable once,
// each goroutine its share, neighbours never one after the other, and gives writes a
// second.
func everyBlock(ctx context.Context, d disk, goroutines int) (float64, error) {
	if err := d.Flush(ctx); err != nil {
		return 0, err
	}
	blocks := d.Size() / 4096
	took, err := together(ctx, goroutines, func(ctx context.Context, g int) error {
		block := make([]byte, 4096)
		for i := int64(g); i < blocks; i += int64(goroutines) {
			if err := d.WriteAt(ctx, block, i*strideBlocks%blocks*4096); err != nil {
				return err
			}
		}
		return nil
	})
	return float64(blocks) / took.Seconds(), err
}

// sparseFile makes a file that is one hole.
func sparseFile(dir string, size int64) (plain, error) {
	f, err := os.CreateTemp(dir, "sparse")
	if err != nil {
		return plain{}, err
	}
	return newPlain(f, size), f.Truncate(size)
}

// blockByBlock makes a file that has all blocks and was written as volumes will be: where
// a file was written a MiB at a time, the page cache has pages of that size, and a small
// write to one of them costs ext4 several times as much.
func blockByBlock(ctx context.Context, dir string, size int64) (plain, error) {
	f, err := sparseFile(dir, size)
	if err == nil {
		_, err = everyBlock(ctx, f, 1)
	}
	return f, err
}

func intoNew(ctx context.Context, dir string, size int64) (float64, error) {
	f, err := sparseFile(dir, size)
	if err != nil {
		return 0, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	return everyBlock(ctx, f, 1)
}

// qcow2Writers are files written to by qemu-img bench, which needs more for a request
// than a write does; so a qcow2 external snapshot stands beside a raw file under it. Its
// first row will be row at of the table.
func qcow2Writers(ctx context.Context, dir string, f plain, at int) []contestant {
	raw := func(aio string, depth int) func() (float64, error) {
		return func() (float64, error) {
			if err := f.Flush(ctx); err != nil {
				return 0, err
			}
			return qemuWrites(ctx, "raw", aio, depth, f.Name(), f.size)
		}
	}
	over := func(aio string, depth int) func() (float64, error) {
		return func() (float64, error) { return qcow2Writes(ctx, dir, f, aio, depth) }
	}
	aio := qemuAIO(ctx, f)
	return []contestant{
		{"qemu-img bench: a raw file that has the blocks", raw("threads", 1), at, 0},
		{"qemu-img bench: qcow2 external snapshot", over("threads", 1), at, 0},
		{"qemu-img bench -d 16 -i " + aio + ": raw", raw(aio, 16), at + 2, 0},
		{"qemu-img bench -d 16 -i " + aio + ": qcow2", over(aio, 16), at + 2, 0},
	}
}

// qemuAIO is the best way that qemu has here to write through the page cache.
func qemuAIO(ctx context.Context, f plain) string {
	const best = "io_uring"
	if _, err := qemuWrites(ctx, "raw", best, 1, f.Name(), 4096); err != nil {
		return "threads"
	}
	return best
}

// qcow2Writes makes a file over f and writes to it as everyBlock does.
func qcow2Writes(ctx context.Context, dir string, f plain, aio string, depth int) (float64, error) {
	over := filepath.Join(dir, "over.qcow2")
	defer os.Remove(over)
	if _, err := tool(ctx, "qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", f.Name(), over); err != nil {
		return 0, err
	}
	return qemuWrites(ctx, "qcow2", aio, depth, over, f.size)
}

// qemuWrites writes every block of a file once and gives writes a second.
func qemuWrites(ctx context.Context, format, aio string, depth int, file string, size int64) (float64, error) {
	blocks := size / 4096
	out, err := tool(ctx, "qemu-img", "bench", "-w", "-f", format, "-t", "writeback", "-i", aio, "-d", strconv.Itoa(depth),
		"-c", fmt.Sprint(blocks), "-s", "4096", "-S", fmt.Sprint(strideBlocks*4096), file)
	if err != nil {
		return 0, err
	}
	took, err := completed(out)
	return float64(blocks) / took.Seconds(), err
}
