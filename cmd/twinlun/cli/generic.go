package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"twinlun/cim"
)

func (a *app) getCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "get CLASS [@NAME | KEY=VALUE...]", Short: "Show an instance of any class", Args: usageArgs(cobra.MinimumNArgs(1)),
		Long: "Show an instance of any class: @NAME is a volume, group, pool, job or replica of that name. Where there is one instance nothing is needed.",
	}
	c.RunE = a.with(func(ctx context.Context, s *session, args []string) error {
		p, err := s.path(ctx, args[0], args[1:])
		if err != nil {
			return err
		}
		in, err := s.Get(ctx, p)
		if err != nil {
			return err
		}
		t := instanceTable([]*cim.Instance{in})
		t.single = true
		return a.print(t)
	})
	return a.remote(c)
}

// instanceTable shows all properties that have a value in any instance.
func instanceTable(all []*cim.Instance) *table {
	t := newTable()
	seen := map[string]bool{}
	for _, in := range all {
		for _, p := range in.Class.Properties {
			if in.At(p.Index) != nil && !in.Hidden(p.Index) && !seen[p.Name] {
				seen[p.Name] = true
				t.header = append(t.header, p.Name)
			}
		}
	}
	for _, in := range all {
		row := make([]any, len(t.header))
		for i, name := range t.header {
			if p := in.Class.Property(name); p != nil && !in.Hidden(p.Index) {
				row[i] = shown(in.At(p.Index))
			}
		}
		t.row(row...)
	}
	return t
}

// shown is a CIM value as output: numbers, booleans, times and lists as they are,
// all else as text.
func shown(v cim.Value) any {
	switch x := v.(type) {
	case nil, bool, string, uint64, int64, float64:
		return x
	case cim.DateTime:
		if x.IsInterval {
			return interval(x.Interval)
		}
		return timestamp(x.Time)
	case []cim.Value:
		list := make([]any, len(x))
		for i, e := range x {
			list[i] = shown(e)
		}
		return list
	case *cim.Instance:
		t := instanceTable([]*cim.Instance{x})
		t.single = true
		return t.data()
	}
	return cim.FormatText(v)
}

func (a *app) invokeCommand() *cobra.Command {
	var keys []string
	c := &cobra.Command{
		Use: "invoke CLASS METHOD [PARAMETER=VALUE...]", Short: "Call any method", Args: usageArgs(cobra.MinimumNArgs(2)),
		Long: "Call any method. Values are typed by the schema: lists are separated by commas, @NAME names a volume, group, pool, job or replica,\nnames of a value map stand for their numbers, and an embedded instance is written {Property=value;...}.\nA backslash takes the meaning from , ; { } and itself.",
	}
	c.Flags().StringArrayVar(&keys, "key", nil, "@NAME or KEY=VALUE of the instance (can be repeated; not needed where there is one)")
	c.RunE = a.with(func(ctx context.Context, s *session, args []string) error {
		p, err := s.path(ctx, args[0], keys)
		if err != nil {
			return err
		}
		return s.invokeTyped(ctx, p, args[1], args[2:])
	})
	return a.remote(c)
}

// invokeTyped calls a method with arguments as text and prints what it returns.
func (s *session) invokeTyped(ctx context.Context, p *cim.Path, method string, words []string) error {
	m := s.schema.Class(p.Class).Method(method)
	if m == nil {
		return notFoundError{"method", p.Class + "." + method}
	}
	in, err := s.methodArgs(ctx, m, words)
	if err != nil {
		return err
	}
	reply, err := s.invoke(ctx, p, m.Name, in...)
	if reply == nil {
		return err
	}
	if printed := s.app.print(replyTable(reply)); err == nil {
		err = printed
	}
	return err
}

func replyTable(reply *cim.Reply) *table {
	t := newTable("ReturnValue")
	t.single = true
	row := []any{shown(reply.Return)}
	for _, out := range reply.Out {
		t.header, row = append(t.header, out.Name), append(row, shown(out.Value))
	}
	t.row(row...)
	return t
}

func (s *session) methodArgs(ctx context.Context, m *cim.Method, words []string) ([]cim.Arg, error) {
	var in []cim.Arg
	for _, w := range words {
		name, value, ok := strings.Cut(w, "=")
		if !ok {
			return nil, usageError{fmt.Errorf("%q is not PARAMETER=VALUE", w)}
		}
		p := m.Param(name)
		if p == nil || !p.In {
			return nil, usageError{fmt.Errorf("%s has no input parameter %q", m.Name, name)}
		}
		v, err := s.value(ctx, declared{p.Type, p.Array, p.RefClass, p.Embedded, p.Qualifiers}, value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.Name, err)
		}
		in = append(in, arg(p.Name, v))
	}
	return in, nil
}

// path makes the path of an instance from @NAME or KEY=VALUE words.
func (s *session) path(ctx context.Context, class string, words []string) (*cim.Path, error) {
	c := s.schema.Class(class)
	if c == nil {
		return nil, notFoundError{"class", class}
	}
	if len(words) == 1 && strings.HasPrefix(words[0], "@") {
		v, err := s.reference(ctx, c.Name, words[0])
		p, _ := v.(*cim.Path)
		return p, err
	}
	p := &cim.Path{Namespace: namespace, Class: c.Name}
	for _, w := range words {
		name, value, ok := strings.Cut(w, "=")
		decl := c.Property(name)
		if !ok || decl == nil || !decl.Key {
			return nil, usageError{fmt.Errorf("%q is not KEY=VALUE with a key of %s", w, c.Name)}
		}
		v, err := s.value(ctx, declared{decl.Type, false, decl.RefClass, "", decl.Qualifiers}, value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", decl.Name, err)
		}
		p.Keys = append(p.Keys, cim.Key{Name: decl.Name, Value: v})
	}
	return p, nil
}
