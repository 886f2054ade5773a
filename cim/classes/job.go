package classes

import (
	"context"

	"twinlun/cim"
	"twinlun/replication/job"
)

func concreteJob(r *registry) {
	m := r.model
	s := &source[job.Record]{class: r.class(classConcreteJob), each: m.Jobs.EachJob, count: m.Jobs.CountJobs, find: m.jobAt, fill: m.fillJob}
	jobs := &service[job.Record]{
		source: s, model: m, role: cim.RoleOperator, reading: []string{"GetError", "GetErrors"},
		methods: map[string]method{
			"RequestStateChange": requestJobState,
			"GetError":           getJobError,
			"GetErrors":          getJobErrors,
			"KillJob":            killJob,
		},
	}
	r.add(writableService[job.Record]{jobs, m.jobWriter()})
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
		Set("JobState", uint64(j.State)).Set("JobStatus", jobStatus(j)).Set("PercentComplete", jobPercent(j)).
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

// jobPercent is 100 for a job that has ended, however it did, and for no other:
// clients take it for the sign that the result can be looked at.
func jobPercent(j job.Record) uint16 {
	if j.State.Done() {
		return 100
	}
	return min(j.Percent, 99)
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
		return []uint16{statusOK, statusDormant}
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
		if j.Result != "" {
			return "Completed: " + j.Result
		}
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
