package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"twinlun/cim"
)

// pollInterval is the time between two looks at a job.
const pollInterval = 300 * time.Millisecond

// The states of CIM_ConcreteJob.JobState (CIM 2.49) that a job ends in.
const (
	jobCompleted = 7
	jobException = 10
)

// jobReader reads a job; *client.Client is one.
type jobReader interface {
	Get(ctx context.Context, p *cim.Path) (*cim.Instance, error)
}

// follow shows a job until it ends; one that failed is an error. When the user
// interrupts, the job goes on.
func (s *session) follow(ctx context.Context, job *cim.Path) error {
	return s.app.follow(ctx, s, job, pollInterval)
}

func (a *app) follow(ctx context.Context, r jobReader, job *cim.Path, every time.Duration) error {
	p := a.newProgress()
	defer p.end()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		in, err := r.Get(ctx, job)
		if ctx.Err() != nil {
			return leftAlone(job, "interrupted")
		}
		if err != nil {
			return fmt.Errorf("%w (%w)", leftAlone(job, "its state cannot be read"), err)
		}
		p.show(str(in, "Name"), num(in, "PercentComplete"))
		if state := num(in, "JobState"); state >= jobCompleted && state <= jobException {
			return jobResult(in)
		}
		select {
		case <-ctx.Done():
			return leftAlone(job, "interrupted")
		case <-tick.C:
		}
	}
}

// leftAlone says that a job goes on without the user, and how to come back to it.
func leftAlone(job *cim.Path, why string) error {
	return fmt.Errorf("%s; the job goes on: twinlun job watch %s", why, jobID(job))
}

// jobID is what the commands call a job.
func jobID(job *cim.Path) string {
	id, _ := job.Key("InstanceID").(string)
	return strings.TrimPrefix(id, jobPrefix)
}

// jobResult is nil for a job that completed.
func jobResult(in *cim.Instance) error {
	if num(in, "JobState") == jobCompleted {
		return nil
	}
	text := fmt.Sprintf("the job %s did not complete (%v)", shortJobID(in), named(in, "JobState"))
	if reason := str(in, "ErrorDescription"); reason != "" {
		text += ": " + reason
	}
	return errors.New(text)
}
