package provider

import (
	"context"
	"fmt"

	"twinlun/cim"
)

// Invoke calls a method of an instance, or a static one of a class. Arguments
// are checked against the declaration: unknown names, output-only parameters and
// values of the wrong type are StatusInvalidParameter and nothing is called. So
// is the reply. Without the role that the method needs it is StatusAccessDenied.
func (b *Broker) Invoke(ctx context.Context, c *cim.Call) (*cim.Reply, error) {
	if c.Path == nil {
		return nil, cim.Errorf(cim.StatusInvalidParameter, "an object path is needed")
	}
	class, err := b.Class(c.Path.Namespace, c.Path.Class)
	if err != nil {
		return nil, err
	}
	method := class.Method(c.Method)
	if method == nil {
		return nil, cim.Errorf(cim.StatusMethodNotFound, "class %s has no method %q", class.Name, c.Method)
	}
	in, err := checkArgs(method, c.In)
	if err != nil {
		return nil, err
	}
	e, path, err := b.target(ctx, c.Path, class, method)
	if err != nil {
		return nil, err
	}
	if err := e.authorize(ctx, method.Name); err != nil {
		return nil, err
	}
	return e.invoke(ctx, method, &cim.Call{Path: path, Method: method.Name, In: in, Timeout: c.Timeout})
}

// target finds who carries out a method, and the full path of the instance. A
// static method without keys goes to the first provider of the class.
func (b *Broker) target(ctx context.Context, p *cim.Path, class *cim.Class, m *cim.Method) (*entry, *cim.Path, error) {
	if m.Static && len(p.Keys) == 0 {
		if served := b.served(p.Namespace, class); len(served) > 0 {
			return served[0], &cim.Path{Namespace: cim.CanonicalNamespace(p.Namespace), Class: served[0].class.Name}, nil
		}
	}
	e, in, err := b.find(ctx, p)
	if err != nil {
		return nil, nil, err
	}
	return e, in.Path, nil
}

func (e *entry) authorize(ctx context.Context, method string) error {
	need := cim.RoleOperator
	if p, ok := e.provider.(Privileged); ok {
		need = p.MethodRole(method)
	}
	who, ok := cim.PrincipalFrom(ctx)
	if !ok || who.Role < need {
		return cim.Errorf(cim.StatusAccessDenied, "%s of %s needs the role %s", method, e.class.Name, need)
	}
	return nil
}

func (e *entry) invoke(ctx context.Context, m *cim.Method, c *cim.Call) (*cim.Reply, error) {
	inv, ok := e.provider.(Invoker)
	if !ok {
		return nil, cim.Errorf(cim.StatusMethodNotAvailable, "%s of %s is not available", m.Name, e.class.Name)
	}
	reply, err := inv.Invoke(ctx, c)
	if err != nil {
		return nil, known(err)
	}
	if reply == nil {
		return nil, cim.Internal(fmt.Errorf("%s of %s returned nothing", m.Name, e.class.Name))
	}
	return checkReply(m, reply)
}

// checkArgs gives the input arguments their declared names and types.
func checkArgs(m *cim.Method, args cim.Args) (cim.Args, error) {
	checked := make(cim.Args, 0, len(args))
	seen := map[string]bool{}
	for _, a := range args {
		p := m.Param(a.Name)
		switch {
		case p == nil:
			return nil, cim.Errorf(cim.StatusInvalidParameter, "%s has no parameter %q", m.Name, a.Name)
		case !p.In && a.Value != nil:
			return nil, cim.Errorf(cim.StatusInvalidParameter, "parameter %s of %s is output only", p.Name, m.Name)
		case seen[p.Name]:
			return nil, cim.Errorf(cim.StatusInvalidParameter, "parameter %s of %s is given twice", p.Name, m.Name)
		}
		seen[p.Name] = true
		v, err := cim.Coerce(a.Value, p.Type, p.Array, p.Embedded != "")
		if err != nil {
			return nil, cim.Errorf(cim.StatusInvalidParameter, "parameter %s of %s: %w", p.Name, m.Name, err)
		}
		checked = append(checked, cim.Arg{Name: p.Name, Value: v})
	}
	return checked, nil
}

// checkReply makes sure that what a provider returns is what is declared. NULL
// is left out.
func checkReply(m *cim.Method, r *cim.Reply) (*cim.Reply, error) {
	ret, err := cim.Coerce(r.Return, m.Return, false, false)
	if err != nil {
		return nil, cim.Internal(err)
	}
	out := make(cim.Args, 0, len(r.Out))
	for _, a := range r.Out {
		p := m.Param(a.Name)
		if p == nil || !p.Out {
			return nil, cim.Internal(fmt.Errorf("%s returned %q, which is not an output parameter", m.Name, a.Name))
		}
		v, err := cim.Coerce(a.Value, p.Type, p.Array, p.Embedded != "")
		if err != nil {
			return nil, cim.Internal(err)
		}
		if v != nil {
			out = append(out, cim.Arg{Name: p.Name, Value: v})
		}
	}
	return &cim.Reply{Return: ret, Out: out, Reason: r.Reason}, nil
}
