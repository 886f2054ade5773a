package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"twinlun/cim"
)

// selection is which instances enumerate shows, and what of them.
type selection struct {
	query, language string
	properties      []string
	shallow         bool
}

func (a *app) enumerateCommand() *cobra.Command {
	var sel selection
	c := &cobra.Command{
		Use: "enumerate CLASS | enumerate --query QUERY", Short: "Show all instances of any class", Args: usageArgs(cobra.MaximumNArgs(1)),
		Long: "Show all instances of any class, or those that a query selects:\ntwinlun enumerate --query \"select DeviceID from CIM_StorageVolume where BlockSize = 512\"",
	}
	c.Flags().StringVar(&sel.query, "query", "", "a select statement in place of the class")
	c.Flags().StringVar(&sel.language, "language", "wql", "language of the query: wql or cql")
	c.Flags().StringSliceVar(&sel.properties, "properties", nil, "show these properties only, separated by commas")
	c.Flags().BoolVar(&sel.shallow, "shallow", false, "leave out instances of subclasses")
	c.RunE = a.with(func(ctx context.Context, s *session, args []string) error {
		all, err := s.selected(ctx, args, sel)
		if err != nil {
			return err
		}
		if a.output != "table" {
			return a.print(instanceTable(all))
		}
		for i, in := range all {
			if i > 0 {
				fmt.Fprintln(a.Out)
			}
			t := instanceTable([]*cim.Instance{in})
			t.single = true
			if err := a.print(t); err != nil {
				return err
			}
		}
		return nil
	})
	return a.remote(c)
}

// selected lists the instances of a selection.
func (s *session) selected(ctx context.Context, args []string, sel selection) ([]*cim.Instance, error) {
	q, err := sel.statement(s.schema, args)
	if err != nil {
		return nil, err
	}
	var all []*cim.Instance
	collect := func(in *cim.Instance) error {
		all = append(all, in)
		return nil
	}
	o := cim.EnumerateOptions{Shallow: sel.shallow}
	if q.Text == "" {
		err = s.EnumerateWith(ctx, namespace, args[0], o, collect)
		return all, err
	}
	err = s.Query(ctx, namespace, q, o, collect)
	return all, err
}

// statement is the query that a selection makes; none where it wants instances of a
// class as they are.
func (sel selection) statement(schema *cim.Schema, args []string) (q cim.Query, err error) {
	languages := map[string]string{"wql": cim.LanguageWQL, "cql": cim.LanguageCQL}
	q = cim.Query{Language: languages[strings.ToLower(sel.language)], Text: sel.query}
	switch {
	case q.Language == "":
		return q, usageError{fmt.Errorf("--language: %q is none of wql, cql", sel.language)}
	case (len(args) == 1) == (q.Text != ""):
		return q, usageError{errors.New("either a class or --query is needed")}
	case q.Text != "" && len(sel.properties) > 0:
		return q, usageError{errors.New("--properties: the query says what is shown")}
	case len(sel.properties) == 0:
		return q, nil
	}
	class := schema.Class(args[0])
	if class == nil {
		return q, notFoundError{"class", args[0]}
	}
	for _, name := range sel.properties {
		if class.Property(name) == nil {
			return q, usageError{fmt.Errorf("--properties: %s has no property %q", class.Name, name)}
		}
	}
	return cim.Query{Language: cim.LanguageWQL, Text: "select " + strings.Join(sel.properties, ", ") + " from " + class.Name}, nil
}
