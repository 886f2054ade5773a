package reflink

import (
	"encoding/binary"
	"os"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// FS_IOC_FIEMAP and what it says of an extent (Linux, Documentation/filesystems/fiemap.rst).
const (
	fiemap       = 0xC020660B
	extentLast   = 0x1
	extentShared = 0x2000
	headerSize   = 32
	extentSize   = 56
	extentsAsked = 512
)

// onDisk is what a file has in its filesystem: bytes in all, and of those, the bytes
// that another file has, too.
func onDisk(t testing.TB, name string) (all, shared int64) {
	t.Helper()
	f, err := os.Open(name)
	require.NoError(t, err)
	defer f.Close()
	require.NoError(t, f.Sync())
	for from := uint64(0); ; {
		b := make([]byte, headerSize+extentsAsked*extentSize)
		binary.NativeEndian.PutUint64(b, from)
		binary.NativeEndian.PutUint64(b[8:], 1<<63-from)
		binary.NativeEndian.PutUint32(b[24:], extentsAsked)
		_, _, code := unix.Syscall(unix.SYS_IOCTL, f.Fd(), fiemap, uintptr(unsafe.Pointer(&b[0])))
		require.Zero(t, code)
		n := binary.NativeEndian.Uint32(b[20:])
		if n == 0 {
			return all, shared
		}
		for e := b[headerSize:][:n*extentSize]; len(e) > 0; e = e[extentSize:] {
			length, flags := binary.NativeEndian.Uint64(e[16:]), binary.NativeEndian.Uint32(e[40:])
			from = binary.NativeEndian.Uint64(e) + length
			if all += int64(length); flags&extentShared != 0 {
				shared += int64(length)
			}
			if flags&extentLast != 0 {
				return all, shared
			}
		}
	}
}

// used is how much space a filesystem has given away.
func used(t testing.TB, dir string) int64 {
	t.Helper()
	fd, err := unix.Open(dir, unix.O_DIRECTORY|unix.O_RDONLY, 0)
	require.NoError(t, err)
	defer unix.Close(fd)
	require.NoError(t, unix.Syncfs(fd))
	var st unix.Statfs_t
	require.NoError(t, unix.Fstatfs(fd, &st))
	return int64(st.Blocks-st.Bfree) * st.Bsize
}
