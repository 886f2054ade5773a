package client

import (
	"context"

	"twinlun/cim"
	"twinlun/wsman"
	"twinlun/wsman/soap"
	"twinlun/wsman/wscim"
)

// Invoke calls a method. The path may name a base class, and needs no keys where
// one instance exists. Arguments are coerced to the method's declaration; wrong
// ones are refused here with a *cim.Error. A method that runs and fails is a Reply
// with its return value and, from a Twinlun server, the reason in words.
func (c *Client) Invoke(ctx context.Context, call *cim.Call) (*cim.Reply, error) {
	ns := c.namespace(call.Path.Namespace)
	m, err := c.method(ctx, ns, call)
	if err != nil {
		return nil, err
	}
	in, err := coerceArgs(m, call.In)
	if err != nil {
		return nil, err
	}
	h := c.header("", call.Path)
	h.Action = h.ResourceURI + "/" + m.Name
	if call.Timeout > 0 {
		h.Timeout = call.Timeout
	}
	answer, err := c.call(ctx, h, func(w *soap.Writer) { wscim.WriteInput(w, h.ResourceURI, m, in) })
	if err != nil {
		return nil, err
	}
	if answer.Body == nil || answer.Body.Tag != m.Name+"_OUTPUT" {
		return nil, wsman.SchemaValidationError("the server did not answer the call of %s", m.Name)
	}
	reply, err := wscim.DecodeOutput(answer.Body, m, c.env(ctx, ns))
	if err != nil {
		return nil, err
	}
	reply.Reason = wscim.ReadReason(answer)
	return reply, nil
}

func (c *Client) method(ctx context.Context, ns string, call *cim.Call) (*cim.Method, error) {
	class := c.class(ctx, ns, call.Path.Class)
	if class == nil {
		return nil, cim.Errorf(cim.StatusInvalidClass, "there is no class %s", call.Path.Class)
	}
	m := class.Method(call.Method)
	if m == nil {
		return nil, cim.Errorf(cim.StatusMethodNotFound, "class %s has no method %s", class.Name, call.Method)
	}
	return m, nil
}

func coerceArgs(m *cim.Method, in cim.Args) (cim.Args, error) {
	out := make(cim.Args, 0, len(in))
	for _, a := range in {
		p := m.Param(a.Name)
		if p == nil || !p.In {
			return nil, cim.Errorf(cim.StatusInvalidParameter, "method %s takes no %s", m.Name, a.Name)
		}
		v, err := cim.Coerce(a.Value, p.Type, p.Array, p.Embedded != "")
		if err != nil {
			return nil, cim.Errorf(cim.StatusInvalidParameter, "parameter %s of %s: %w", p.Name, m.Name, err)
		}
		out = append(out, cim.Arg{Name: p.Name, Value: v})
	}
	return out, nil
}
