package scsi

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
)

// instant is a device that does nothing, so that only the unit is measured.
type instant struct{}

func (instant) ReadAt(context.Context, []byte, int64) error   { return nil }
func (instant) WriteAt(context.Context, []byte, int64) error  { return nil }
func (instant) WriteFUA(context.Context, []byte, int64) error { return nil }
func (instant) Flush(context.Context) error                   { return nil }
func (instant) Size() int64                                   { return 1 << 40 }
func (instant) Close() error                                  { return nil }

// fastCommands are those whose path must not allocate.
func fastCommands() map[string]*Command {
	buf := make([]byte, 4096)
	alloc := func(n int) []byte { return buf[:n] }
	cmds := map[string]*Command{}
	for name, op := range map[string]byte{"read10": 0x28, "read16": 0x88} {
		cmds[name] = &Command{CDB: []byte(rw(op, 0, 800, 8)), Expected: 4096, Alloc: alloc, Nexus: nexusA}
	}
	for name, op := range map[string]byte{"write10": 0x2A, "write16": 0x8A} {
		cmds[name] = &Command{CDB: []byte(rw(op, 0, 800, 8)), DataOut: buf, Nexus: nexusA}
	}
	cmds["write fua"] = &Command{CDB: []byte(rw(0x2A, bitFUA, 800, 8)), DataOut: buf, Nexus: nexusA}
	return cmds
}

// instantUnit is a unit on an instant device with its attentions taken.
func instantUnit(t testing.TB) *LogicalUnit {
	u, err := NewUnit(Config{Device: instant{}, ID: testID})
	require.NoError(t, err)
	u.AttachNexus(nexusA)
	u.Execute(context.Background(), &Command{CDB: make([]byte, 6), Nexus: nexusA})
	return u
}

func TestFastPathDoesNotAllocate(t *testing.T) {
	u := instantUnit(t)
	ctx := context.Background()
	for name, c := range fastCommands() {
		require.Zero(t, testing.AllocsPerRun(200, func() {
			if u.Execute(ctx, c).Status != StatusGood {
				t.Error(name)
			}
		}), name)
	}
}

func BenchmarkExecute(b *testing.B) {
	for name, c := range fastCommands() {
		b.Run(name, func(b *testing.B) {
			u := instantUnit(b)
			b.ReportAllocs()
			for b.Loop() {
				u.Execute(context.Background(), c)
			}
		})
		b.Run(name+" parallel", func(b *testing.B) {
			u := instantUnit(b)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					u.Execute(context.Background(), c)
				}
			})
		})
	}
}

func BenchmarkMemdev4K(b *testing.B) {
	for _, kind := range []string{"read", "write"} {
		b.Run(kind, func(b *testing.B) {
			r := newRig(b, func(c *Config) { c.Logger = nil })
			buf := make([]byte, blockdev.BlockSize)
			b.SetBytes(blockdev.BlockSize)
			i := uint64(0)
			for b.Loop() {
				i = (i + 1021) % (testSize / blockdev.BlockSize)
				c := &Command{CDB: []byte(rw(family[kind][1], 0, i*8, 8)), DataOut: buf, Expected: len(buf), Alloc: func(n int) []byte { return buf[:n] }}
				if res := r.Execute(context.Background(), c); res.Status != StatusGood {
					b.Fatal(fmt.Sprint(res))
				}
			}
		})
	}
}
