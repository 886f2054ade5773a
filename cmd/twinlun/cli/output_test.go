package cli

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
)

// sample has a cell of every kind.
func sample() *table {
	t := newTable("NAME", "SIZE", "STATE", "WHEN", "TOOK", "MEMBERS", "CamelCase", "TWO WORDS")
	at := time.Date(2026, 11, 1, 12, 30, 0, 0, time.FixedZone("", 3600))
	t.row("a", size(1536), enumeration{4, "Synchronized"}, timestamp(at), interval(1500*time.Millisecond), []string{"x", "y"}, []any{uint64(1), timestamp(at)}, true)
	t.row("b\n\x1b[31m", nil, nil, nil, nil, []string{}, []any{}, nil)
	return t
}

func TestOutput(t *testing.T) {
	for form, want := range map[string]string{
		"table": `NAME     SIZE     STATE         WHEN                 TOOK  MEMBERS  CamelCase               TWO WORDS
a        1.5 KiB  Synchronized  2026-11-01 11:30:00  1.5s  x, y     1, 2026-11-01 11:30:00  true
b  [31m  -        -             -                    -     -        -                       -
`,
		"json": `[
  {
    "CamelCase": [
      1,
      "2026-11-01T11:30:00Z"
    ],
    "members": [
      "x",
      "y"
    ],
    "name": "a",
    "size": 1536,
    "state": "Synchronized",
    "took": 1.5,
    "two_words": true,
    "when": "2026-11-01T11:30:00Z"
  },
  {
    "CamelCase": [],
    "members": [],
    "name": "b\n\u001b[31m",
    "size": null,
    "state": null,
    "took": null,
    "two_words": null,
    "when": null
  }
]
`,
		"yaml": `- CamelCase:
    - 1
    - "2026-11-01T11:30:00Z"
  members:
    - x
    - "y"
  name: a
  size: 1536
  state: Synchronized
  took: 1.5
  two_words: true
  when: "2026-11-01T11:30:00Z"
- CamelCase: []
  members: []
  name: "b\n\e[31m"
  size: null
  state: null
  took: null
  two_words: null
  when: null
`,
	} {
		var out buffer
		a := &app{Streams: Streams{Out: &out}, output: form}
		require.NoError(t, a.checkOutput())
		require.NoError(t, a.print(sample()))
		require.Equal(t, want, out.String(), form)
	}
	require.Error(t, (&app{output: "xml"}).checkOutput())
}

func TestOutputOfOne(t *testing.T) {
	one := newTable("NAME", "A LONG ONE")
	one.row("a", size(5<<30))
	one.single = true
	for form, want := range map[string]string{
		"table": "NAME        a\nA LONG ONE  5 GiB\n",
		"json":  "{\n  \"a_long_one\": 5368709120,\n  \"name\": \"a\"\n}\n",
		"yaml":  "a_long_one: 5368709120\nname: a\n",
	} {
		var out buffer
		require.NoError(t, (&app{Streams: Streams{Out: &out}, output: form}).print(one))
		require.Equal(t, want, out.String())
	}
}

func TestSizeText(t *testing.T) {
	for n, want := range map[size]string{
		0: "0 B", 1023: "1023 B", 1024: "1 KiB", 1536: "1.5 KiB", 10 << 30: "10 GiB", 1 << 60: "1024 PiB", 1<<64 - 1: "16384 PiB",
	} {
		require.Equal(t, want, n.String())
	}
}

func TestShown(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	settings := cim.NewInstance(classOf(t, "CIM_ReplicationSettingData"))
	require.NoError(t, settings.Set("CopyPriority", 3))
	for _, c := range []struct {
		in   cim.Value
		want any
	}{
		{nil, nil}, {uint64(5), uint64(5)}, {int64(-5), int64(-5)}, {true, true}, {"x", "x"}, {1.5, 1.5},
		{cim.DateTime{Time: at}, timestamp(at)},
		{cim.DateTime{Interval: time.Second, IsInterval: true}, interval(time.Second)},
		{[]cim.Value{uint64(1), "x"}, []any{uint64(1), "x"}},
		{&cim.Path{Namespace: "n", Class: "C"}, "n:C"},
	} {
		require.Equal(t, c.want, shown(c.in))
	}
	inner, _ := shown(settings).(map[string]any)
	require.Equal(t, uint64(3), inner["CopyPriority"])
	require.NotContains(t, inner, "ElementName", "what is NULL is not shown")
}
