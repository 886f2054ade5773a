package iscsi

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"twinlun/blockdev/iscsi/initiator"
)

// spread runs f b.N times from so many goroutines.
func spread(b *testing.B, depth int, f func(r *rand.Rand) error) {
	var left atomic.Int64
	left.Store(int64(b.N))
	var wg sync.WaitGroup
	b.ResetTimer()
	for i := range depth {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(1, uint64(i)))
			for left.Add(-1) >= 0 {
				if err := f(r); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// Server and initiator share the machine: the figures are of both.
func BenchmarkLoopback(b *testing.B) {
	const size = 256 << 20
	ctx := context.Background()
	for _, c := range []struct {
		name     string
		n, depth int
		write    bool
	}{
		{"read4K/QD1", 4096, 1, false}, {"read4K/QD32", 4096, 32, false}, {"write4K/QD1", 4096, 1, true}, {"write4K/QD32", 4096, 32, true},
		{"read1M/QD16", 1 << 20, 16, false}, {"write1M/QD16", 1 << 20, 16, true},
	} {
		b.Run(c.name, func(b *testing.B) {
			d := start(b, Config{}, realDisk(b, size)).dial(initiator.Options{})
			free := sync.Pool{New: func() any { p := make([]byte, c.n); return &p }}
			b.SetBytes(int64(c.n))
			b.ReportAllocs()
			spread(b, c.depth, func(r *rand.Rand) error {
				p := free.Get().(*[]byte)
				defer free.Put(p)
				off := r.Int64N(size/int64(c.n)) * int64(c.n)
				if c.write {
					return d.WriteAt(ctx, *p, off)
				}
				return d.ReadAt(ctx, *p, off)
			})
		})
	}
}
