package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"twinlun/cim"
)

// pollInterval is the time between two looks at a job.
const pollInterval = 300 * time.Millisecond

// progress shows how far a job is.
type progress interface {
	show(percent uint64)
	end()
}

// follow shows a job until it ends; a failed one is an error. When the user
// interrupts, the job goes on.
func (s *session) follow(ctx context.Context, job *cim.Path) error {
	var bar progress
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		in, err := s.Get(ctx, job)
		if ctx.Err() != nil {
			return s.leave(bar, job)
		}
		if err != nil {
			return err
		}
		if bar == nil {
			bar = s.app.newProgress(str(in, "Name"))
		}
		bar.show(num(in, "PercentComplete"))
		if state := num(in, "JobState"); state >= 7 && state <= 10 {
			bar.end()
			return jobResult(in)
		}
		select {
		case <-ctx.Done():
			return s.leave(bar, job)
		case <-tick.C:
		}
	}
}

// leave says that the job goes on without the user.
func (s *session) leave(bar progress, job *cim.Path) error {
	if bar != nil {
		bar.end()
	}
	id, _ := job.Key("InstanceID").(string)
	return fmt.Errorf("interrupted; the job goes on: twinlun job watch %s", id)
}

// jobResult is nil for a job that completed.
func jobResult(in *cim.Instance) error {
	if num(in, "JobState") == 7 {
		return nil
	}
	return errors.New(firstOf(str(in, "ErrorDescription"), "the job "+str(in, "JobStatus")))
}

// newProgress is a bar on a terminal and lines elsewhere.
func (a *app) newProgress(what string) progress {
	if f, ok := a.Err.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return &bar{progressbar.NewOptions(100, progressbar.OptionSetWriter(a.Err), progressbar.OptionSetDescription(what), progressbar.OptionSetPredictTime(true))}
	}
	return &lines{app: a, what: what}
}

type bar struct{ *progressbar.ProgressBar }

func (b *bar) show(percent uint64) { _ = b.Set(int(percent)) }
func (b *bar) end()                { _ = b.Exit() }

// lines prints a line for every ten percent.
type lines struct {
	app  *app
	what string
	next uint64
}

func (l *lines) show(percent uint64) {
	if percent >= l.next {
		fmt.Fprintf(l.app.Err, "%s: %d %%\n", l.what, percent)
		l.next = percent - percent%10 + 10
	}
}

func (l *lines) end() {}
