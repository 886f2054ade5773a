package devtest

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"

	"twinlun/blockdev"
)

func readsZeros(t *testing.T, d blockdev.Device) {
	holds(t, d, 0, make([]byte, MinSize))
	holds(t, d, d.Size()-4096, make([]byte, 4096))
}

func readsWritten(t *testing.T, d blockdev.Device) {
	for _, c := range []struct {
		off int64
		n   int
	}{
		{0, 512}, {512, 512}, {4096, 4096}, {3584, 1024}, {8192, 128 << 10},
		{d.Size() - 512, 512}, {d.Size() - 65536, 65536},
	} {
		want := pattern(byte(c.n>>9), c.n)
		ok(t, d.WriteAt(bg(), want, c.off))
		holds(t, d, c.off, want)
	}
}

func writesNothingElse(t *testing.T, d blockdev.Device) {
	const n = 64 << 10
	want := pattern(1, n)
	ok(t, d.WriteAt(bg(), want, 0))
	for _, off := range []int{512, 4096 - 512, 8192, 20480 + 512, n - 512} {
		sector := pattern(byte(off>>9)+7, 512)
		copy(want[off:], sector)
		ok(t, d.WriteAt(bg(), sector, int64(off)))
	}
	holds(t, d, 0, want)
	holds(t, d, n, make([]byte, n))
}

func unaligned(t *testing.T, d blockdev.Device) {
	want := make([]byte, 32<<10)
	for i, c := range []struct{ off, n int }{
		{1, 1}, {511, 2}, {4095, 2}, {4000, 9000}, {13, 511}, {8191, 4098}, {20000, 1},
	} {
		data := pattern(byte(i+1), c.n)
		copy(want[c.off:], data)
		ok(t, d.WriteAt(bg(), data, int64(c.off)))
		holds(t, d, 0, want)
	}
	holds(t, d, 4001, want[4001:4001+777])
}

// randomModel does random writes and zeros of random alignment and compares with
// an array after each few.
func randomModel(t *testing.T, d blockdev.Device) {
	const size = 256 << 10
	rng := rand.New(rand.NewPCG(1, 2))
	model := make([]byte, size)
	for i := range 400 {
		off := rng.IntN(size)
		n := 1 + rng.IntN(min(size-off, 20000))
		if rng.IntN(2) == 0 { // aligned
			off, n = off&^511, (n+511)&^511
			n = min(n, size-off)
		}
		if rng.IntN(3) == 0 {
			clear(model[off : off+n])
			ok(t, blockdev.Zero(bg(), d, int64(off), int64(n)))
		} else {
			data := pattern(byte(i), n)
			copy(model[off:], data)
			ok(t, d.WriteAt(bg(), data, int64(off)))
		}
		if i%10 == 0 {
			ok(t, d.Flush(bg()))
		}
		at := rng.IntN(size)
		holds(t, d, int64(at), model[at:at+rng.IntN(size-at)])
	}
	holds(t, d, 0, model)
	holds(t, d, size, make([]byte, 4096))
}

func outOfRange(t *testing.T, d blockdev.Device) {
	size := d.Size()
	before := pattern(3, 4096)
	ok(t, d.WriteAt(bg(), before, size-4096))
	for _, c := range []struct {
		off int64
		n   int
	}{
		{-1, 1}, {-512, 512}, {-1, 0}, {size, 1}, {size - 511, 512}, {size - 4096, 4608},
		{size + 1, 0}, {size + 512, 512}, {math.MaxInt64, 512}, {math.MaxInt64 - 511, 512}, {math.MinInt64, 512},
	} {
		buf := bytes.Repeat([]byte{0x5A}, c.n)
		fails(t, d.ReadAt(bg(), buf, c.off), blockdev.KindOutOfRange, "read")
		if !bytes.Equal(buf, bytes.Repeat([]byte{0x5A}, c.n)) {
			t.Fatalf("a read of %d bytes at %d that failed changed the buffer", c.n, c.off)
		}
		fails(t, d.WriteAt(bg(), buf, c.off), blockdev.KindOutOfRange, "write")
		if w, has := d.(blockdev.FUAWriter); has {
			fails(t, w.WriteFUA(bg(), buf, c.off), blockdev.KindOutOfRange, "FUA write")
		}
		if z, has := d.(blockdev.Zeroer); has {
			fails(t, z.ZeroAt(bg(), c.off, int64(c.n)), blockdev.KindOutOfRange, "zero")
		}
		if e, has := d.(blockdev.Extenter); has {
			_, err := e.Extents(bg(), c.off, int64(c.n), 0)
			fails(t, err, blockdev.KindOutOfRange, "extents")
		}
	}
	holds(t, d, size-4096, before)
	if z, has := d.(blockdev.Zeroer); has {
		fails(t, z.ZeroAt(bg(), 0, -1), blockdev.KindOutOfRange, "zero")
		fails(t, z.ZeroAt(bg(), 512, math.MaxInt64), blockdev.KindOutOfRange, "zero")
	}
}

func emptyTransfers(t *testing.T, d blockdev.Device) {
	for _, off := range []int64{0, 512, 100, d.Size()} {
		ok(t, d.ReadAt(bg(), nil, off))
		ok(t, d.WriteAt(bg(), []byte{}, off))
		ok(t, blockdev.WriteFUA(bg(), d, nil, off))
		ok(t, blockdev.Zero(bg(), d, off, 0))
	}
	holds(t, d, 0, make([]byte, 4096))
}

func leavesBuffer(t *testing.T, d blockdev.Device) {
	data := pattern(5, 8192)
	ok(t, d.WriteAt(bg(), data, 512))
	if !bytes.Equal(data, pattern(5, 8192)) {
		t.Fatal("WriteAt changed the caller's buffer")
	}
	clear(data) // the caller owns it again: the device must have its own copy
	holds(t, d, 512, pattern(5, 8192))

	got := make([]byte, 8192)
	ok(t, d.ReadAt(bg(), got, 512))
	clear(got)
	holds(t, d, 512, pattern(5, 8192))
}

func wholeSectors(t *testing.T, d blockdev.Device) {
	if d.Size()%blockdev.SectorSize != 0 {
		t.Fatalf("size %d is not a multiple of %d", d.Size(), blockdev.SectorSize)
	}
}

func flush(t *testing.T, d blockdev.Device) {
	ok(t, d.Flush(bg()))
	want := pattern(9, 12288)
	ok(t, d.WriteAt(bg(), want, 4096))
	ok(t, d.Flush(bg()))
	holds(t, d, 4096, want)
	ok(t, d.Flush(bg()))
}
