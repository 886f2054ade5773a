package classes

import (
	"context"
	"errors"

	"twinlun/cim"
	"twinlun/replication"
	"twinlun/replication/job"
)

func concreteJob(r *registry) {
	m := r.model
	s := &source[job.Record]{class: r.class(classConcreteJob), list: m.Jobs.Jobs, find: m.jobAt, fill: m.fillJob}
	r.add(&service[job.Record]{source: s, model: m, role: cim.RoleOperator, methods: map[string]method{
		"RequestStateChange": requestJobState,
		"GetError":           getJobError,
		"GetErrors":          getJobErrors,
		"KillJob":            killJob,
	}})
}

func (m *model) jobAt(ctx context.Context, p *cim.Path) (job.Record, error) {
	id, ok := localID(p, idJob)
	if !ok {
		return job.Record{}, notFound(p)
	}
	return m.Jobs.Job(ctx, id)
}

func (m *model) fillJob(b *cim.Builder, j job.Record) {
	b.Set("InstanceID", idJob+j.ID).Set("Name", j.Name).Set("ElementName", j.Name).Set("Caption", j.Name).
		Set("JobState", uint64(j.State)).Set("JobStatus", jobStatus(j)).Set("PercentComplete", j.Percent).
		Set("OperationalStatus", jobOperationalStatus(j)).Set("HealthState", jobHealth(j)).
		Set("TimeSubmitted", cim.TimeValue(j.Created)).Set("StartTime", cim.TimeValue(j.Started)).
		Set("TimeOfLastStateChange", cim.TimeValue(j.Changed)).
		Set("ElapsedTime", m.elapsed(j)).Set("TimeBeforeRemoval", cim.IntervalValue(j.Retain)).
		Set("DeleteOnCompletion", true).Set("LocalOrUtcTime", 2).
		Set("ErrorCode", min(j.ErrorCode, 0xffff))
	if j.Owner != "" {
		b.Set("Owner", j.Owner)
	}
	if j.Error != "" {
		b.Set("ErrorDescription", j.Error)
	}
}

func (m *model) elapsed(j job.Record) cim.Value {
	if j.Started.IsZero() {
		return cim.IntervalValue(0)
	}
	end := j.Ended
	if end.IsZero() {
		end = m.Time()
	}
	return cim.IntervalValue(max(0, end.Sub(j.Started)))
}

// jobOperationalStatus is {2, 17} for success and {6, 17} for failure, as SMI-S
// clients judge jobs.
func jobOperationalStatus(j job.Record) []uint16 {
	switch {
	case j.State == job.Completed:
		return []uint16{statusOK, statusCompleted}
	case j.State.Done():
		return []uint16{statusError, statusCompleted}
	case j.State == job.New:
		return []uint16{statusOK, 15} // Dormant
	default:
		return []uint16{statusOK, statusInService}
	}
}

func jobHealth(j job.Record) uint64 {
	if j.State.Done() && j.State != job.Completed {
		return healthMajor
	}
	return healthOK
}

func jobStatus(j job.Record) string {
	switch j.State {
	case job.Completed:
		return "Completed"
	case job.Terminated, job.Killed:
		return "Terminated"
	case job.Exception:
		return "Failed"
	case job.New:
		return "Waiting"
	default:
		return "Running"
	}
}

// Values of RequestedState of RequestStateChange (CIM 2.49), and a return code.
const (
	requestTerminate       = 4
	requestKill            = 5
	invalidStateTransition = 4097
)

func requestJobState(ctx context.Context, a *args) (*cim.Reply, error) {
	switch state := a.number("RequestedState"); state {
	case requestTerminate, requestKill:
		return cancelJob(ctx, a)
	case 2, 3, 6:
		return notSupported("RequestedState: %d is not supported: jobs can be terminated (4) or killed (5)", state), nil
	default:
		return nil, replication.Errorf(replication.KindInvalid, "RequestedState", "%d is not a state that can be requested", state)
	}
}

func cancelJob(ctx context.Context, a *args) (*cim.Reply, error) {
	id, _ := localID(a.call.Path, idJob)
	err := a.Jobs.CancelJob(ctx, id)
	if errors.Is(err, job.ErrDone) {
		return &cim.Reply{Return: uint64(invalidStateTransition), Reason: "the job has ended already"}, nil
	}
	if err != nil {
		return nil, err
	}
	return done(), nil
}

func killJob(ctx context.Context, a *args) (*cim.Reply, error) {
	id, _ := localID(a.call.Path, idJob)
	err := a.Jobs.CancelJob(ctx, id)
	if errors.Is(err, job.ErrDone) && a.flag("DeleteOnKill", false) {
		err = a.Jobs.DeleteJob(ctx, id)
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
		Set("CIMStatusCode", uint64(cim.StatusFailed)).Set("Message", j.Error).Set("MessageID", "TWINLUN:job").
		Set("OwningEntity", "Twinlun").Set("ErrorType", 4).Set("PerceivedSeverity", 4).Set("ProbableCause", 48).
		Set("ErrorSourceFormat", 2).Set("ErrorSource", a.call.Path.String()).Instance()
}

func owningJobElement(r *registry) {
	m := r.model
	a := &association{class: r.class("TWINLUN_OwningJobElement"), near: "OwningElement", far: "OwnedElement"}
	a.all = func(ctx context.Context, yield links) error {
		return m.eachJob(ctx, func(j job.Record) error {
			return yield(link{near: m.servicePath(classReplicationSvc), far: m.jobPath(j.ID)})
		})
	}
	a.of = func(ctx context.Context, object *cim.Path, yield links) error {
		if object.Class != classConcreteJob {
			return a.all(ctx, yield)
		}
		return yield(link{near: m.servicePath(classReplicationSvc), far: object})
	}
	r.add(a)
}

// affectedJobElement ties a job to the volumes and groups that it makes, and to
// nothing else: clients take what they find for what the job has made.
func affectedJobElement(r *registry) {
	m := r.model
	a := &association{class: r.class("TWINLUN_AffectedJobElement"), near: "AffectedElement", far: "AffectingElement"}
	give := func(j job.Record, yield links) error {
		for _, e := range j.Affected {
			if p := m.elementPath(e); p != nil {
				set := func(b *cim.Builder) { b.Set("ElementEffects", []uint16{5}) } // Create
				if err := yield(link{near: p, far: m.jobPath(j.ID), set: set}); err != nil {
					return err
				}
			}
		}
		return nil
	}
	a.all = func(ctx context.Context, yield links) error {
		return m.eachJob(ctx, func(j job.Record) error { return give(j, yield) })
	}
	a.of = func(ctx context.Context, object *cim.Path, yield links) error {
		if object.Class != classConcreteJob {
			return a.all(ctx, yield)
		}
		j, err := m.jobAt(ctx, object)
		if err != nil {
			return err
		}
		return give(j, yield)
	}
	r.add(a)
}

func (m *model) eachJob(ctx context.Context, f func(job.Record) error) error {
	jobs, err := m.Jobs.Jobs(ctx)
	if err != nil {
		return err
	}
	for _, j := range jobs {
		if err := f(j); err != nil {
			return err
		}
	}
	return nil
}

// elementPath is the path of what a job makes, nil for what is an association.
func (m *model) elementPath(e job.Element) *cim.Path {
	switch e.Kind {
	case job.Volume:
		return m.volumePath(volumeID(e.ID))
	case job.Group:
		return groupPath(e.ID)
	}
	return nil
}
