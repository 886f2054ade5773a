package classes

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/replication/job"
)

// What clients look at to judge a job.
func TestJobsAsClientsJudgeThem(t *testing.T) {
	list := func(n ...uint64) (l []cim.Value) {
		for _, v := range n {
			l = append(l, v)
		}
		return l
	}
	for state, want := range map[job.State]struct {
		status  []cim.Value
		percent uint64
		health  uint64
	}{
		job.New:        {list(2, 15), 40, 5},
		job.Starting:   {list(2, 11), 40, 5},
		job.Running:    {list(2, 11), 40, 5},
		job.Completed:  {list(2, 17), 100, 5},
		job.Terminated: {list(6, 17), 100, 20},
		job.Killed:     {list(6, 17), 100, 20},
		job.Exception:  {list(6, 17), 100, 20},
	} {
		s := newSystem(t)
		s.jobs = []job.Record{{ID: "j", Name: "n", State: state, Percent: 40, ErrorCode: 1 << 20}}
		in := s.instances("CIM_ConcreteJob")[0]
		require.Equal(t, want.status, in.Get("OperationalStatus"), state)
		require.Equal(t, want.percent, in.Get("PercentComplete"), state)
		require.Equal(t, want.health, in.Get("HealthState"), state)
		require.Equal(t, uint64(state), in.Get("JobState"))
		require.Equal(t, uint64(0xffff), in.Get("ErrorCode"), "as much as fits")
		require.NotEmpty(t, in.Get("JobStatus"))
	}
}

// A client that follows the job finds what it makes, and nothing else.
func TestWhatAJobMakes(t *testing.T) {
	s := newSystem(t)
	made := s.associated(cim.AssociationQuery{Object: jobPath("j1"), AssociationClass: "CIM_AffectedJobElement"})
	require.Equal(t, []string{s.vol(3).String(), groupPath("g2").String()}, pathsOf(made))
	owner := s.associated(cim.AssociationQuery{Object: jobPath("j1"), AssociationClass: "CIM_OwningJobElement"})
	require.Equal(t, []string{s.m.servicePath(classReplicationSvc).String()}, pathsOf(owner))
	require.Empty(t, s.associated(cim.AssociationQuery{Object: jobPath("j2"), AssociationClass: "CIM_AffectedJobElement"}))
	require.Equal(t, []string{jobPath("j1").String()}, pathsOf(s.associated(cim.AssociationQuery{Object: s.vol(3), ResultClass: "CIM_Job"})))
}

func TestRequestStateChange(t *testing.T) {
	for _, state := range []int{requestTerminate, requestKill} {
		s := newSystem(t)
		r := s.invoke(jobPath("j1"), "RequestStateChange", arg("RequestedState", state), arg("TimeoutPeriod", time.Duration(0)))
		require.Equal(t, uint64(transitionStarted), r.Return)
		require.Equal(t, 1, s.calls["CancelJob"])
		require.Equal(t, uint64(invalidStateTransition), s.invoke(jobPath("j2"), "RequestStateChange", arg("RequestedState", state)).Return)
	}
	on := func(*system) *cim.Path { return jobPath("j1") }
	refuses(t, on, "RequestStateChange", []cim.Arg{arg("RequestedState", 4)}, []refusal{
		{"nothing", []cim.Arg{arg("RequestedState", nil)}, 5, "RequestedState: "},
		{"0", []cim.Arg{arg("RequestedState", 0)}, 5, "RequestedState: "},
		{"reserved", []cim.Arg{arg("RequestedState", 7)}, 5, "RequestedState: "},
		{"start", []cim.Arg{arg("RequestedState", 2)}, 1, "RequestedState: "},
		{"suspend", []cim.Arg{arg("RequestedState", 3)}, 1, "RequestedState: "},
		{"service", []cim.Arg{arg("RequestedState", 6)}, 1, "RequestedState: "},
		{"in a minute", []cim.Arg{arg("TimeoutPeriod", time.Minute)}, timeoutNotSupported, "TimeoutPeriod: "},
		{"at a time", []cim.Arg{arg("TimeoutPeriod", then)}, timeoutNotSupported, "TimeoutPeriod: "},
	}, "CancelJob")
}

func TestKillJob(t *testing.T) {
	s := newSystem(t)
	require.Equal(t, uint64(0), s.invoke(jobPath("j1"), "KillJob").Return)
	require.Equal(t, uint64(0), s.invoke(jobPath("j2"), "KillJob").Return, "it is dead")
	require.Zero(t, s.calls["DeleteJob"])
	require.Equal(t, uint64(0), s.invoke(jobPath("j2"), "KillJob", arg("DeleteOnKill", true)).Return)
	_, err := s.Get(admin(), jobPath("j2"))
	require.Equal(t, cim.StatusNotFound, cim.StatusOf(err))

	s.fails = map[string]error{"CancelJob": job.ErrNotFound} // gone since
	_, err = s.Invoke(admin(), &cim.Call{Path: jobPath("j1"), Method: "KillJob"})
	require.Equal(t, cim.StatusNotFound, cim.StatusOf(err))
}

func TestJobErrors(t *testing.T) {
	s := newSystem(t)
	in := s.invoke(jobPath("j3"), "GetError").Out.Get("Error").(*cim.Instance)
	require.Equal(t, "CIM_Error", in.Class.Name)
	require.Equal(t, "no room", in.Get("Message"))
	require.Equal(t, jobPath("j3").String(), in.Get("ErrorSource"))
	checkComplete(t, in)
	list := s.invoke(jobPath("j3"), "GetErrors").Out.Get("Errors").([]cim.Value)
	require.Len(t, list, 1)
	require.True(t, cim.Equal(in, list[0]))
	for _, method := range []string{"GetError", "GetErrors"} {
		r := s.invoke(jobPath("j2"), method)
		require.Equal(t, uint64(0), r.Return)
		require.Empty(t, r.Out, "nothing went wrong")
	}
}
