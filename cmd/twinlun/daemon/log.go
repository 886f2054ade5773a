package daemon

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"

	"golang.org/x/term"
)

// NewLoggers makes the daemon's logger and that of its audit lines, which go to
// the same place whatever the level is. Format is "text", "json", or "auto": text
// on a terminal and JSON elsewhere.
func NewLoggers(w io.Writer, level, format string) (log, audit *slog.Logger, err error) {
	l, err := logLevel(level)
	if err != nil {
		return nil, nil, err
	}
	if err := checkLogFormat(format); err != nil {
		return nil, nil, err
	}
	o := &slog.HandlerOptions{Level: min(l, slog.LevelInfo)}
	var all slog.Handler = slog.NewJSONHandler(w, o)
	if format == "text" || format == "auto" && isTerminal(w) {
		all = slog.NewTextHandler(w, o)
	}
	return slog.New(atLeast{all, l}), slog.New(all), nil
}

func logLevel(name string) (l slog.Level, err error) {
	if err := l.UnmarshalText([]byte(name)); err != nil {
		return 0, fmt.Errorf("log_level: %q is none of debug, info, warn, error", name)
	}
	return l, nil
}

func checkLogFormat(format string) error {
	switch format {
	case "text", "json", "auto":
		return nil
	}
	return fmt.Errorf("log_format: %q is none of text, json, auto", format)
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// atLeast lets pass what has a level.
type atLeast struct {
	slog.Handler
	level slog.Level
}

// Enabled implements slog.Handler.
func (h atLeast) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= h.level && h.Handler.Enabled(ctx, l)
}

// WithAttrs implements slog.Handler.
func (h atLeast) WithAttrs(a []slog.Attr) slog.Handler {
	return atLeast{h.Handler.WithAttrs(a), h.level}
}

// WithGroup implements slog.Handler.
func (h atLeast) WithGroup(name string) slog.Handler {
	return atLeast{h.Handler.WithGroup(name), h.level}
}
