package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"twinlun/cim"
	"twinlun/wsman/client"
)

func (a *app) watchCommand() *cobra.Command {
	var query, language, class string
	c := &cobra.Command{
		Use: "watch", Short: "Show what happens, until interrupted", Args: usageArgs(cobra.NoArgs),
		Long: "Show what happens to volumes, replicas, groups and jobs, and alerts, until interrupted. It subscribes to indications:\n" +
			"to all, to those of a class and its subclasses (--class CIM_AlertIndication), or to what a query selects\n" +
			"(--query \"SELECT * FROM CIM_InstModification WHERE SourceInstance ISA CIM_ConcreteJob\").",
	}
	c.Flags().StringVar(&query, "query", "", "query that selects indications")
	c.Flags().StringVar(&language, "language", "wql", "language of the query: wql or cql")
	c.Flags().StringVar(&class, "class", "", "class of the indications (default CIM_Indication)")
	c.RunE = a.with(func(ctx context.Context, s *session, _ []string) error {
		q, err := watchQuery(s.schema, query, language, class)
		if err != nil {
			return err
		}
		return s.watch(ctx, q)
	})
	return a.remote(c)
}

// watchQuery is the query that the flags stand for.
func watchQuery(schema *cim.Schema, query, language, class string) (cim.Query, error) {
	q := cim.Query{Language: cim.LanguageWQL, Text: query}
	switch strings.ToLower(language) {
	case "wql":
	case "cql":
		q.Language = cim.LanguageCQL
	default:
		return q, usageError{fmt.Errorf("--language: %q is neither wql nor cql", language)}
	}
	switch {
	case query != "" && class != "":
		return q, usageError{errors.New("--query and --class exclude each other")}
	case query != "":
		return q, nil
	}
	c := schema.Class(firstOf(class, "CIM_Indication"))
	switch {
	case c == nil:
		return q, notFoundError{"class", class}
	case !c.Indication:
		return q, usageError{fmt.Errorf("--class: %s is not a class of indications", c.Name)}
	}
	q.Text = "SELECT * FROM " + c.Name
	return q, nil
}

// watch shows indications until the user interrupts, which is how it is meant to end.
func (s *session) watch(ctx context.Context, q cim.Query) error {
	v := viewer{app: s.app}
	err := s.Watch(ctx, namespace, q, client.SubscribeOptions{}, v.show)
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return nil
	}
	return err
}

// viewer prints events as they come.
type viewer struct {
	app   *app
	begun bool
}

// eventColumns is a line of the table: time, kind, object, what has changed.
const eventColumns = "%-19s  %-8s  %-40s  %s\n"

func (v *viewer) show(ev *client.Events) error {
	switch {
	case ev.Lost < 0:
		fmt.Fprintln(v.app.Err, "twinlun: warning: some events may be missing here")
	case ev.Lost > 0:
		fmt.Fprintf(v.app.Err, "twinlun: warning: %d events are missing here\n", ev.Lost)
	}
	for _, in := range ev.Instances {
		if err := v.one(in); err != nil {
			return err
		}
	}
	return nil
}

func (v *viewer) one(in *cim.Instance) error {
	defer func() { v.begun = true }()
	if v.app.output != "table" {
		if v.app.output == "yaml" && v.begun {
			fmt.Fprintln(v.app.Out, "---")
		}
		t := instanceTable([]*cim.Instance{in})
		t.single = true
		t.header = append([]string{"Class"}, t.header...)
		t.rows[0] = append([]any{in.Class.Name}, t.rows[0]...)
		return v.app.print(t)
	}
	if !v.begun {
		fmt.Fprintf(v.app.Out, eventColumns, "TIME", "KIND", "OBJECT", "CHANGED")
	}
	_, err := fmt.Fprintf(v.app.Out, eventColumns, text(when(in, "IndicationTime")), eventKind(in), text(eventObject(in)), text(eventChange(in)))
	return err
}

// eventKind is what happened, in a word.
func eventKind(in *cim.Instance) string {
	for _, k := range []struct{ class, kind string }{
		{"CIM_InstCreation", "created"}, {"CIM_InstModification", "changed"}, {"CIM_InstDeletion", "deleted"}, {"CIM_AlertIndication", "alert"},
	} {
		if in.Class.IsA(k.class) {
			return k.kind
		}
	}
	return in.Class.Name
}

// eventObject is what it happened to.
func eventObject(in *cim.Instance) string {
	source, _ := in.Get("SourceInstance").(*cim.Instance)
	if source == nil {
		return shortPath(firstOf(str(in, "AlertingManagedElement"), str(in, "SourceInstanceModelPath")))
	}
	_, class, _ := strings.Cut(source.Class.Name, "_")
	for _, name := range []string{"ElementName", "RelationshipName", "Name", "InstanceID"} {
		if v := str(source, name); v != "" {
			return class + " " + v
		}
	}
	return shortPath(str(in, "SourceInstanceModelPath"))
}

// shortPath is an object path as people want it in a table: a long one, which is that
// of an association, is only the name of its class.
func shortPath(path string) string {
	if len(path) <= 60 {
		return path
	}
	_, path, _ = strings.Cut(path, ":")
	class, _, _ := strings.Cut(path, ".")
	_, class, _ = strings.Cut(class, "_")
	return class
}

// eventChange is what is different: of an alert its text, of a change the properties.
func eventChange(in *cim.Instance) string {
	source, _ := in.Get("SourceInstance").(*cim.Instance)
	before, _ := in.Get("PreviousInstance").(*cim.Instance)
	if source == nil || before == nil {
		return firstOf(str(in, "Message"), str(in, "Description"))
	}
	var parts []string
	for _, name := range changedNames(in, source, before) {
		parts = append(parts, fmt.Sprintf("%s: %s -> %s", name, text(readable(before, name)), text(readable(source, name))))
	}
	return strings.Join(parts, ", ")
}

// changedNames are the properties that have changed: as the indication says, else as
// the instances show.
func changedNames(in, source, before *cim.Instance) []string {
	if list, ok := in.Get("ChangedPropertyNames").([]cim.Value); ok {
		var names []string
		for _, v := range list {
			if name, ok := v.(string); ok && source.Class.Property(name) != nil {
				names = append(names, name)
			}
		}
		return names
	}
	var names []string
	for _, p := range source.Class.Properties {
		if !cim.Equal(before.Get(p.Name), source.Get(p.Name)) {
			names = append(names, p.Name)
		}
	}
	return slices.Clip(names)
}

// readable is a property with the names that the schema gives its numbers.
func readable(in *cim.Instance, property string) any {
	p := in.Class.Property(property)
	if p == nil {
		return nil
	}
	if _, ok := p.Qualifiers.Get("ValueMap"); !ok {
		return shown(in.Get(property))
	}
	list, ok := in.Get(property).([]cim.Value)
	if !ok {
		return named(in, property)
	}
	var all []any
	for _, v := range list {
		n, _ := v.(uint64)
		all = append(all, firstOf(valueName(p.Qualifiers, n), fmt.Sprint(n)))
	}
	return all
}
