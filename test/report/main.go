// Command report runs go test and prints what it found as go test does, and then which
// tests were skipped and why: without -v go test keeps silent about that.
//
//	go run ./test/report -race ./...
//
// Its exit code is that of go test.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	code, err := run(ctx, os.Args[1:], os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
	}
	os.Exit(code)
}

// run runs go test with args and reports to out. It gives the exit code, and an error
// where that does not come from go test.
func run(ctx context.Context, args []string, out io.Writer) (int, error) {
	c := exec.CommandContext(ctx, "go", append([]string{"test", "-json"}, args...)...)
	c.Stderr = os.Stderr
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	events, err := c.StdoutPipe()
	if err != nil {
		return 1, err
	}
	if err := c.Start(); err != nil {
		return 1, err
	}
	read := report(events, out)
	err = c.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return max(exit.ExitCode(), 1), read
	}
	if err = errors.Join(read, err); err != nil {
		return 1, err
	}
	return 0, nil
}
