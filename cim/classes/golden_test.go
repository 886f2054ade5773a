package classes

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
)

var update = flag.Bool("update", false, "rewrite testdata")

// TestGolden shows the instances of newFake as clients see them, one class after
// the other: all of the first, and of the others what differs from it.
func TestGolden(t *testing.T) {
	s := newSystem(t)
	var b strings.Builder
	for _, short := range servedClasses {
		all := s.instances("TWINLUN_" + short)
		for i, in := range all {
			fmt.Fprintf(&b, "=== %s %d\n", in.Class.Name, i+1)
			for _, p := range in.Class.Properties {
				v := in.At(p.Index)
				if i > 0 && cim.Equal(v, all[0].At(p.Index)) || v == nil && i == 0 {
					continue
				}
				fmt.Fprintf(&b, "%s = %s\n", p.Name, text(v))
			}
		}
	}
	const file = "testdata/instances.txt"
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(b.String()), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), b.String())
}

// text is a value with its names where that makes it readable.
func text(v cim.Value) string {
	switch x := v.(type) {
	case nil:
		return "NULL"
	case string:
		return fmt.Sprintf("%q", x)
	case *cim.Path:
		return strings.TrimPrefix(x.String(), Namespace+":")
	case []cim.Value:
		var list []string
		for _, e := range x {
			list = append(list, text(e))
		}
		return "{" + strings.Join(list, ", ") + "}"
	}
	return cim.FormatText(v)
}
