package store

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFindLock(t *testing.T) {
	const locks = `1: POSIX  ADVISORY  WRITE 11 fe:01:77 0 EOF
2: FLOCK  ADVISORY  WRITE 12 fe:01:7 0 EOF
2: -> FLOCK  ADVISORY  WRITE 99 fe:01:77 0 EOF
odd line
3: FLOCK  ADVISORY  WRITE 13 fe:01:77 0 EOF
4: FLOCK  ADVISORY  WRITE many fe:01:8 0 EOF
`
	for inode, want := range map[uint64]int{77: 13, 7: 12, 8: 0, 9: 0} {
		require.Equal(t, want, findLock(strings.NewReader(locks), inode), "inode %d", inode)
	}
}
