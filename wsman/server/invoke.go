package server

import (
	"context"
	"errors"
	"strings"

	"twinlun/cim"
	"twinlun/wsman"
	"twinlun/wsman/soap"
	"twinlun/wsman/wscim"
)

// handleInvoke calls a method (DSP0227 section 9). The action names it, the
// resource URI and the selectors its object.
func (s *Server) handleInvoke(ctx context.Context, rq *request) (*answer, error) {
	path, class, err := s.target(rq)
	if err != nil {
		return nil, err
	}
	rq.objects = []string{path.String()}
	method, err := s.method(rq, class)
	if err != nil {
		return nil, err
	}
	call, err := s.readCall(rq, path, method)
	if reply, ok := refusal(method, err); ok {
		return writeReply(rq, method, reply), nil
	}
	if err != nil {
		return nil, err
	}
	rq.objects = objectsOf(call)
	reply, err := s.config.Broker.Invoke(ctx, call)
	if err != nil {
		return nil, err
	}
	return writeReply(rq, method, reply), nil
}

// method is the method that the action names. Its class may be another than that
// of the resource, above or below it.
func (s *Server) method(rq *request, class *cim.Class) (*cim.Method, error) {
	named, _ := wsman.ParseAction(rq.msg.Action)
	if !strings.EqualFold(named.Class, class.Name) {
		other, err := s.config.Broker.Class(rq.ns, named.Class)
		if err != nil {
			return nil, err
		}
		if !class.IsA(other.Name) && !other.IsA(class.Name) {
			return nil, wsman.ActionNotSupported(wsman.DetailActionMismatch, "the action names the class %s, the resource %s", other.Name, class.Name)
		}
	}
	if m := class.Method(named.Method); m != nil {
		return m, nil
	}
	return nil, cim.Errorf(cim.StatusMethodNotFound, "class %s has no method %q", class.Name, named.Method)
}

func (s *Server) readCall(rq *request, path *cim.Path, m *cim.Method) (*cim.Call, error) {
	input := rq.msg.Body
	if input != nil && !strings.EqualFold(input.Tag, m.Name+"_INPUT") {
		return nil, wsman.SchemaValidationError("the body must be %s_INPUT", m.Name)
	}
	args, err := wscim.DecodeArgs(input, m, s.env(rq))
	if err != nil {
		return nil, err
	}
	return &cim.Call{Path: path, Method: m.Name, In: args, Timeout: rq.msg.Timeout}, nil
}

// refusal is the method's own answer to a reference or an embedded instance that
// cannot be understood, where its value map has one: to the caller that is no
// different from one that does not exist. Other wrong arguments are faults.
func refusal(m *cim.Method, err error) (*cim.Reply, bool) {
	arg, ok := errors.AsType[*wscim.ArgError](err)
	if !ok || arg.Param.Type != cim.Reference && arg.Param.Embedded == "" {
		return nil, false
	}
	code, ok := returnCode(m, "Invalid Parameter")
	return &cim.Reply{Return: code, Reason: arg.Error()}, ok
}

// returnCode is the value that a method returns to say what name says.
func returnCode(m *cim.Method, name string) (cim.Value, bool) {
	codes, names := listOf(m.Qualifiers, "ValueMap"), listOf(m.Qualifiers, "Values")
	for i, n := range names {
		text, isText := n.(string)
		if !isText || !strings.EqualFold(text, name) || i >= len(codes) {
			continue
		}
		code, isText := codes[i].(string)
		v, err := cim.ParseText(m.Return, code)
		return v, isText && err == nil
	}
	return nil, false
}

func listOf(qs cim.Qualifiers, name string) []cim.Value {
	q, _ := qs.Get(name)
	list, _ := q.Value.([]cim.Value)
	return list
}

// writeReply answers in the family of URIs that the request is of.
func writeReply(rq *request, m *cim.Method, reply *cim.Reply) *answer {
	a := &answer{note: reply.Reason, code: cim.FormatText(reply.Return)}
	a.body = func(w *soap.Writer) error {
		wscim.WriteOutput(w, rq.resource.URI(), m, reply)
		return nil
	}
	if reply.Reason != "" {
		a.header = func(w *soap.Writer) { wscim.WriteReason(w, reply.Reason) }
	}
	return a
}
