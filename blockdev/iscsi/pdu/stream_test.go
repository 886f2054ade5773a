package pdu

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// The check value of CRC32C from RFC 7143 appendix A.4: 32 zero bytes give
// aa 36 91 8a on the wire.
func TestDigestOfRFC(t *testing.T) {
	var out bytes.Buffer
	w := NewWriter(&out)
	w.DataDigest = true
	require.NoError(t, w.Write(&Header{}, nil, make([]byte, 32)))
	require.NoError(t, w.Flush())
	require.Equal(t, []byte{0xaa, 0x36, 0x91, 0x8a}, out.Bytes()[HeaderLen+32:])
}

func TestStream(t *testing.T) {
	sizes := []int{0, 1, 2, 3, 4, 5, 511, copyMax - 1, copyMax, copyMax + 1, copyMax + 3, 300_000}
	for _, digests := range [][2]bool{{false, false}, {true, false}, {false, true}, {true, true}} {
		t.Run(fmt.Sprint(digests), func(t *testing.T) {
			var wire bytes.Buffer
			w := NewWriter(&wire)
			w.HeaderDigest, w.DataDigest = digests[0], digests[1]
			for i, n := range sizes {
				var h Header
				(&DataOut{ITT: uint32(i)}).Encode(&h)
				ahs := bytes.Repeat([]byte{byte(i)}, 4*i)
				require.NoError(t, w.Write(&h, ahs, pattern(n)))
			}
			require.NoError(t, w.Flush())
			require.Zero(t, w.Buffered())
			for _, skip := range []bool{false, true} {
				r := NewReader(iotest.HalfReader(bytes.NewReader(wire.Bytes())), 1<<20)
				r.HeaderDigest, r.DataDigest = digests[0], digests[1]
				readAll(t, r, sizes, skip)
			}
		})
	}
}

func readAll(t *testing.T, r *Reader, sizes []int, skip bool) {
	t.Helper()
	var h Header
	for i, n := range sizes {
		require.NoError(t, r.Next(&h))
		require.EqualValues(t, i, h.ITT())
		require.Equal(t, bytes.Repeat([]byte{byte(i)}, 4*i), append([]byte{}, r.AHS()...))
		if skip && i%2 == 0 {
			continue // Next skips
		}
		got := make([]byte, n)
		require.NoError(t, r.Data(got))
		require.True(t, bytes.Equal(pattern(n), got))
	}
	require.Equal(t, io.EOF, r.Next(&h))
}

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8)
	}
	return b
}

func encoded(t *testing.T, header, data bool, payload []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := NewWriter(&out)
	w.HeaderDigest, w.DataDigest = header, data
	var h Header
	(&NopOut{ITT: 1}).Encode(&h)
	require.NoError(t, w.Write(&h, []byte{1, 2, 3, 4}, payload))
	require.NoError(t, w.Flush())
	return out.Bytes()
}

// asked notes how much is asked of a reader at a time.
type asked struct {
	io.Reader
	sizes []int
}

func (a *asked) Read(p []byte) (int, error) {
	a.sizes = append(a.sizes, len(p))
	return a.Reader.Read(p)
}

// Long data segments are read to where they belong, but for little; many short PDUs
// come with one read, also after a long one.
func TestReadAhead(t *testing.T) {
	const long, short = 200_000, 8
	var wire bytes.Buffer
	w := NewWriter(&wire)
	for _, n := range []int{short, long, long, long, short, short, short, short} {
		require.NoError(t, w.Write(&Header{}, nil, make([]byte, n)))
	}
	require.NoError(t, w.Flush())
	src := &asked{Reader: &wire}
	r := NewReader(src, 1<<20)
	var h Header
	for r.Next(&h) == nil {
		require.NoError(t, r.Data(make([]byte, h.DataLen())))
	}
	pdu := HeaderLen + short
	require.Equal(t, []int{
		readerBuffer,
		long - (readerBuffer - pdu - HeaderLen), // nothing was known of it
		shortAhead, long - (shortAhead - HeaderLen),
		shortAhead, long - (shortAhead - HeaderLen),
		shortAhead, // all that is left
		readerBuffer,
	}, src.sizes)
}

// What is skipped is read in large pieces, however it began.
func TestSkipLongData(t *testing.T) {
	const long = 1 << 20
	var wire bytes.Buffer
	w := NewWriter(&wire)
	for range 2 {
		require.NoError(t, w.Write(&Header{}, nil, make([]byte, long)))
	}
	src := &asked{Reader: &wire}
	r := NewReader(src, long)
	var h Header
	require.NoError(t, r.Next(&h))
	require.NoError(t, r.Next(&h))
	require.Equal(t, io.EOF, r.Next(&h))
	require.Less(t, len(src.sizes), 2*long/readerBuffer+4)
}

// Each flipped bit must be seen by the digest that covers it.
func TestDigestsSeeDamage(t *testing.T) {
	good := encoded(t, true, true, []byte("hello"))
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 0x10
		r := NewReader(bytes.NewReader(bad), 1<<20)
		r.HeaderDigest, r.DataDigest = true, true
		var h Header
		err := r.Next(&h)
		if err == nil {
			err = r.Data(make([]byte, h.DataLen()))
		}
		require.Error(t, err, "byte %d", i)
	}
}

func TestReaderFailures(t *testing.T) {
	long := encoded(t, false, false, make([]byte, 1025))
	var h Header
	require.ErrorIs(t, NewReader(bytes.NewReader(long), 1024).Next(&h), ErrTooLong)
	r := NewReader(bytes.NewReader(long), 1025)
	require.NoError(t, r.Next(&h))
	require.ErrorIs(t, r.Data(make([]byte, 1024)), ErrDataSize)
	require.NoError(t, r.Data(make([]byte, 1025)))
	require.ErrorIs(t, r.Data(make([]byte, 1025)), ErrDataSize, "read twice")

	whole := encoded(t, true, true, []byte("hello"))
	for n := 1; n < len(whole); n++ {
		r := NewReader(bytes.NewReader(whole[:n]), 1024)
		r.HeaderDigest, r.DataDigest = true, true
		err := r.Next(&h)
		if err == nil {
			err = r.Data(make([]byte, h.DataLen()))
		}
		require.ErrorIs(t, err, io.ErrUnexpectedEOF, "%d bytes", n)
	}
}

func TestWriterFailures(t *testing.T) {
	w := NewWriter(io.Discard)
	var h Header
	require.ErrorIs(t, w.Write(&h, make([]byte, 3), nil), ErrTooLong)
	require.ErrorIs(t, w.Write(&h, make([]byte, 1024), nil), ErrTooLong)
	require.ErrorIs(t, w.Write(&h, nil, make([]byte, 1<<24)), ErrTooLong)
	broken := NewWriter(brokenWriter{})
	require.NoError(t, broken.Write(&h, nil, nil))
	require.ErrorIs(t, broken.Flush(), errBroken)
	require.ErrorIs(t, broken.Write(&h, nil, make([]byte, copyMax+1)), errBroken)
}

var errBroken = errors.New("broken")

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

// Whatever comes, a Reader neither panics nor gives more than its limit.
func FuzzReader(f *testing.F) {
	f.Add([]byte{}, false, false)
	f.Add(bytes.Repeat([]byte{0}, 48), true, true)
	f.Add(append([]byte{1, 0x80, 0, 0, 2, 0, 0, 5}, make([]byte, 64)...), false, true)
	f.Fuzz(func(t *testing.T, b []byte, header, data bool) {
		r := NewReader(bytes.NewReader(b), 4096)
		r.HeaderDigest, r.DataDigest = header, data
		var h Header
		for i := 0; r.Next(&h) == nil; i++ {
			require.LessOrEqual(t, h.DataLen(), 4096)
			if i%2 == 0 && r.Data(make([]byte, h.DataLen())) != nil {
				return
			}
		}
	})
}

func BenchmarkWriter4K(b *testing.B) {
	w, data := NewWriter(io.Discard), make([]byte, 4096)
	b.SetBytes(4096)
	b.ReportAllocs()
	for b.Loop() {
		var h Header
		(&DataIn{Final: true}).Encode(&h)
		_ = w.Write(&h, nil, data)
	}
}
