package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// fill writes a file of bytes that do not compress, and makes it durable.
func fill(file string, size int64) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, mib)
	if _, err := io.CopyN(w, rand.NewChaCha8([32]byte{1}), size); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Sync()
}

// sparse makes a file of that many zero bytes that takes no space.
func sparse(file string, size int64) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	return errors.Join(f.Truncate(size), f.Close())
}

// qemu runs a load by qemu-img bench and gives the time that it measured, which
// does not include the login.
func (u *unit) qemu(ctx context.Context, ld load) (time.Duration, error) {
	args := []string{"bench", "-f", "raw", "-t", "none", "-c", strconv.Itoa(ld.count), "-d", strconv.Itoa(ld.depth),
		"-s", strconv.Itoa(ld.size), "-S", strconv.Itoa(ld.step)}
	if ld.write {
		args = append(args, "-w")
	}
	out, err := tool(ctx, "qemu-img", append(args, u.url())...)
	if err != nil {
		return 0, err
	}
	return completed(out)
}

// completed reads how long qemu-img bench says that it took.
func completed(output string) (time.Duration, error) {
	_, rest, _ := strings.Cut(output, "Run completed in ")
	text, _, found := strings.Cut(rest, " seconds")
	seconds, err := strconv.ParseFloat(text, 64)
	if !found || err != nil {
		return 0, fmt.Errorf("qemu-img bench printed %q", output)
	}
	return time.Duration(seconds * float64(time.Second)), nil
}

// goroutines runs a load by as many goroutines as it is deep, on one session,
// each at random offsets of its own.
func (u *unit) goroutines(ctx context.Context, ld load) (time.Duration, error) {
	g, ctx := errgroup.WithContext(ctx)
	var done atomic.Int64
	begun := time.Now()
	for i := range ld.depth {
		g.Go(func() error {
			r := rand.New(rand.NewPCG(uint64(i), 1))
			buffer := make([]byte, ld.size)
			for done.Add(1) <= int64(ld.count) {
				off := r.Int64N(u.disk.Size()/int64(ld.size)) * int64(ld.size)
				if err := u.once(ctx, ld, buffer, off); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err := g.Wait()
	return time.Since(begun), err
}

func (u *unit) once(ctx context.Context, ld load, buffer []byte, off int64) error {
	if !ld.write {
		return u.disk.ReadAt(ctx, buffer, off)
	}
	if err := u.disk.WriteAt(ctx, buffer, off); err != nil || !ld.flush {
		return err
	}
	return u.disk.Flush(ctx)
}
