package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

func (a *app) outputFlag(f *pflag.FlagSet) {
	f.StringVarP(&a.output, "output", "o", "table", "table, json or yaml")
}

// table is a list of records with the same fields.
type table struct {
	header []string
	rows   [][]any
	single bool // show one record, a line for each field
}

func newTable(header ...string) *table { return &table{header: header} }

func (t *table) row(cells ...any) { t.rows = append(t.rows, cells) }

// checkOutput refuses a form of output that there is not, before anything is
// done.
func (a *app) checkOutput() error {
	switch a.output {
	case "table", "json", "yaml":
		return nil
	}
	return usageError{fmt.Errorf("--output: %q is none of table, json, yaml", a.output)}
}

// print shows a table in the form that the user asked for.
func (a *app) print(t *table) error {
	switch a.output {
	case "json":
		enc := json.NewEncoder(a.Out)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		return enc.Encode(t.data())
	case "yaml":
		enc := yaml.NewEncoder(a.Out)
		return errors.Join(enc.Encode(t.data()), enc.Close())
	}
	return a.printTable(t)
}

func (a *app) printTable(t *table) error {
	w := tabwriter.NewWriter(a.Out, 0, 8, 2, ' ', 0)
	if t.single {
		for _, row := range t.rows {
			for i, cell := range row {
				fmt.Fprintf(w, "%s\t%s\n", t.header[i], text(cell))
			}
		}
		return w.Flush()
	}
	fmt.Fprintln(w, strings.Join(t.header, "\t"))
	for _, row := range t.rows {
		for i, cell := range row {
			if i > 0 {
				fmt.Fprint(w, "\t")
			}
			fmt.Fprint(w, text(cell))
		}
		fmt.Fprintln(w)
	}
	return w.Flush()
}

// data is the table as programs read it: a list of records, or one.
func (t *table) data() any {
	records := make([]map[string]any, 0, len(t.rows))
	for _, row := range t.rows {
		rec := make(map[string]any, len(row))
		for i, cell := range row {
			rec[fieldName(t.header[i])] = plain(cell)
		}
		records = append(records, rec)
	}
	if t.single && len(records) == 1 {
		return records[0]
	}
	return records
}

// fieldName is a column's heading as a key; the names of CIM properties stay as
// they are.
func fieldName(heading string) string {
	if heading == strings.ToUpper(heading) {
		return strings.ReplaceAll(strings.ToLower(heading), " ", "_")
	}
	return heading
}

// size is a number of bytes: people read units, programs the number.
type size uint64

// String is the size in the largest unit, a power of 1024, that it has one of.
func (s size) String() string {
	names := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"}
	v, i := float64(s), 0
	for v >= 1024 && i < len(names)-1 {
		v, i = v/1024, i+1
	}
	if v == math.Trunc(v) {
		return fmt.Sprintf("%.0f %s", v, names[i])
	}
	return fmt.Sprintf("%.1f %s", v, names[i])
}

// timestamp is a point in time: people read it in their zone, programs as
// RFC 3339 in UTC.
type timestamp time.Time

func (t timestamp) String() string { return time.Time(t).Local().Format(time.DateTime) }

// interval is a length of time: people read units, programs seconds.
type interval time.Duration

func (d interval) String() string { return time.Duration(d).Round(time.Millisecond).String() }

// text is a cell for people: one line, and "-" for nothing.
func text(v any) string {
	var s string
	switch x := v.(type) {
	case nil:
	case string:
		s = x
	case []string:
		s = strings.Join(x, ", ")
	case []any:
		parts := make([]string, len(x))
		for i, e := range x {
			parts[i] = text(e)
		}
		s = strings.Join(parts, ", ")
	default:
		s = fmt.Sprint(v)
	}
	if s == "" {
		return "-"
	}
	return strings.Map(printable, s)
}

// printable keeps control characters, which may be orders to a terminal, out of
// tables.
func printable(r rune) rune {
	if unicode.IsControl(r) {
		return ' '
	}
	return r
}

// plain is a cell for programs.
func plain(v any) any {
	switch x := v.(type) {
	case size:
		return uint64(x)
	case enumeration:
		return x.name
	case timestamp:
		return time.Time(x).UTC().Format(time.RFC3339)
	case interval:
		return time.Duration(x).Seconds()
	case []any:
		list := make([]any, len(x))
		for i, e := range x {
			list[i] = plain(e)
		}
		return list
	}
	return v
}
