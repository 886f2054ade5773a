package daemon

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLoggers(t *testing.T) {
	var out bytes.Buffer
	log, audit, err := NewLoggers(&out, "warn", "auto")
	require.NoError(t, err)
	log.Info("quiet")
	log.With("a", 1).WithGroup("g").Info("quiet too")
	require.Empty(t, out.String())
	audit.Info("audit", "user", "eva")
	var line map[string]any
	require.NoError(t, json.Unmarshal(out.Bytes(), &line), "JSON where there is no terminal")
	require.Equal(t, "eva", line["user"])

	out.Reset()
	log, _, err = NewLoggers(&out, "debug", "text")
	require.NoError(t, err)
	log.Debug("hello", slog.Int("n", 1))
	require.Contains(t, out.String(), "level=DEBUG msg=hello n=1")
}

func TestLoggersRefuse(t *testing.T) {
	_, _, err := NewLoggers(&bytes.Buffer{}, "loud", "auto")
	require.ErrorContains(t, err, `log_level: "loud"`)
	_, _, err = NewLoggers(&bytes.Buffer{}, "info", "xml")
	require.ErrorContains(t, err, `log_format: "xml"`)
}
