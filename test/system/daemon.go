// Package system runs the built daemon as a user would, for the tests that cross
// packages: a process of its own, on free loopback ports, with a data dir that
// is kept over restarts.
package system

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// startTimeout bounds how long a daemon may take to say that it is ready.
const startTimeout = 60 * time.Second

// Daemon is a running twinlun process.
type Daemon struct {
	t       testing.TB
	DataDir string
	WSMan   string // HOST:PORT
	TLS     string
	ISCSI   string
	Metrics string

	cmd  *exec.Cmd
	log  *log
	args []string
}

// Start runs a daemon on a new data dir. It ends with the test, whose output
// gets the log if it fails.
func Start(t testing.TB, args ...string) *Daemon {
	t.Helper()
	d := &Daemon{t: t, DataDir: filepath.Join(t.TempDir(), "data"), args: args}
	t.Cleanup(d.cleanUp)
	d.Run()
	return d
}

// Run starts the process again after Stop or Kill, on the same data dir.
func (d *Daemon) Run() {
	d.t.Helper()
	d.launch()
	select {
	case <-d.log.ready:
	case <-d.log.ended:
		d.t.Fatalf("the daemon did not start: %v\n%s", d.cmd.Wait(), d.log.text())
	case <-time.After(startTimeout):
		d.t.Fatalf("the daemon is not ready after %s\n%s", startTimeout, d.log.text())
	}
	d.WSMan, d.TLS, d.ISCSI, d.Metrics = d.log.address("wsman"), d.log.address("wsman-tls"), d.log.address("iscsi"), d.log.address("metrics")
}

// RunFor starts the process and kills it after a while, ready or not.
func (d *Daemon) RunFor(while time.Duration) {
	d.t.Helper()
	d.launch()
	select {
	case <-d.log.ended:
		d.t.Fatalf("the daemon did not start: %v\n%s", d.cmd.Wait(), d.log.text())
	case <-time.After(while):
	}
	d.Kill()
}

func (d *Daemon) launch() {
	d.t.Helper()
	args := append([]string{
		"serve", "--data-dir", d.DataDir, "--log-format", "json", "--wsman", "127.0.0.1:0", "--wsman-tls", "127.0.0.1:0",
		"--iscsi", "127.0.0.1:0", "--metrics", "127.0.0.1:0",
	}, d.args...)
	d.cmd = exec.Command(Binary(d.t), args...)
	stderr, err := d.cmd.StderrPipe()
	require.NoError(d.t, err)
	d.log = newLog(stderr)
	require.NoError(d.t, d.cmd.Start())
}

// Stop ends the process as an administrator would and checks that it ended well.
func (d *Daemon) Stop() {
	d.t.Helper()
	require.NoError(d.t, d.cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(d.t, d.wait(), "the daemon did not end well:\n%s", d.log.text())
}

// Kill ends the process with SIGKILL, as a crash would.
func (d *Daemon) Kill() {
	d.t.Helper()
	require.NoError(d.t, d.cmd.Process.Kill())
	_ = d.wait()
}

// wait reads the log to its end and reaps the process.
func (d *Daemon) wait() error {
	<-d.log.ended
	err := d.cmd.Wait()
	d.cmd = nil
	return err
}

func (d *Daemon) cleanUp() {
	if d.cmd != nil && d.cmd.Process != nil {
		_ = d.cmd.Process.Signal(syscall.SIGTERM)
		_ = d.wait()
	}
	if d.t.Failed() && d.log != nil {
		d.t.Logf("the daemon's log:\n%s", d.log.text())
	}
}

// Log is what the daemon has written so far.
func (d *Daemon) Log() string { return d.log.text() }

// PID is the process's identifier.
func (d *Daemon) PID() int { return d.cmd.Process.Pid }

// Password is that of the user admin.
func (d *Daemon) Password() string {
	b, err := os.ReadFile(filepath.Join(d.DataDir, "initial-admin-password"))
	require.NoError(d.t, err)
	return strings.TrimSpace(string(b))
}

// URL is that of the WS-Man endpoint.
func (d *Daemon) URL() string { return "http://" + d.WSMan + "/wsman" }

// IQN is the name of the target of a volume.
func IQN(volume string) string { return "iqn.2026-11.dev.twinlun:" + strings.ToLower(volume) }

// DiskURL is the URL under which libiscsi and qemu reach a volume.
func (d *Daemon) DiskURL(volume string) string {
	return fmt.Sprintf("iscsi://%s/%s/0", d.ISCSI, IQN(volume))
}

// CLI runs a command of twinlun against the daemon and returns what it printed
// and its exit code.
func (d *Daemon) CLI(ctx context.Context, args ...string) (stdout, stderr string, code int) {
	d.t.Helper()
	return d.run(ctx, []string{"TWINLUN_SERVER=" + d.URL(), "TWINLUN_USER=admin", "TWINLUN_PASSWORD=" + d.Password()}, args)
}

// Offline runs a command that works on the data dir of the stopped daemon.
func (d *Daemon) Offline(args ...string) (stdout, stderr string, code int) {
	d.t.Helper()
	return d.run(d.t.Context(), nil, append(args, "--data-dir", d.DataDir))
}

func (d *Daemon) run(ctx context.Context, env, args []string) (stdout, stderr string, code int) {
	d.t.Helper()
	cmd := exec.CommandContext(ctx, Binary(d.t), args...)
	cmd.Env = append(os.Environ(), env...)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return out.String(), errs.String(), exit.ExitCode()
	}
	require.NoError(d.t, err)
	return out.String(), errs.String(), 0
}

// Must is CLI for a command that must succeed; it returns what it printed.
func (d *Daemon) Must(args ...string) string {
	d.t.Helper()
	out, errs, code := d.CLI(d.t.Context(), args...)
	require.Zero(d.t, code, "twinlun %s: %s", strings.Join(args, " "), errs)
	return out
}

// Records is Must for a command that lists; it returns the records.
func (d *Daemon) Records(args ...string) []map[string]any {
	d.t.Helper()
	var list []map[string]any
	require.NoError(d.t, json.Unmarshal([]byte(d.Must(append(args, "-o", "json")...)), &list))
	return list
}

// log follows the daemon's standard error.
type log struct {
	ready, ended chan struct{}

	mu        sync.Mutex
	lines     strings.Builder
	addresses map[string]string
}

func newLog(r io.Reader) *log {
	l := &log{ready: make(chan struct{}), ended: make(chan struct{}), addresses: map[string]string{}}
	go l.follow(r)
	return l
}

func (l *log) follow(r io.Reader) {
	defer close(l.ended)
	var once sync.Once
	s := bufio.NewScanner(r)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		if l.line(s.Text()) {
			once.Do(func() { close(l.ready) })
		}
	}
}

// line notes one line and says whether it tells that the daemon is ready.
func (l *log) line(text string) bool {
	var entry struct{ Msg, Service, Address string }
	isJSON := json.Unmarshal([]byte(text), &entry) == nil
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines.WriteString(text + "\n")
	if isJSON && entry.Msg == "listening" {
		l.addresses[entry.Service] = entry.Address
	}
	return isJSON && entry.Msg == "ready"
}

func (l *log) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines.String()
}

func (l *log) address(service string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.addresses[service]
}
