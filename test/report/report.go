package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// event is a line of go test -json (go doc test2json). Other properties are not needed.
type event struct {
	Action  string
	Package string
	Test    string // empty: of the whole package, or of its build
	Output  string
}

// maxLine bounds a line of events, in bytes.
const maxLine = 16 << 20

// reporter turns events into what is printed.
type reporter struct {
	out     io.Writer
	said    map[event]*strings.Builder // what a test has written, by package and name
	skipped []string
}

// report prints what the events of in tell: what packages say, the output of tests that
// failed, and at the end the tests that were skipped. A line that is no event is
// printed as it is.
func report(in io.Reader, out io.Writer) error {
	r := &reporter{out: out, said: map[event]*strings.Builder{}}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			fmt.Fprintln(out, lines.Text())
			continue
		}
		r.take(e)
	}
	r.end()
	if err := lines.Err(); err != nil {
		_, _ = io.Copy(io.Discard, in) // so that go test can end
		return err
	}
	return nil
}

// take handles one event.
func (r *reporter) take(e event) {
	switch {
	case e.Action == "build-output", e.Action == "output" && e.Test == "":
		if e.Output != "PASS\n" && !strings.HasPrefix(e.Output, "=== ") {
			fmt.Fprint(r.out, e.Output)
		}
	case e.Test == "":
	case e.Action == "output":
		r.hear(e)
	case e.Action == "fail":
		fmt.Fprint(r.out, r.heard(e))
	case e.Action == "skip":
		r.skipped = append(r.skipped, fmt.Sprintf("%s %s: %s", e.Package, e.Test, reason(r.heard(e))))
	case e.Action == "pass":
		r.heard(e)
	}
}

// hear keeps what a test writes until it ends.
func (r *reporter) hear(e event) {
	if strings.HasPrefix(e.Output, "=== ") {
		return
	}
	key := event{Package: e.Package, Test: e.Test}
	if r.said[key] == nil {
		r.said[key] = &strings.Builder{}
	}
	r.said[key].WriteString(e.Output)
}

// heard is what the test has written; it is forgotten.
func (r *reporter) heard(e event) string {
	key := event{Package: e.Package, Test: e.Test}
	said := r.said[key]
	delete(r.said, key)
	if said == nil {
		return ""
	}
	return said.String()
}

// end prints what tests that never ended have written, and the skipped ones.
func (r *reporter) end() {
	for _, said := range r.said {
		fmt.Fprint(r.out, said)
	}
	if len(r.skipped) == 0 {
		return
	}
	fmt.Fprintf(r.out, "\n%d skipped:\n", len(r.skipped))
	for _, s := range r.skipped {
		fmt.Fprintln(r.out, "  "+s)
	}
}

// reason is what a skipped test has said of it, in one line: without its verdict, and
// without the place in the source that go test puts before it.
func reason(said string) string {
	var words []string
	for line := range strings.Lines(said) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "--- SKIP") {
			words = append(words, line)
		}
	}
	text := strings.Join(words, " ")
	if _, after, ok := strings.Cut(text, ".go:"); ok {
		if _, why, ok := strings.Cut(after, ": "); ok {
			text = why
		}
	}
	if text == "" {
		return "it does not say why"
	}
	return text
}
