package server

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/wsman"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestFaultGolden has each way in which a broker can fail as the whole answer.
func TestFaultGolden(t *testing.T) {
	failures := map[string]error{
		"unknown":   errors.New("a detail for the log"),
		"internal":  cim.Internal(errors.New("a detail for the log")),
		"cancelled": context.Canceled,
		"timeout":   fmt.Errorf("waiting: %w", context.DeadlineExceeded),
		"fault":     wsman.QuotaLimit("no more of these"),
		"wrapped":   fmt.Errorf("a detail for the log: %w", cim.Errorf(cim.StatusNotFound, "no such thing")),
	}
	for s := cim.StatusFailed; s <= cim.StatusServerIsShuttingDown; s++ {
		failures[fmt.Sprintf("status%02d", s)] = cim.Errorf(s, "text of status %d", s)
	}
	for name, failure := range failures {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t).withService(nil, failure)
			r := w.post(t, invoke(serviceURI, "Ping", "").windows())
			require.Equal(t, 500, r.status)
			require.NotContains(t, r.text, "a detail for the log")
			compareGolden(t, filepath.Join("testdata", "fault", name+".xml"), r.text)
		})
	}
}

func compareGolden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(got+"\n"), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), got+"\n")
}

// The subcodes, so that a reviewer need not read the golden files for them.
func TestFaultSubcodes(t *testing.T) {
	for status, want := range map[cim.Status]string{
		cim.StatusFailed:                    "InternalError",
		cim.StatusAccessDenied:              "AccessDenied",
		cim.StatusInvalidNamespace:          "DestinationUnreachable",
		cim.StatusInvalidParameter:          "InvalidParameter",
		cim.StatusInvalidClass:              "DestinationUnreachable",
		cim.StatusNotFound:                  "DestinationUnreachable",
		cim.StatusNotSupported:              "UnsupportedFeature",
		cim.StatusAlreadyExists:             "AlreadyExists",
		cim.StatusNoSuchProperty:            "InvalidRepresentation",
		cim.StatusTypeMismatch:              "InvalidRepresentation",
		cim.StatusQueryLanguageNotSupported: "FilterDialectRequestedUnavailable",
		cim.StatusInvalidQuery:              "CannotProcessFilter",
		cim.StatusMethodNotAvailable:        "ActionNotSupported",
		cim.StatusMethodNotFound:            "ActionNotSupported",
		cim.StatusServerLimitsExceeded:      "QuotaLimit",
		cim.StatusServerIsShuttingDown:      "EndpointUnavailable",
		cim.Status(4711):                    "InternalError",
	} {
		f := faultOf(cim.Errorf(status, "words"))
		require.Equal(t, want, f.Subcode.Local, status)
		require.Equal(t, "words", f.Error())
		require.Equal(t, status, f.CIM.Status, "the CIM error has the real status")
	}
}

// What is in use is no failure of the service: the client may try again.
func TestFaultOfWhatIsInUse(t *testing.T) {
	f := faultOf(&cim.Error{Status: cim.StatusFailed, Msg: "the volume is in use by another request", Err: cim.ErrInUse})
	require.Equal(t, "Concurrency", f.Subcode.Local)
	require.Equal(t, "the volume is in use by another request", f.Error())
	require.Equal(t, cim.StatusFailed, f.CIM.Status)
	require.False(t, f.Internal())
	f = faultOf(&cim.Error{Status: cim.StatusNotSupported, Msg: "no", Err: cim.ErrInUse})
	require.Equal(t, "UnsupportedFeature", f.Subcode.Local, "a status of its own says more")
}

// The log has what the client is not told.
func TestFaultDetailIsInTheLog(t *testing.T) {
	for _, failure := range []error{errors.New("disk on fire"), cim.Internal(errors.New("disk on fire"))} {
		w := newWorld(t).withService(nil, failure)
		w.fails(t, invoke(serviceURI, "Ping", "").windows(), "w:InternalError")
		lines := w.log.lines(t)
		last := lines[len(lines)-1]
		require.Equal(t, "ERROR", last["level"])
		require.Contains(t, last["cause"], "disk on fire")
		require.Equal(t, messageID, last["message"])
	}
}

func TestPanicIsAnInternalError(t *testing.T) {
	w := newWorld(t).withVolumes(3).withService(nil, nil)
	w.broker.invoke = func(context.Context, *cim.Call) (*cim.Reply, error) { panic("index out of range") }
	w.broker.each = func(_ context.Context, n int) error {
		if n == 1 {
			panic("index out of range")
		}
		return nil
	}
	for _, m := range []message{invoke(serviceURI, "Ping", ""), enumerate(volumeURI, `<w:OptimizeEnumeration/><w:MaxElements>9</w:MaxElements>`)} {
		r := w.fails(t, m.windows(), "w:InternalError")
		require.NotContains(t, r.text, "index")
		require.Equal(t, messageID, r.RelatesTo)
	}
	require.Zero(t, w.contexts.count(), "nothing is left of the enumeration")
	require.Zero(t, len(w.inFlight))
	require.Equal(t, "panic", w.audits.lines(t)[0]["result"])
	found := false
	for _, l := range w.log.lines(t) {
		cause, _ := l["cause"].(string)
		found = found || len(cause) > 100 && l["level"] == "ERROR"
	}
	require.True(t, found, "the stack is in the log")
	w.broker.each = nil
	w.ok(t, getVolume("V0").windows())
}

// An id that cannot be made is a failure like others, and leaks nothing.
func TestRandomnessFails(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Rand = noRandom{} }).withVolumes(1)
	for _, m := range []message{getVolume("V0"), enumerate(volumeURI, "")} {
		rec := w.serve(t, httpRequest(m.windows()))
		require.Equal(t, 500, rec.Code)
		require.Equal(t, "internal error\n", rec.Body.String())
	}
	require.Zero(t, w.contexts.count())
}

type noRandom struct{}

func (noRandom) Read([]byte) (int, error) { return 0, errors.New("no entropy") }
