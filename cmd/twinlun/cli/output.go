package cli

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"

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

// print shows a table in the form that the user asked for.
func (a *app) print(t *table) error {
	switch a.output {
	case "table":
		return a.printTable(t)
	case "json":
		enc := json.NewEncoder(a.Out)
		enc.SetIndent("", "  ")
		return enc.Encode(t.data())
	case "yaml":
		return yaml.NewEncoder(a.Out).Encode(t.data())
	}
	return usageError{fmt.Errorf("--output: %q is none of table, json, yaml", a.output)}
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
type size int64

func (s size) String() string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"}
	v, i := float64(s), 0
	for v >= 1024 && i < len(units)-1 {
		v, i = v/1024, i+1
	}
	if v == float64(int64(v)) {
		return fmt.Sprintf("%d %s", int64(v), units[i])
	}
	return fmt.Sprintf("%.1f %s", v, units[i])
}

// text is a cell for people.
func text(v any) string {
	switch x := v.(type) {
	case nil:
		return "-"
	case string:
		if x == "" {
			return "-"
		}
		return x
	case []string:
		if len(x) == 0 {
			return "-"
		}
		return strings.Join(x, ", ")
	}
	return fmt.Sprint(v)
}

// plain is a cell for programs.
func plain(v any) any {
	if s, ok := v.(size); ok {
		return int64(s)
	}
	if e, ok := v.(enumeration); ok {
		return e.name
	}
	return v
}
