package wscim

import (
	"fmt"

	"twinlun/cim"
	"twinlun/wsman"
	"twinlun/wsman/soap"
)

// ArgError is the cause (errors.As) of a fault for one argument.
type ArgError struct {
	Param *cim.Parameter
	Err   error
}

// Error names the parameter.
func (e *ArgError) Error() string { return fmt.Sprintf("parameter %s: %v", e.Param.Name, e.Err) }

// Unwrap gives the cause to errors.Is and errors.As.
func (e *ArgError) Unwrap() error { return e.Err }

// group is all the elements of one parameter.
type group struct {
	param *cim.Parameter
	es    []*soap.Element
}

// groupByParam sorts the children of a method's input or output by parameter. What
// is no parameter goes to other.
func groupByParam(e *soap.Element, m *cim.Method, other func(*soap.Element) error) ([]group, error) {
	var groups []group
	index := map[*cim.Parameter]int{}
	for el := range soap.Children(e) {
		p := m.Param(el.Tag)
		if p == nil {
			if err := other(el); err != nil {
				return nil, err
			}
			continue
		}
		i, ok := index[p]
		if !ok {
			i = len(groups)
			index[p] = i
			groups = append(groups, group{param: p})
		}
		groups[i].es = append(groups[i].es, el)
	}
	return groups, nil
}

// DecodeArgs reads the arguments of a method call from its METHOD_INPUT element,
// which is nil where the body is empty. Parameters go by name, regardless of case
// and namespace, and are typed by the schema; xsi:type counts only for the class
// of an embedded instance. Absent arguments and NULL are not in the result. What a
// caller may leave out is not checked. An empty array cannot be told from an
// absent one.
//
// The errors are *wsman.Fault, InvalidParameter where an argument is wrong; their
// cause is then an *ArgError, unless the method has no such parameter.
func DecodeArgs(input *soap.Element, m *cim.Method, env Env) (cim.Args, error) {
	groups, err := groupByParam(input, m, func(e *soap.Element) error {
		return wsman.InvalidParameter(wsman.DetailInvalidName, "the method %s has no parameter %q", m.Name, clip(e.Tag))
	})
	if err != nil {
		return nil, err
	}
	var args cim.Args
	for _, g := range groups {
		v, err := decodeArg(g, env)
		if err != nil {
			cause := &ArgError{Param: g.param, Err: err}
			return nil, wsman.InvalidParameter(wsman.DetailInvalidValue, "%v", cause).With(cause)
		}
		if v != nil {
			args = append(args, cim.Arg{Name: g.param.Name, Value: v})
		}
	}
	return args, nil
}

func decodeArg(g group, env Env) (cim.Value, error) {
	d := ofParam(g.param)
	v, err := reader{env: env}.value(d, g.es)
	switch {
	case err != nil:
		return nil, err
	case v != nil && !g.param.In:
		return nil, fmt.Errorf("it is an output")
	}
	return cim.Coerce(v, d.kind, d.array, d.embedded != "")
}

// DecodeOutput reads the answer to a method call from its METHOD_OUTPUT element.
// What the method does not declare is passed over. The errors are *wsman.Fault.
func DecodeOutput(output *soap.Element, m *cim.Method, env Env) (*cim.Reply, error) {
	reply := &cim.Reply{}
	groups, err := groupByParam(output, m, func(e *soap.Element) (err error) {
		if e.Tag == returnValue {
			reply.Return, err = reader{env: env}.scalar(decl{kind: m.Return}, e)
		}
		return err
	})
	for _, g := range groups {
		if err != nil || !g.param.Out {
			continue
		}
		var v cim.Value
		if v, err = (reader{env: env}).value(ofParam(g.param), g.es); err != nil {
			err = &ArgError{Param: g.param, Err: err}
		} else if v != nil {
			reply.Out = append(reply.Out, cim.Arg{Name: g.param.Name, Value: v})
		}
	}
	if err != nil {
		return nil, wsman.SchemaValidationError("the answer of %s: %v", m.Name, err).With(err)
	}
	return reply, nil
}

// returnValue is the element of a method's result.
const returnValue = "ReturnValue"
