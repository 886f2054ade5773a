package cli

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"twinlun/cim"
)

func (a *app) jobCommand() *cobra.Command {
	return a.remote(parent("job", "Work that goes on in the background", a.jobList(), a.jobShow(), a.jobWatch(), a.jobCancel()))
}

// stateTerminate is the RequestedState that ends a job (CIM_ConcreteJob, CIM 2.49).
const stateTerminate = 4

func jobTable() *table {
	return newTable("ID", "NAME", "STATE", "PERCENT", "SUBMITTED", "ELAPSED", "OWNER", "ERROR", "RESULT")
}

func jobRow(t *table, in *cim.Instance) {
	t.row(shortJobID(in), str(in, "Name"), named(in, "JobState"), num(in, "PercentComplete"),
		when(in, "TimeSubmitted"), duration(in, "ElapsedTime"), str(in, "Owner"), str(in, "ErrorDescription"), result(in))
}

// result is what a job has found out, if it says so.
func result(in *cim.Instance) string {
	_, text, _ := strings.Cut(str(in, "JobStatus"), ": ")
	return text
}

func (a *app) jobList() *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List jobs, the oldest first", Args: usageArgs(cobra.NoArgs)}
	c.RunE = a.with(func(ctx context.Context, s *session, _ []string) error {
		all, err := s.list(ctx, classJob)
		if err != nil {
			return err
		}
		slices.SortFunc(all, bySubmission)
		t := jobTable()
		for _, in := range all {
			jobRow(t, in)
		}
		return a.print(t)
	})
	return c
}

func (a *app) jobShow() *cobra.Command {
	c := &cobra.Command{Use: "show ID", Short: "Show a job", Args: usageArgs(cobra.ExactArgs(1))}
	c.RunE = a.with(func(ctx context.Context, s *session, args []string) error {
		in, err := s.job(ctx, args[0])
		if err != nil {
			return err
		}
		t := jobTable()
		t.single = true
		jobRow(t, in)
		return a.print(t)
	})
	return c
}

func (a *app) jobWatch() *cobra.Command {
	c := &cobra.Command{
		Use: "watch ID", Short: "Follow a job to its end", Args: usageArgs(cobra.ExactArgs(1)),
		Long: "Follow a job to its end. Interrupting leaves it running.",
	}
	c.RunE = a.with(func(ctx context.Context, s *session, args []string) error {
		in, err := s.job(ctx, args[0])
		if err != nil {
			return err
		}
		return s.follow(ctx, in.Path)
	})
	return c
}

func (a *app) jobCancel() *cobra.Command {
	c := &cobra.Command{Use: "cancel ID", Short: "Stop a job and undo what it began", Args: usageArgs(cobra.ExactArgs(1))}
	c.RunE = a.with(func(ctx context.Context, s *session, args []string) error {
		in, err := s.job(ctx, args[0])
		if err != nil {
			return err
		}
		_, err = s.invoke(ctx, in.Path, "RequestStateChange", arg("RequestedState", stateTerminate))
		return err
	})
	return c
}

// when is a point in time, nil for NULL.
func when(in *cim.Instance, property string) any {
	d, ok := in.Get(property).(cim.DateTime)
	if !ok || d.IsInterval {
		return nil
	}
	return timestamp(d.Time)
}

// duration is an interval, nil for NULL.
func duration(in *cim.Instance, property string) any {
	d, ok := in.Get(property).(cim.DateTime)
	if !ok || !d.IsInterval {
		return nil
	}
	return interval(d.Interval)
}

// bySubmission orders jobs by when they were asked for.
func bySubmission(a, b *cim.Instance) int {
	x, _ := a.Get("TimeSubmitted").(cim.DateTime)
	y, _ := b.Get("TimeSubmitted").(cim.DateTime)
	return cmp.Or(x.Time.Compare(y.Time), cmp.Compare(str(a, "InstanceID"), str(b, "InstanceID")))
}
