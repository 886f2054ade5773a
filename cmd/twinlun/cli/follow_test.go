package cli

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
)

// jobs shows a job at one stage after the other; then fails.
type jobs struct {
	stages []*cim.Instance
	shown  int
}

func (j *jobs) Get(ctx context.Context, _ *cim.Path) (*cim.Instance, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if j.shown == len(j.stages) {
		return nil, errors.New("no route to host")
	}
	j.shown++
	return j.stages[j.shown-1], nil
}

func jobAt(t *testing.T, state, percent int, reason string) *cim.Instance {
	in, err := cim.Build(classOf(t, "TWINLUN_ConcreteJob")).Set("InstanceID", jobPrefix+"17").Set("Name", "Clone db").
		Set("JobState", state).Set("PercentComplete", percent).Set("ErrorDescription", reason).Instance()
	require.NoError(t, err)
	return in
}

func jobPath() *cim.Path {
	return &cim.Path{Class: classJob, Keys: []cim.Key{{Name: "InstanceID", Value: jobPrefix + "17"}}}
}

func TestFollow(t *testing.T) {
	for name, c := range map[string]struct {
		stages []*cim.Instance
		says   string
		lines  string
	}{
		"completes":  {[]*cim.Instance{jobAt(t, 2, 0, ""), jobAt(t, 4, 5, ""), jobAt(t, 4, 55, ""), jobAt(t, 7, 100, "")}, "", "Clone db: 0 %\nClone db: 55 %\nClone db: 100 %\n"},
		"fails":      {[]*cim.Instance{jobAt(t, 10, 100, "no space")}, "the job 17 did not complete (Exception): no space", "Clone db: 100 %\n"},
		"is stopped": {[]*cim.Instance{jobAt(t, 4, 10, ""), jobAt(t, 8, 100, "")}, "the job 17 did not complete (Terminated)", "Clone db: 10 %\nClone db: 100 %\n"},
		"is lost":    {[]*cim.Instance{jobAt(t, 4, 10, "")}, "the job goes on: twinlun job watch 17 (no route to host)", "Clone db: 10 %\n"},
	} {
		synctest.Test(t, func(t *testing.T) {
			var errs buffer
			begun := time.Now()
			err := (&app{Streams: Streams{Err: &errs}}).follow(t.Context(), &jobs{stages: c.stages}, jobPath(), time.Second)
			require.Equal(t, c.says == "", err == nil, name)
			if err != nil {
				require.ErrorContains(t, err, c.says, name)
				require.Equal(t, exitFailed, exitCode(err))
			}
			require.Equal(t, c.lines, errs.String(), name)
			require.LessOrEqual(t, time.Since(begun), time.Duration(len(c.stages))*time.Second)
		})
	}
}

func TestFollowInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		j := &jobs{stages: []*cim.Instance{jobAt(t, 4, 10, ""), jobAt(t, 4, 20, "")}}
		go func() { done <- (&app{Streams: Streams{Err: &buffer{}}}).follow(ctx, j, jobPath(), time.Hour) }()
		synctest.Wait()
		cancel()
		require.EqualError(t, <-done, "interrupted; the job goes on: twinlun job watch 17")
		require.EqualError(t, (&app{Streams: Streams{Err: &buffer{}}}).follow(ctx, j, jobPath(), time.Hour),
			"interrupted; the job goes on: twinlun job watch 17")
	})
}

func TestBar(t *testing.T) {
	var out buffer
	b := &bar{w: &out}
	b.end()
	require.Empty(t, out.String(), "no bar, no line")
	b.show("Clone db", 10)
	b.show("Clone db", 250)
	b.end()
	b.end()
	require.Contains(t, out.String(), "Clone db  10% |")
	require.Contains(t, out.String(), "100% |")
	require.Equal(t, byte('\n'), out.String()[len(out.String())-1], "the prompt has a line of its own")
	require.IsType(t, &lines{}, (&app{Streams: Streams{Err: &out}}).newProgress(), "no terminal")
}
