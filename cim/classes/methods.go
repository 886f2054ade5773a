package classes

import (
	"context"
	"slices"

	"twinlun/cim"
	"twinlun/replication"
)

// method carries out one method. An error that is not the protocol's becomes a
// return code with a reason (see replyOf).
type method func(ctx context.Context, a *args) (*cim.Reply, error)

// service is a class with methods.
type service[T any] struct {
	*source[T]
	model   *model
	methods map[string]method
	role    cim.Role // that a method needs
	reading []string // methods that a monitor may call
}

// MethodRole is the role that a method needs.
func (s *service[T]) MethodRole(name string) cim.Role {
	if slices.Contains(s.reading, name) {
		return cim.RoleMonitor
	}
	return s.role
}

// Invoke calls a method. One that the class declares and that is not carried out
// returns 1, Not Supported, as all methods of the classes served define it.
func (s *service[T]) Invoke(ctx context.Context, c *cim.Call) (*cim.Reply, error) {
	m := s.methods[c.Method]
	if m == nil {
		return notSupported("%s of %s is not supported", c.Method, s.class.Name), nil
	}
	if who, ok := cim.PrincipalFrom(ctx); ok {
		ctx = replication.WithOwner(ctx, who.Name)
	}
	reply, err := m(ctx, &args{model: s.model, call: c})
	if err == nil {
		return reply, nil
	}
	s.model.Logger.Debug("a method failed", "class", s.class.Name, "method", c.Method, "err", err)
	return replyOf(err)
}

// jobStarted is the return code of a method whose work goes on in a job.
const jobStarted = 4096

// done is the reply of a method that completed.
func done(out ...cim.Arg) *cim.Reply { return &cim.Reply{Return: uint64(0), Out: out} }

// out is one output argument.
func out(name string, v cim.Value) cim.Arg { return cim.Arg{Name: name, Value: v} }

// doneOrStarted is done, or the reply of a method that started a job.
func doneOrStarted(jobID string, outs ...cim.Arg) *cim.Reply {
	if jobID == "" {
		return done(outs...)
	}
	return &cim.Reply{Return: uint64(jobStarted), Out: append(outs, out("Job", jobPath(jobID)))}
}
