package classes

import (
	"context"

	"twinlun/cim"
)

// method carries out one method. An error that is not the protocol's becomes a
// return code with a reason (see replyOf).
type method func(ctx context.Context, a *args) (*cim.Reply, error)

// service is a class with methods.
type service[T any] struct {
	*source[T]
	model   *model
	methods map[string]method
	role    cim.Role // that every method needs
}

// MethodRole is the role that a method needs.
func (s *service[T]) MethodRole(string) cim.Role { return s.role }

// Invoke calls a method. One that the class declares and that is not carried out
// returns 1, Not Supported, as all methods of the services served define it.
func (s *service[T]) Invoke(ctx context.Context, c *cim.Call) (*cim.Reply, error) {
	m := s.methods[c.Method]
	if m == nil {
		return notSupported("%s of %s is not supported", c.Method, s.class.Name), nil
	}
	reply, err := m(ctx, &args{model: s.model, ctx: ctx, call: c})
	if err != nil {
		return replyOf(err)
	}
	return reply, nil
}

// jobStarted is the return code of a method whose work goes on in a job.
const jobStarted = 4096

// done is the reply of a method that completed.
func done(out ...cim.Arg) *cim.Reply { return &cim.Reply{Return: uint64(0), Out: out} }

// doneOrStarted is done, or the reply of a method that started a job.
func (m *model) doneOrStarted(jobID string, out ...cim.Arg) *cim.Reply {
	if jobID == "" {
		return done(out...)
	}
	out = append(out, cim.Arg{Name: "Job", Value: m.jobPath(jobID)})
	return &cim.Reply{Return: uint64(jobStarted), Out: out}
}
