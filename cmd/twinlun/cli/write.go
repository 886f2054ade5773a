package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"twinlun/cim"
)

// writing is how values are written, for the help of the commands.
const writing = "Values are written as those of invoke: lists are separated by commas, @NAME names a volume, group, pool, job or replica,\n" +
	"names of a value map stand for their numbers, and an embedded instance is {Property=value;...}."

func (a *app) setCommand() *cobra.Command {
	var null []string
	c := &cobra.Command{
		Use: "set CLASS [@NAME | KEY=VALUE...] -- PROPERTY=VALUE...", Short: "Change properties of an instance of any class", Args: usageArgs(cobra.MinimumNArgs(1)),
		Long: "Change properties of an instance of any class, and show it. Properties that are not named stay as they are.\n" + writing +
			"\nWhere the instance is a @NAME, or there is one, -- can be left out.",
	}
	c.Flags().StringArrayVar(&null, "null", nil, "property to take the value from (can be repeated)")
	c.RunE = a.with(func(ctx context.Context, s *session, args []string) error {
		keys, words, err := splitAtDash(args[1:], c.ArgsLenAtDash()-1)
		if err != nil {
			return err
		}
		p, err := s.path(ctx, args[0], keys)
		if err != nil {
			return err
		}
		changes, err := s.properties(ctx, p.Class, words, null)
		if err != nil {
			return err
		}
		if len(changes) == 0 {
			return usageError{errors.New("there is nothing to set: a PROPERTY=VALUE is needed")}
		}
		in, err := s.Modify(ctx, p, changes)
		if err != nil {
			return err
		}
		t := instanceTable([]*cim.Instance{in})
		t.single = true
		return a.print(t)
	})
	return a.remote(c)
}

// splitAtDash parts the words that name an instance from those that set properties:
// at "--", which stood before word n, or after the @NAME that is the first.
func splitAtDash(words []string, n int) (keys, properties []string, err error) {
	switch {
	case n >= 0:
		return words[:n], words[n:], nil
	case len(words) > 0 && strings.HasPrefix(words[0], "@"):
		return words[:1], words[1:], nil
	case len(words) == 0:
		return nil, nil, nil
	}
	return nil, nil, usageError{errors.New("-- is needed between the keys of the instance and the properties to set")}
}

// properties reads PROPERTY=VALUE words, and the names of properties without a value.
func (s *session) properties(ctx context.Context, class string, words, null []string) ([]cim.PropertyValue, error) {
	c := s.schema.Class(class)
	var list []cim.PropertyValue
	for _, w := range words {
		name, text, ok := strings.Cut(w, "=")
		p := c.Property(name)
		if !ok || p == nil {
			return nil, usageError{fmt.Errorf("%q is not PROPERTY=VALUE with a property of %s", w, c.Name)}
		}
		v, err := s.value(ctx, declared{p.Type, p.Array, p.RefClass, p.Embedded, p.Qualifiers}, text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.Name, err)
		}
		list = append(list, cim.PropertyValue{Name: p.Name, Value: v})
	}
	for _, name := range null {
		p := c.Property(name)
		if p == nil {
			return nil, usageError{fmt.Errorf("%s has no property %q", c.Name, name)}
		}
		list = append(list, cim.PropertyValue{Name: p.Name})
	}
	return list, nil
}

func (a *app) createCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "create CLASS [PROPERTY=VALUE...]", Short: "Make an instance of any class", Args: usageArgs(cobra.MinimumNArgs(1)),
		Long: "Make an instance of any class whose instances can be made so, and show its keys.\n" + writing,
	}
	c.RunE = a.with(func(ctx context.Context, s *session, args []string) error {
		class := s.schema.Class(args[0])
		if class == nil {
			return notFoundError{"class", args[0]}
		}
		given, err := s.properties(ctx, class.Name, args[1:], nil)
		if err != nil {
			return err
		}
		p, err := s.Create(ctx, namespace, class.Name, given)
		if err != nil {
			return err
		}
		t := newTable()
		t.single = true
		var row []any
		for _, k := range p.Keys {
			t.header, row = append(t.header, k.Name), append(row, shown(k.Value))
		}
		t.row(row...)
		return a.print(t)
	})
	return a.remote(c)
}

func (a *app) deleteCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "delete CLASS @NAME | KEY=VALUE...", Short: "Delete an instance of any class", Args: usageArgs(cobra.MinimumNArgs(2)),
		Long: "Delete an instance of any class whose instances can be deleted so. Volumes, replicas and groups have commands of their own for it.",
	}
	c.RunE = a.with(func(ctx context.Context, s *session, args []string) error {
		p, err := s.path(ctx, args[0], args[1:])
		if err != nil {
			return err
		}
		return s.Delete(ctx, p)
	})
	return a.remote(c)
}
