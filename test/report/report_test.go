package main

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

func TestReport(t *testing.T) {
	out := func(test, s string) event { return event{Action: "output", Package: "p", Test: test, Output: s} }
	end := func(action, test string) event { return event{Action: action, Package: "p", Test: test} }
	for name, tt := range map[string]struct {
		events []event
		want   string
	}{
		"nothing": {},
		"a package that passes": {
			[]event{{Action: "start", Package: "p"}, out("TestA", "=== RUN   TestA\n"), out("TestA", "    a_test.go:1: noise\n"), out("TestA", "--- PASS: TestA (0.00s)\n"),
				end("pass", "TestA"), out("", "PASS\n"), out("", "ok  \tp\t0.1s\n"), end("pass", "")},
			"ok  \tp\t0.1s\n",
		},
		"a test that fails": {
			[]event{out("TestA", "=== RUN   TestA\n"), out("TestA", "    a_test.go:1: bad\n"), out("TestA", "--- FAIL: TestA (0.00s)\n"), end("fail", "TestA"),
				out("", "FAIL\n"), out("", "FAIL\tp\t0.1s\n"), end("fail", "")},
			"    a_test.go:1: bad\n--- FAIL: TestA (0.00s)\nFAIL\nFAIL\tp\t0.1s\n",
		},
		"what is skipped, with the reason": {
			[]event{out("TestA", "    a_test.go:30: no disk here: mount: EPERM\n"), out("TestA", "--- SKIP: TestA (0.00s)\n"), end("skip", "TestA"),
				out("TestB", "--- SKIP: TestB (0.00s)\n"), end("skip", "TestB"), out("", "ok  \tp\t0.1s\n"), end("pass", "")},
			"ok  \tp\t0.1s\n\n2 skipped:\n  p TestA: no disk here: mount: EPERM\n  p TestB: it does not say why\n",
		},
		"a package without tests is not a skipped test": {
			[]event{out("", "?   \tp\t[no test files]\n"), end("skip", "")},
			"?   \tp\t[no test files]\n",
		},
		"a package that does not build": {
			[]event{{Action: "build-output", Output: "p/a.go:1:2: undefined: x\n"}, {Action: "build-fail"}, out("", "FAIL\tp [build failed]\n"), end("fail", "")},
			"p/a.go:1:2: undefined: x\nFAIL\tp [build failed]\n",
		},
		"a test that never ends": {
			[]event{out("TestA", "    a_test.go:1: half\n")},
			"    a_test.go:1: half\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var in strings.Builder
			for _, e := range tt.events {
				line, err := json.Marshal(e)
				require.NoError(t, err)
				in.Write(append(line, '\n'))
			}
			var got strings.Builder
			require.NoError(t, report(strings.NewReader(in.String()), &got))
			require.Equal(t, tt.want, got.String())
		})
	}
}

func TestReportPrintsWhatIsNoEvent(t *testing.T) {
	var got strings.Builder
	require.NoError(t, report(strings.NewReader("go: downloading x\n"), &got))
	require.Equal(t, "go: downloading x\n", got.String())
}

func TestReportTellsThatItCannotRead(t *testing.T) {
	require.ErrorContains(t, report(iotest.ErrReader(errors.New("broken")), io.Discard), "broken")
	require.Error(t, report(strings.NewReader(strings.Repeat("x", maxLine+1)), io.Discard))
}

func TestRunHasTheExitCodeOfGoTest(t *testing.T) {
	code, err := run(t.Context(), []string{"./no/such/package"}, io.Discard)
	require.NoError(t, err)
	require.NotZero(t, code)
	var out strings.Builder
	code, err = run(t.Context(), []string{"-run", "^$", "."}, &out)
	require.NoError(t, err)
	require.Zero(t, code)
	require.Contains(t, out.String(), "ok  \ttwinlun/test/report")
}
