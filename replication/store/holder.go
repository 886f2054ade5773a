package store

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// maxLocks bounds how much of /proc/locks is read.
const maxLocks = 1 << 20

// lockHolder names the process that holds a lock on the file, as far as
// /proc/locks (proc(5)) tells; it is for messages only.
func lockHolder(path string) string {
	const unknown = "another process"
	var st syscall.Stat_t
	if syscall.Stat(path, &st) != nil {
		return unknown
	}
	f, err := os.Open("/proc/locks")
	if err != nil {
		return unknown
	}
	defer f.Close()
	pid := findLock(io.LimitReader(f, maxLocks), st.Ino)
	if pid < 1 {
		return unknown
	}
	who := fmt.Sprintf("process %d", pid)
	if name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid)); err == nil {
		who += " (" + strings.TrimSpace(string(name)) + ")"
	}
	return who
}

// findLock looks for the process that holds a flock on an inode in lines like
// "1: FLOCK  ADVISORY  WRITE 1234 fe:01:5678 0 EOF"; 0 is not found.
func findLock(r io.Reader, inode uint64) int {
	suffix := ":" + strconv.FormatUint(inode, 10)
	sc := bufio.NewScanner(r)
	for sc.Scan() {
		f := strings.Fields(sc.Text())
		if len(f) < 6 || f[1] != "FLOCK" || !strings.HasSuffix(f[5], suffix) {
			continue
		}
		if pid, err := strconv.Atoi(f[4]); err == nil {
			return pid
		}
	}
	return 0
}
