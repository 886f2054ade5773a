package classes

import (
	"context"
	"errors"

	"twinlun/cim"
	"twinlun/replication"
	"twinlun/replication/job"
)

// Values of RequestedState of RequestStateChange, and its return codes (CIM 2.49).
const (
	requestStart     = 2
	requestSuspend   = 3
	requestTerminate = 4
	requestKill      = 5
	requestService   = 6

	transitionStarted      = 4096
	invalidStateTransition = 4097
	timeoutNotSupported    = 4098
)

// requestJobState ends a job. It does not wait for the end.
func requestJobState(ctx context.Context, a *args) (*cim.Reply, error) {
	switch state := a.number("RequestedState"); state {
	case requestTerminate, requestKill:
	case requestStart, requestSuspend, requestService:
		return notSupported("RequestedState: %d is not supported: jobs can be terminated (4) or killed (5)", state), nil
	default:
		return nil, replication.Errorf(replication.KindInvalid, "RequestedState", "%d is not a state that can be requested", state)
	}
	if t, ok := a.value("TimeoutPeriod").(cim.DateTime); ok && t != (cim.DateTime{IsInterval: true}) {
		return &cim.Reply{Return: uint64(timeoutNotSupported), Reason: "TimeoutPeriod: shall be NULL or 0"}, nil
	}
	err := a.Jobs.CancelJob(ctx, a.jobID())
	if errors.Is(err, job.ErrDone) {
		return &cim.Reply{Return: uint64(invalidStateTransition), Reason: "the job has ended already"}, nil
	}
	if err != nil {
		return nil, err
	}
	return &cim.Reply{Return: uint64(transitionStarted)}, nil
}

// jobID is the ID of the job that a method is called on.
func (a *args) jobID() string {
	id, _ := localID(a.call.Path, idJob)
	return id
}

func killJob(ctx context.Context, a *args) (*cim.Reply, error) {
	err := a.Jobs.CancelJob(ctx, a.jobID())
	if errors.Is(err, job.ErrDone) && a.flag("DeleteOnKill", false) {
		err = a.Jobs.DeleteJob(ctx, a.jobID())
	}
	if err != nil && !errors.Is(err, job.ErrDone) {
		return nil, err
	}
	return done(), nil
}

func getJobError(ctx context.Context, a *args) (*cim.Reply, error) {
	in, err := a.jobError(ctx)
	if err != nil || in == nil {
		return done(), err
	}
	return done(cim.Arg{Name: "Error", Value: in}), nil
}

func getJobErrors(ctx context.Context, a *args) (*cim.Reply, error) {
	in, err := a.jobError(ctx)
	if err != nil || in == nil {
		return done(), err
	}
	return done(cim.Arg{Name: "Errors", Value: []cim.Value{in}}), nil
}

// jobError is the CIM_Error of a job that failed, nil for others.
func (a *args) jobError(ctx context.Context) (*cim.Instance, error) {
	j, err := a.jobAt(ctx, a.call.Path)
	if err != nil || j.Error == "" {
		return nil, err
	}
	return cim.Build(a.Schema.Class("CIM_Error")).
		Set("MessageID", "TWINLUN:job").Set("Message", j.Error).Set("OwningEntity", "Twinlun").
		Set("CIMStatusCode", uint64(cim.StatusFailed)).
		Set("ErrorType", 1).Set("OtherErrorType", "Job failed").
		Set("PerceivedSeverity", 5).Set("ProbableCause", 0). // Major, Unknown
		Set("ErrorSourceFormat", 2).Set("ErrorSource", a.call.Path.String()).Instance()
}
