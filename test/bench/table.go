package main

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"strings"
	"syscall"
	"text/tabwriter"
)

// table is one table of figures; it is printed whole.
type table struct {
	w *tabwriter.Writer
}

func (l *lab) table(title string, columns ...string) *table {
	fmt.Fprintf(l.out, "\n%s\n", title)
	t := &table{tabwriter.NewWriter(l.out, 0, 4, 2, ' ', 0)}
	t.row(columns...)
	return t
}

func (t *table) row(cells ...string) { fmt.Fprintln(t.w, "  "+strings.Join(cells, "\t")) }

func (t *table) print() error { return t.w.Flush() }

// number writes v with about three digits that mean something.
func number(v float64) string {
	switch {
	case math.IsNaN(v), math.IsInf(v, 0):
		return "-"
	case math.Abs(v) >= 100:
		return fmt.Sprintf("%.0f", v)
	case math.Abs(v) >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// times writes a ratio beside the least that it should be.
func times(ratio, least float64) string {
	if ratio >= least {
		return number(ratio) + "x"
	}
	return number(ratio) + "x SHORT"
}

// under writes a number beside the one that it should be less than.
func under(v, limit float64) string {
	if v < limit {
		return number(v)
	}
	return number(v) + " SHORT"
}

// describe prints what the figures were taken on.
func (l *lab) describe() {
	fmt.Fprintf(l.out, "%d processors, %s; other load before the run: %s; disk %s: %s; memory %s: %s; rounds: %d\n",
		runtime.NumCPU(), processor(), loadAverage(), l.disk, filesystem(l.disk), l.memory, filesystem(l.memory), l.rounds)
}

func processor() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	_, rest, _ := strings.Cut(string(text), "model name")
	line, _, _ := strings.Cut(rest, "\n")
	return strings.TrimLeft(line, " \t:")
}

func loadAverage() string {
	text, _ := os.ReadFile("/proc/loadavg")
	load, _, _ := strings.Cut(string(text), " ")
	return load
}

// room is how many bytes are free in a folder for those who are not root (statfs(2)).
func room(dir string) int64 {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0
	}
	return int64(st.Bavail) * st.Bsize
}

// filesystem names the type of the filesystem that holds a folder (statfs(2)).
func filesystem(dir string) string {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return err.Error()
	}
	names := map[int64]string{0xef53: "ext4", 0x58465342: "xfs", 0x9123683e: "btrfs", 0x01021994: "tmpfs", 0x794c7630: "overlayfs"}
	if n, ok := names[int64(st.Type)]; ok {
		return n
	}
	return fmt.Sprintf("type %#x", st.Type)
}
