package vfs

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// TestCannotClone: where blocks cannot be shared, for now or ever, they can be copied; a
// disk that is full or fails is no reason to.
func TestCannotClone(t *testing.T) {
	for e, cannot := range map[error]bool{
		unix.EOPNOTSUPP: true, unix.EXDEV: true, unix.EINVAL: true, unix.EAGAIN: true,
		unix.ENOSPC: false, unix.EDQUOT: false, unix.EIO: false,
	} {
		require.Equal(t, cannot, cannotClone(&os.PathError{Op: "clone range", Path: "f", Err: e}), "%v", e)
	}
	require.False(t, cannotClone(nil))
}
