package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

// tick is the unit of processor time in /proc (USER_HZ, proc(5)).
const tick = 10 * time.Millisecond

// process is a server under measurement.
type process struct {
	cmd *exec.Cmd
	log string // file that has what it writes
}

// start runs a program whose output goes to the file log.
func start(log, name string, args ...string) (*process, error) {
	f, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	p := &process{cmd: exec.Command(name, args...), log: log}
	p.cmd.Stdout, p.cmd.Stderr = f, f
	return p, p.cmd.Start()
}

// stop asks the process to end, and makes it end when it does not.
func (p *process) stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	timer := time.AfterFunc(20*time.Second, func() { _ = p.cmd.Process.Kill() })
	defer timer.Stop()
	if err := p.cmd.Wait(); err != nil && p.cmd.ProcessState.ExitCode() > 0 {
		text, _ := os.ReadFile(p.log)
		return fmt.Errorf("%s: %w\n%s", p.cmd.Path, err, text)
	}
	return nil
}

// cpu is the processor time that the process has used.
func (p *process) cpu() time.Duration {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * tick
}

// resident is the memory of the process in MiB; peak the most it ever had.
func (p *process) resident() (now, peak float64) {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	kib := func(field string) float64 {
		_, rest, _ := strings.Cut(string(text), field+":")
		n, _ := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(strings.SplitN(rest, "\n", 2)[0]), " kB"), 64)
		return n / 1024
	}
	return kib("VmRSS"), kib("VmHWM")
}

// tool runs a program to its end and returns what it printed.
func tool(ctx context.Context, name string, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return string(out), nil
}

// together runs f in some goroutines, which are told their numbers, and says how long
// all of them took.
func together(ctx context.Context, goroutines int, f func(ctx context.Context, g int) error) (time.Duration, error) {
	begun := time.Now()
	group, ctx := errgroup.WithContext(ctx)
	for g := range goroutines {
		group.Go(func() error { return f(ctx, g) })
	}
	err := group.Wait()
	return time.Since(begun), err
}

// until calls f every few milliseconds until it says yes.
func until(ctx context.Context, limit time.Duration, f func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	t := time.NewTicker(2 * time.Millisecond)
	defer t.Stop()
	for {
		if done, err := f(); done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(errors.New("it takes too long"), ctx.Err())
		case <-t.C:
		}
	}
}
