package pool_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev/pool"
	"twinlun/blockdev/pool/pooltest"
	"twinlun/blockdev/vfs"
)

// noMeta is a Meta that costs nothing and keeps nothing.
type noMeta struct{}

func (noMeta) Update(_ context.Context, f func(pool.MetaTx) error) error { return f(noMeta{}) }
func (noMeta) View(_ context.Context, f func(pool.MetaTx) error) error   { return f(noMeta{}) }
func (noMeta) Get(string, string) ([]byte, error)                        { return nil, nil }
func (noMeta) Put(string, string, []byte) error                          { return nil }
func (noMeta) Delete(string, string) error                               { return nil }
func (noMeta) Scan(string, string, func(string, []byte) error) error     { return nil }

// BenchmarkMany is what single calls cost with 10,000 volumes and a snapshot of each.
func BenchmarkMany(b *testing.B) {
	const many = 10000
	dir, err := vfs.OpenDir(b.TempDir())
	require.NoError(b, err)
	defer dir.Close()
	fs := &countingFS{FS: dir}
	p, err := pool.Open(b.Context(), pool.Config{FS: fs, Name: "p", Meta: noMeta{}})
	require.NoError(b, err)
	defer p.Close()
	var ids []pool.VolumeID
	for i := range many {
		v := pooltest.Create(b, p, fmt.Sprintf("v%05d", i), 1<<20)
		ids = append(ids, v.ID)
		pooltest.Snap(b, p, v.ID, fmt.Sprintf("s%05d", i))
	}
	i := 0
	next := func() pool.VolumeID { i++; return ids[i*7919%many] }
	for _, c := range []struct {
		name string
		do   func(ctx context.Context) error
	}{
		{"Info", func(ctx context.Context) error { _, err := p.Info(ctx); return err }},
		{"Get", func(ctx context.Context) error { _, err := p.Get(ctx, next()); return err }},
		{"Snapshot", func(ctx context.Context) error {
			_, err := p.Snapshot(ctx, []pool.Copy{{Source: next(), Target: pool.Spec{Name: fmt.Sprint("n", i)}}})
			return err
		}},
		{"Create+Walk", func(ctx context.Context) error {
			i++
			if _, err := p.Create(ctx, pool.Spec{Name: fmt.Sprint("c", i), Size: 1 << 20}); err != nil {
				return err
			}
			return p.Walk(ctx, func(pool.Volume) error { return context.Canceled })
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			at := fs.measured.Load()
			for b.Loop() {
				if err := c.do(b.Context()); err != nil && err != context.Canceled {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(fs.measured.Load()-at)/float64(b.N), "stats/op")
		})
	}
}
