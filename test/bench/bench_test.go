package main

import (
	"bufio"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestQuantile(t *testing.T) {
	values := []float64{5, 1, 3, 2, 4}
	require.Equal(t, 3.0, median(values))
	require.Equal(t, []float64{5, 1, 3, 2, 4}, values, "a median changes nothing")
	require.Equal(t, 1.0, quantile(values, 0))
	require.Equal(t, 5.0, quantile(values, 1))
	require.Equal(t, 5.0, quantile([]float64{1, 5, 2}, 0.99))
	require.True(t, math.IsNaN(quantile(nil, 0.5)))
}

func TestRatiosAreRoundByRound(t *testing.T) {
	require.Equal(t, []float64{2, 0.5}, ratios([]float64{4, 1}, []float64{2, 2, 9}))
}

func TestTakeTurns(t *testing.T) {
	var order []string
	turn := func(name string) func() (string, error) {
		return func() (string, error) { order = append(order, name); return name, nil }
	}
	results, err := takeTurns(2, turn("a"), turn("b"))
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b", "b", "a"}, order)
	require.Equal(t, [][]string{{"a", "a"}, {"b", "b"}}, results)
}

func TestNumbers(t *testing.T) {
	for v, want := range map[float64]string{12345.6: "12346", 42.42: "42.4", 1.234: "1.23", math.Inf(1): "-"} {
		require.Equal(t, want, number(v))
	}
	require.Equal(t, "2.00x", times(2, 2))
	require.Equal(t, "1.99x SHORT", times(1.99, 2))
	require.Equal(t, "9.99", under(9.99, 10))
	require.Equal(t, "10.0 SHORT", under(10, 10))
	require.Equal(t, "- SHORT", under(math.NaN(), 10), "what was not measured misses its goal")
}

func TestTimeOfTheWholeRun(t *testing.T) {
	require.Equal(t, "4m59s", (&lab{quick: true}).inTime(299*time.Second))
	require.Equal(t, "5m0s SHORT", (&lab{quick: true}).inTime(300*time.Second))
	require.Equal(t, "5m0s", (&lab{}).inTime(300*time.Second))
}

func TestWithoutRoomThereIsLessData(t *testing.T) {
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	require.NoError(t, err)
	defer out.Close()
	require.Equal(t, int64(80*mib), (&lab{disk: "/nowhere", out: out}).dataOnDisk())
	text, err := os.ReadFile(out.Name())
	require.NoError(t, err)
	require.Contains(t, string(text), "skipped: a volume with 10240 MiB of data")
}

func TestChoose(t *testing.T) {
	all, err := choose(parts(), nil)
	require.NoError(t, err)
	require.Len(t, all, len(parts()))
	two, err := choose(parts(), []string{"wsman", "clone"})
	require.NoError(t, err)
	require.Equal(t, "wsman", two[0].name)
	require.Len(t, two, 2)
	_, err = choose(parts(), []string{"tea"})
	require.ErrorContains(t, err, "tea")
}

func TestCompleted(t *testing.T) {
	took, err := completed("Sending 10 read requests\nRun completed in 1.250 seconds.\n")
	require.NoError(t, err)
	require.Equal(t, 1250*time.Millisecond, took)
	for _, output := range []string{"", "Run completed in", "Run completed in x seconds."} {
		_, err := completed(output)
		require.Error(t, err, output)
	}
}

func TestAnswerHead(t *testing.T) {
	read := func(text string) (int, int, error) {
		w := &wire{rd: bufio.NewReader(strings.NewReader(text))}
		return w.head()
	}
	status, length, err := read("HTTP/1.1 500 Internal Server Error\r\ncontent-length: 12\r\nX: y\r\n\r\n")
	require.NoError(t, err)
	require.Equal(t, []int{500, 12}, []int{status, length})
	for _, bad := range []string{"", "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "HTTP/1.1 abc OK\r\n"} {
		_, _, err := read(bad)
		require.Error(t, err, bad)
	}
}

func TestContextOf(t *testing.T) {
	id, err := contextOf([]byte(`<n:EnumerationContext>uuid:1</n:EnumerationContext>`))
	require.NoError(t, err)
	require.Equal(t, "uuid:1", id)
	for _, bad := range []string{"", "<n:EnumerationContext/>", "<n:EnumerationContext></n:EnumerationContext>"} {
		_, err := contextOf([]byte(bad))
		require.Error(t, err, bad)
	}
}
