package devtest

import (
	"testing"

	"twinlun/blockdev"
)

func zero(t *testing.T, d blockdev.Device) {
	z, has := d.(blockdev.Zeroer)
	if !has {
		t.Skip("the device is not a Zeroer")
	}
	const size = 128 << 10
	want := pattern(1, size)
	ok(t, d.WriteAt(bg(), want, 0))
	for _, c := range []struct{ off, n int }{
		{0, 512}, {4096, 4096}, {8192 + 512, 1024}, {16384 - 512, 8192 + 1024}, {40000, 1}, {65536, size - 65536},
	} {
		clear(want[c.off : c.off+c.n])
		ok(t, z.ZeroAt(bg(), int64(c.off), int64(c.n)))
		holds(t, d, 0, want)
	}
	ok(t, z.ZeroAt(bg(), 0, d.Size()))
	holds(t, d, 0, make([]byte, size))
	again := pattern(2, 512)
	ok(t, d.WriteAt(bg(), again, 4096+512))
	holds(t, d, 4096+512, again)
	holds(t, d, 4096, make([]byte, 512))
}

func fua(t *testing.T, d blockdev.Device) {
	w, has := d.(blockdev.FUAWriter)
	if !has {
		t.Skip("the device is not a FUAWriter")
	}
	want := pattern(1, 20000)
	ok(t, w.WriteFUA(bg(), want, 512))
	holds(t, d, 512, want)
	part := pattern(2, 512)
	copy(want[4096-512:], part)
	ok(t, w.WriteFUA(bg(), part, 4096))
	holds(t, d, 512, want)
}

// covers stops the test unless the extents follow each other from off on, up to
// end at most, with no empty ones, and gives where they end.
func covers(t *testing.T, list []blockdev.Extent, off, end int64) int64 {
	t.Helper()
	for _, e := range list {
		if e.Off != off || e.Len <= 0 || e.Off+e.Len > end {
			t.Fatalf("extent %+v does not continue at %d within %d", e, off, end)
		}
		off += e.Len
	}
	return off
}

// extents checks that what is called a hole reads as zeros, and what was written
// is never called a hole.
func extents(t *testing.T, d blockdev.Device) {
	x, has := d.(blockdev.Extenter)
	if !has {
		t.Skip("the device is not an Extenter")
	}
	want := make([]byte, MinSize)
	for i, off := range []int{0, 4096, 64 << 10, 100<<10 + 512, MinSize - 512} {
		data := pattern(byte(i), 512)
		copy(want[off:], data)
		ok(t, d.WriteAt(bg(), data, int64(off)))
	}
	for _, r := range []struct{ off, n int64 }{
		{0, MinSize}, {512, 100 << 10}, {4096, 4096}, {65536 + 256, 10}, {MinSize - 512, 512}, {0, 0},
	} {
		list, err := x.Extents(bg(), r.off, r.n, 0)
		ok(t, err)
		if end := covers(t, list, r.off, r.off+r.n); end != r.off+r.n {
			t.Fatalf("the extents of %d+%d end at %d", r.off, r.n, end)
		}
		for _, e := range list {
			if !e.Data && !allZero(want[e.Off:e.Off+e.Len]) {
				t.Fatalf("extent %+v holds what was written and is called a hole", e)
			}
		}
	}
}

// allZero says whether b holds zeros only.
func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

func extentsLimit(t *testing.T, d blockdev.Device) {
	x, has := d.(blockdev.Extenter)
	if !has {
		t.Skip("the device is not an Extenter")
	}
	const step, pieces = 64 << 10, 6
	for i := range pieces {
		ok(t, d.WriteAt(bg(), pattern(byte(i), 4096), int64(i)*2*step%MinSize))
	}
	whole, err := x.Extents(bg(), 0, MinSize, -1)
	ok(t, err)
	for limit := 1; limit <= len(whole)+1; limit++ {
		var all []blockdev.Extent
		for off := int64(0); off < MinSize; {
			list, err := x.Extents(bg(), off, MinSize-off, limit)
			ok(t, err)
			if len(list) < 1 || len(list) > limit {
				t.Fatalf("%d extents, the limit is %d", len(list), limit)
			}
			off = covers(t, list, off, MinSize)
			all = append(all, list...)
		}
		if data(all) != data(whole) {
			t.Fatalf("%d bytes of data in steps of %d, %d at once", data(all), limit, data(whole))
		}
	}
}

// data is how many bytes of the extents hold data.
func data(list []blockdev.Extent) (n int64) {
	for _, e := range list {
		if e.Data {
			n += e.Len
		}
	}
	return n
}

func extentsAfterZero(t *testing.T, d blockdev.Device) {
	x, hasExtents := d.(blockdev.Extenter)
	z, hasZero := d.(blockdev.Zeroer)
	if !hasExtents || !hasZero {
		t.Skip("the device is not both an Extenter and a Zeroer")
	}
	ok(t, d.WriteAt(bg(), pattern(1, 256<<10), 0))
	before, err := x.Extents(bg(), 0, MinSize, 0)
	ok(t, err)
	if data(before) < 256<<10 {
		t.Fatalf("only %d of %d bytes written are data", data(before), 256<<10)
	}
	ok(t, z.ZeroAt(bg(), 0, MinSize))
	after, err := x.Extents(bg(), 0, MinSize, 0)
	ok(t, err)
	if data(after) != 0 {
		t.Fatalf("%d bytes are data after all was zeroed", data(after))
	}
}
