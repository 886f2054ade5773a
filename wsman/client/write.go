package client

import (
	"context"

	"twinlun/cim"
	"twinlun/wsman"
	"twinlun/wsman/soap"
	"twinlun/wsman/wscim"
)

// Modify changes properties of an instance and returns it as it is afterwards. The
// path may name a base class, and needs no keys where one instance exists. Values are
// coerced to the declaration of the class; wrong ones are refused here with a
// *cim.Error. Properties that are not named stay as they are.
func (c *Client) Modify(ctx context.Context, p *cim.Path, changes []cim.PropertyValue) (*cim.Instance, error) {
	ns := c.namespace(p.Namespace)
	class, values, err := c.coerceValues(ctx, ns, p.Class, changes)
	if err != nil {
		return nil, err
	}
	h := c.header(wsman.ActionPut, p)
	h.Options = modifyOptions(values)
	m, err := c.call(ctx, h, representation(class, values))
	switch {
	case err != nil:
		return nil, err
	case m.Body == nil: // other servers do not show it
		return c.Get(ctx, p)
	}
	return c.instance(ctx, ns, m.Body)
}

// modifyOptions say which properties are modified, for an array without entries cannot
// be seen in a representation.
func modifyOptions(values []cim.PropertyValue) []soap.Option {
	list := []soap.Option{{Name: wsman.OptionPreciseArrays, Type: "xs:boolean", Value: "true"}}
	for _, v := range values {
		list = append(list, soap.Option{Name: wsman.OptionModified, Type: "xs:string", Value: v.Name})
	}
	return list
}

// Create makes an instance of a class and returns its path. The values are coerced as
// by Modify.
func (c *Client) Create(ctx context.Context, ns, class string, given []cim.PropertyValue) (*cim.Path, error) {
	ns = c.namespace(ns)
	found, values, err := c.coerceValues(ctx, ns, class, given)
	if err != nil {
		return nil, err
	}
	m, err := c.call(ctx, c.header(wsman.ActionCreate, &cim.Path{Namespace: ns, Class: found.Name}), representation(found, values))
	if err != nil {
		return nil, err
	}
	p, err := wscim.ReadResourceCreated(m.Body, c.env(ctx, ns))
	if err != nil {
		return nil, wsman.SchemaValidationError("the answer to Create: %v", err).With(err)
	}
	return p, nil
}

// Delete removes an instance.
func (c *Client) Delete(ctx context.Context, p *cim.Path) error {
	_, err := c.call(ctx, c.header(wsman.ActionDelete, p), nil)
	return err
}

// coerceValues finds a class and makes values fit its properties, under their declared
// names.
func (c *Client) coerceValues(ctx context.Context, ns, class string, values []cim.PropertyValue) (*cim.Class, []cim.PropertyValue, error) {
	found := c.class(ctx, ns, class)
	if found == nil {
		return nil, nil, cim.Errorf(cim.StatusInvalidClass, "there is no class %s", class)
	}
	out := make([]cim.PropertyValue, 0, len(values))
	for _, v := range values {
		p := found.Property(v.Name)
		if p == nil {
			return nil, nil, cim.Errorf(cim.StatusNoSuchProperty, "class %s has no property %s", found.Name, v.Name)
		}
		coerced, err := cim.Coerce(v.Value, p.Type, p.Array, p.Embedded != "")
		if err != nil {
			return nil, nil, cim.Errorf(cim.StatusTypeMismatch, "property %s of %s: %w", p.Name, found.Name, err)
		}
		out = append(out, cim.PropertyValue{Name: p.Name, Value: coerced})
	}
	return found, out, nil
}

func representation(class *cim.Class, values []cim.PropertyValue) func(*soap.Writer) {
	return func(w *soap.Writer) { wscim.WriteRepresentation(w, wsman.ClassPrefix, class, values) }
}
