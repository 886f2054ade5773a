// Bench measures Twinlun beside its peers, in one run: the same files, the same
// client, and rounds that take turns, so that the ratios mean something on a
// machine that does other things too.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// part is one table of figures.
type part struct {
	name string
	run  func(ctx context.Context, l *lab) error
}

func parts() []part {
	return []part{
		{"clone", benchClone}, {"iscsi", benchISCSI}, {"wsman", benchWSMan}, {"snapshot", benchSnapshot}, {"scale", benchScale},
		{"layers", benchLayers}, {"pauses", layerPauses}, {"sizes", layerSizes},
	}
}

func main() {
	// Whatever ends it, also that nobody reads on, it cleans up.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	l, err := newLab()
	if err != nil {
		return err
	}
	flag.StringVar(&l.binary, "twinlun", "bin/twinlun", "the binary to measure")
	flag.Parse()
	wanted, err := choose(parts(), flag.Args())
	if err != nil {
		return err
	}
	if err := l.open(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	l.describe()
	begun := time.Now()
	for _, p := range wanted {
		if err := l.runPart(ctx, p); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	fmt.Fprintf(l.out, "\nAll of it took %s; goal for all parts: < %s\n", l.inTime(time.Since(begun)), l.longest())
	return nil
}

// longest is how long all parts may take.
func (l *lab) longest() time.Duration { return pick(l, 5*time.Minute, 20*time.Minute) }

// inTime writes how long it took.
func (l *lab) inTime(took time.Duration) string {
	if took = took.Round(time.Second); took >= l.longest() {
		return took.String() + " SHORT"
	}
	return took.String()
}

// runPart says how long the part took.
func (l *lab) runPart(ctx context.Context, p part) error {
	begun := time.Now()
	if err := p.run(ctx, l); err != nil {
		return err
	}
	fmt.Fprintf(l.out, "(%s: %s)\n", p.name, time.Since(begun).Round(time.Second))
	return nil
}

// choose picks the parts with those names; no name means all.
func choose(all []part, names []string) ([]part, error) {
	if len(names) == 0 {
		return all, nil
	}
	var chosen []part
	for _, n := range names {
		i := slices.IndexFunc(all, func(p part) bool { return p.name == n })
		if i < 0 {
			return nil, fmt.Errorf("there is no part %q", n)
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

// lab is where everything is measured: two folders that are removed at the end.
type lab struct {
	binary string
	quick  bool
	rounds int
	disk   string // folder on disk
	memory string // folder on tmpfs: what is bound by the processor, not by the disk
	out    *os.File
}

func newLab() (*lab, error) {
	l := &lab{quick: os.Getenv("BENCH_QUICK") == "1", rounds: 5, out: os.Stdout}
	if l.quick {
		l.rounds = 3
	}
	if s := os.Getenv("BENCH_ROUNDS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("BENCH_ROUNDS=%s is not a number of rounds", s)
		}
		l.rounds = n
	}
	return l, nil
}

func (l *lab) open() (err error) {
	if l.disk, err = os.MkdirTemp(os.Getenv("BENCH_DIR"), "twinlun-bench"); err != nil {
		return err
	}
	memory := os.Getenv("BENCH_MEMORY")
	if memory == "" {
		memory = "/dev/shm"
	}
	if l.memory, err = os.MkdirTemp(memory, "twinlun-bench"); err != nil {
		return errors.Join(err, l.close())
	}
	return nil
}

func (l *lab) close() error {
	var errs []error
	for _, dir := range []string{l.disk, l.memory} {
		if dir != "" {
			errs = append(errs, os.RemoveAll(dir))
		}
	}
	return errors.Join(errs...)
}

// pick is quick's value in a quick run, else full's.
func pick[T any](l *lab, quick, full T) T {
	if l.quick {
		return quick
	}
	return full
}

// inDir makes a folder below one of the lab's.
func inDir(parent, name string) (string, error) {
	dir := filepath.Join(parent, name)
	return dir, os.MkdirAll(dir, 0o700)
}
