package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"
)

// wire is one keep-alive connection that sends requests that are written already.
// It reads no more of an answer than it must, so that the server has the
// processor for itself.
type wire struct {
	conn   net.Conn
	rd     *bufio.Reader
	header string
	out    []byte
	body   []byte
}

// dialWire opens a connection for a user who has the password of all users here.
func dialWire(ctx context.Context, d *daemon, user string) (*wire, error) {
	var dialer net.Dialer
	c, err := dialer.DialContext(ctx, "tcp", d.wsman)
	if err != nil {
		return nil, err
	}
	return &wire{conn: c, rd: bufio.NewReaderSize(c, 64<<10), header: "POST /wsman HTTP/1.1\r\nHost: " + d.wsman +
		"\r\nContent-Type: application/soap+xml;charset=UTF-8\r\nAuthorization: Basic " +
		base64.StdEncoding.EncodeToString([]byte(user+":"+d.password)) + "\r\nContent-Length: "}, nil
}

// close ends the connection, if there is one.
func (w *wire) close() {
	if w.conn != nil {
		_ = w.conn.Close()
	}
}

// send sends one request and gives the body of the answer, which is valid until
// the next one.
func (w *wire) send(message []byte) ([]byte, error) {
	w.out = append(w.out[:0], w.header...)
	w.out = strconv.AppendInt(w.out, int64(len(message)), 10)
	w.out = append(w.out, "\r\n\r\n"...)
	w.out = append(w.out, message...)
	if _, err := w.conn.Write(w.out); err != nil {
		return nil, err
	}
	status, length, err := w.head()
	if err != nil {
		return nil, err
	}
	if cap(w.body) < length {
		w.body = make([]byte, length)
	}
	w.body = w.body[:length]
	if _, err := io.ReadFull(w.rd, w.body); err != nil {
		return nil, err
	}
	if status != http.StatusOK {
		return nil, fmt.Errorf("HTTP %d: %.400s", status, w.body)
	}
	return w.body, nil
}

// head reads the status line and the header of an answer.
func (w *wire) head() (status, length int, err error) {
	length = -1
	for first := true; ; first = false {
		line, err := w.rd.ReadSlice('\n')
		if err != nil {
			return 0, 0, err
		}
		line = bytes.TrimRight(line, "\r\n")
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch {
		case first && len(line) > 12:
			status, err = strconv.Atoi(string(line[9:12]))
		case bytes.EqualFold(name, []byte("Content-Length")):
			length, err = strconv.Atoi(string(bytes.TrimSpace(value)))
		case len(line) == 0 && length < 0:
			return 0, 0, fmt.Errorf("an answer without Content-Length")
		case len(line) == 0:
			return status, length, nil
		}
		if err != nil {
			return 0, 0, fmt.Errorf("answer %q: %w", line, err)
		}
	}
}

// operation is one unit of work on a connection; it says how many instances came.
type operation func(w *wire) (instances int, err error)

// measured is what a closed loop of one operation gave.
type measured struct {
	ops, instances float64 // a second
	p50, p99       float64 // milliseconds
	cpu            float64 // of the server, in microseconds for one operation
	rss, peak      float64 // of the server, MiB
}

// closedLoop repeats an operation on some connections for a while: each sends
// the next when it has the answer to the last.
func closedLoop(ctx context.Context, d *daemon, connections int, took time.Duration, op operation) (measured, error) {
	if err := loop(ctx, d, op, time.Now().Add(took/8), nil); err != nil {
		return measured{}, err
	}
	tallies := make([]tally, connections)
	cpu, begun := d.cpu(), time.Now()
	g, ctx := errgroup.WithContext(ctx)
	for i := range tallies {
		g.Go(func() error { return loop(ctx, d, op, begun.Add(took), &tallies[i]) })
	}
	if err := g.Wait(); err != nil {
		return measured{}, err
	}
	elapsed, used := time.Since(begun).Seconds(), d.cpu()-cpu
	var all tally
	for _, t := range tallies {
		all.times, all.instances = append(all.times, t.times...), all.instances+t.instances
	}
	n, ms := float64(len(all.times)), milliseconds(all.times)
	m := measured{ops: n / elapsed, instances: float64(all.instances) / elapsed, cpu: float64(used.Microseconds()) / n}
	m.p50, m.p99 = quantile(ms, 0.5), quantile(ms, 0.99)
	m.rss, m.peak = d.resident()
	return m, nil
}

// tally is what one connection did.
type tally struct {
	times     []time.Duration
	instances int
}

// loop runs one connection until the end; without a tally it only warms up.
func loop(ctx context.Context, d *daemon, op operation, end time.Time, t *tally) error {
	w, err := dialWire(ctx, d, admin)
	if err != nil {
		return err
	}
	defer w.close()
	stop := context.AfterFunc(ctx, func() { _ = w.conn.Close() })
	defer stop()
	for last := time.Now(); last.Before(end); {
		n, err := op(w)
		if err != nil {
			return err
		}
		now := time.Now()
		if t != nil {
			t.times, t.instances = append(t.times, now.Sub(last)), t.instances+n
		}
		last = now
	}
	return nil
}
