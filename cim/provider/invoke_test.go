package provider_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
)

func paint(args ...cim.Arg) *cim.Call {
	return &cim.Call{Path: thing("T_Box", "b1"), Method: "paint", In: args, Timeout: time.Second}
}

func TestInvokePassesCall(t *testing.T) {
	w := newWorld(t)
	plan := cim.NewInstance(w.schema.Class("T_Plan"))
	twin := thing("T_Ball", "o1")
	c := paint(
		cim.Arg{Name: "COLOUR", Value: "red"}, cim.Arg{Name: "Coats", Value: 2}, cim.Arg{Name: "twin", Value: twin},
		cim.Arg{Name: "Plan", Value: plan}, cim.Arg{Name: "Tags", Value: "one"}, cim.Arg{Name: "Was", Value: nil})
	c.Path = &cim.Path{Namespace: "ROOT/TEST", Class: "T_Thing", Keys: []cim.Key{key("name", "b1")}}
	_, err := w.Invoke(as(cim.RoleAdmin), c)
	require.NoError(t, err)
	require.Equal(t, []*cim.Call{{
		Path: thing("T_Box", "b1"), Method: "Paint", Timeout: time.Second,
		In: cim.Args{
			{Name: "Colour", Value: "red"}, {Name: "Coats", Value: uint64(2)}, {Name: "Twin", Value: twin},
			{Name: "Plan", Value: plan}, {Name: "Tags", Value: []cim.Value{"one"}}, {Name: "Was", Value: nil},
		},
	}}, w.boxes.calls)
}

func TestInvokeRefuses(t *testing.T) {
	box := &cim.Path{Namespace: ns, Class: "T_Box"}
	for name, c := range map[string]struct {
		call *cim.Call
		want cim.Status
	}{
		"no path":              {&cim.Call{Method: "Paint"}, cim.StatusInvalidParameter},
		"unknown method":       {&cim.Call{Path: thing("T_Box", "b1"), Method: "Burn"}, cim.StatusMethodNotFound},
		"unknown class":        {&cim.Call{Path: thing("T_None", "b1"), Method: "Paint"}, cim.StatusInvalidClass},
		"unknown instance":     {&cim.Call{Path: thing("T_Box", "x"), Method: "Paint"}, cim.StatusNotFound},
		"several instances":    {&cim.Call{Path: box, Method: "Paint"}, cim.StatusInvalidParameter},
		"no invoker":           {&cim.Call{Path: thing("T_Ball", "o1"), Method: "Paint"}, cim.StatusMethodNotAvailable},
		"unknown parameter":    {paint(cim.Arg{Name: "Color", Value: "red"}), cim.StatusInvalidParameter},
		"output only":          {paint(cim.Arg{Name: "Was", Value: "red"}), cim.StatusInvalidParameter},
		"given twice":          {paint(cim.Arg{Name: "Colour", Value: "red"}, cim.Arg{Name: "colour", Value: "red"}), cim.StatusInvalidParameter},
		"wrong type":           {paint(cim.Arg{Name: "Coats", Value: "two"}), cim.StatusInvalidParameter},
		"out of range":         {paint(cim.Arg{Name: "Coats", Value: 1 << 16}), cim.StatusInvalidParameter},
		"array for a scalar":   {paint(cim.Arg{Name: "Colour", Value: []cim.Value{"a", "b"}}), cim.StatusInvalidParameter},
		"text for an instance": {paint(cim.Arg{Name: "Plan", Value: "text"}), cim.StatusInvalidParameter},
		"text for a reference": {paint(cim.Arg{Name: "Twin", Value: "b2"}), cim.StatusInvalidParameter},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			_, err := w.Invoke(as(cim.RoleAdmin), c.call)
			require.Error(t, err)
			require.Equal(t, c.want, cim.StatusOf(err), "%v", err)
			require.Empty(t, w.boxes.calls)
		})
	}
}

func TestInvokeStatic(t *testing.T) {
	w := newWorld(t)
	w.boxes.reply = &cim.Reply{Return: 0, Out: cim.Args{{Name: "Number", Value: 2}}}
	for _, p := range []*cim.Path{{Namespace: ns, Class: "T_Box"}, thing("T_Box", "b2")} {
		r, err := w.Invoke(as(cim.RoleMonitor), &cim.Call{Path: p, Method: "Count"})
		require.NoError(t, err)
		require.Equal(t, uint64(2), r.Out.Get("Number"))
	}
	require.Empty(t, w.boxes.calls[0].Path.Keys)
	require.Equal(t, thing("T_Box", "b2"), w.boxes.calls[1].Path)
}

func TestInvokeRoles(t *testing.T) {
	for _, c := range []struct {
		ctx    context.Context
		method string
		ok     bool
	}{
		{as(cim.RoleAdmin), "Paint", true},
		{as(cim.RoleOperator), "Paint", false},
		{as(cim.RoleMonitor), "Paint", false},
		{context.Background(), "Paint", false},
		{as(cim.RoleMonitor), "Count", true},
		{as(0), "Count", false},
		{context.Background(), "Count", false},
	} {
		w := newWorld(t)
		_, err := w.Invoke(c.ctx, &cim.Call{Path: thing("T_Box", "b1"), Method: c.method})
		if c.ok {
			require.NoError(t, err)
			continue
		}
		require.Equal(t, cim.StatusAccessDenied, cim.StatusOf(err))
		require.Empty(t, w.boxes.calls)
	}
}

// A provider that says nothing of roles wants an operator.
func TestInvokeNeedsOperatorByDefault(t *testing.T) {
	w := newWorld(t)
	ball := thing("T_Ball", "o1")
	_, err := w.Invoke(as(cim.RoleMonitor), &cim.Call{Path: ball, Method: "Paint"})
	require.Equal(t, cim.StatusAccessDenied, cim.StatusOf(err))
	_, err = w.Invoke(as(cim.RoleOperator), &cim.Call{Path: ball, Method: "Paint"})
	require.Equal(t, cim.StatusMethodNotAvailable, cim.StatusOf(err))
}

func TestInvokeChecksReply(t *testing.T) {
	for name, c := range map[string]struct {
		reply *cim.Reply
		want  *cim.Reply // nil: an internal error
	}{
		"coerced": {
			&cim.Reply{Return: 1, Reason: "no", Out: cim.Args{{Name: "was", Value: "blue"}, {Name: "Twin", Value: thing("T_Box", "b2")}}},
			&cim.Reply{Return: uint64(1), Reason: "no", Out: cim.Args{{Name: "Was", Value: "blue"}, {Name: "Twin", Value: thing("T_Box", "b2")}}},
		},
		"NULL left out":  {&cim.Reply{Return: 0, Out: cim.Args{{Name: "Was", Value: nil}}}, &cim.Reply{Return: uint64(0), Out: cim.Args{}}},
		"no reply":       {nil, nil},
		"wrong return":   {&cim.Reply{Return: "done"}, nil},
		"unknown output": {&cim.Reply{Return: 0, Out: cim.Args{{Name: "Colors", Value: 1}}}, nil},
		"input as output": {
			&cim.Reply{Return: 0, Out: cim.Args{{Name: "Colour", Value: "red"}}}, nil,
		},
		"output of the wrong type": {&cim.Reply{Return: 0, Out: cim.Args{{Name: "Was", Value: 3}}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.boxes.reply = c.reply
			got, err := w.Invoke(as(cim.RoleAdmin), paint())
			if c.want == nil {
				require.Equal(t, "internal error", err.Error())
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
}
