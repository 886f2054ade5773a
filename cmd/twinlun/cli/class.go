package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"twinlun/cim"
)

func (a *app) classCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "class CLASS", Short: "Show what a class declares", Args: usageArgs(cobra.ExactArgs(1)),
		Long: "Show what a class declares, as the server tells it.",
	}
	c.RunE = a.with(func(ctx context.Context, s *session, args []string) error {
		class, err := s.GetClass(ctx, namespace, args[0])
		if err != nil {
			return err
		}
		if a.output != "table" {
			return a.print(classTable(class))
		}
		printClass(a.Out, class)
		return nil
	})
	return a.remote(c)
}

// printClass writes a class in the manner of MOF.
func printClass(w io.Writer, c *cim.Class) {
	super := ""
	if c.Super != nil {
		super = " : " + c.Super.Name
	}
	fmt.Fprintf(w, "class %s%s {\n", c.Name, super)
	for _, p := range c.Properties {
		key := "      "
		if p.Key {
			key = "[key] "
		}
		fmt.Fprintf(w, "  %s%s\n", key, declaration(p.Type, p.RefClass, p.Name, p.Array))
	}
	for _, m := range c.Methods {
		fmt.Fprintf(w, "\n  %s %s(\n", m.Return, m.Name)
		for _, p := range m.Params {
			fmt.Fprintf(w, "    %-9s %s\n", direction(p), declaration(p.Type, p.RefClass, p.Name, p.Array))
		}
		fmt.Fprintln(w, "  )")
	}
	fmt.Fprintln(w, "}")
}

func declaration(t cim.Type, ref, name string, array bool) string {
	typ := t.String()
	if t == cim.Reference {
		typ = ref + " REF"
	}
	if array {
		name += "[]"
	}
	return typ + " " + name
}

func direction(p *cim.Parameter) string {
	switch {
	case p.In && p.Out:
		return "[in, out]"
	case p.Out:
		return "[out]"
	}
	return "[in]"
}

// classTable lists the properties for programs.
func classTable(c *cim.Class) *table {
	t := newTable("NAME", "DECLARATION", "KEY")
	for _, p := range c.Properties {
		t.row(p.Name, declaration(p.Type, p.RefClass, p.Name, p.Array), p.Key)
	}
	for _, m := range c.Methods {
		t.row(m.Name, m.Return.String()+" method", false)
	}
	return t
}
