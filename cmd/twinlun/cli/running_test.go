package cli

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/cim/provider"
	"twinlun/wsman/server"
)

// slowJob is a job that runs until it is told to end.
type slowJob struct {
	class *cim.Class
	mu    sync.Mutex
	state int // guarded by mu
}

func (j *slowJob) Class() string              { return j.class.Name }
func (j *slowJob) Namespaces() []string       { return []string{namespace} }
func (j *slowJob) MethodRole(string) cim.Role { return cim.RoleOperator }

func (j *slowJob) Enumerate(_ context.Context, ns string, yield cim.Yield) error {
	j.mu.Lock()
	state := j.state
	j.mu.Unlock()
	in, err := cim.Build(j.class).Set("InstanceID", jobPrefix+"1").Set("Name", "Clone db").Set("JobState", state).
		Set("PercentComplete", 42).Instance()
	if err != nil {
		return err
	}
	if in.Path, err = in.PathIn(ns); err != nil {
		return err
	}
	return yield(in)
}

func (j *slowJob) Invoke(_ context.Context, c *cim.Call) (*cim.Reply, error) {
	if c.Method != "RequestStateChange" || c.In.Get("RequestedState") != uint64(stateTerminate) {
		return &cim.Reply{Return: uint64(5), Reason: "RequestedState"}, nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.state = 8
	return &cim.Reply{Return: uint64(0)}, nil
}

// anyone lets everybody in.
type anyone struct{}

func (anyone) Authenticate(*http.Request) (cim.Principal, error) {
	return cim.Principal{Name: "eva", Role: cim.RoleOperator}, nil
}

func (anyone) Refuse(http.ResponseWriter, *http.Request, error) int { return http.StatusUnauthorized }

// Who stops watching leaves the job running; who cancels it ends it, and who
// watches then is told.
func TestRunningJob(t *testing.T) {
	schema, err := testSchema()
	require.NoError(t, err)
	job := &slowJob{class: classOf(t, "TWINLUN_ConcreteJob"), state: 4}
	broker, err := provider.NewBroker(provider.Config{Schema: schema, Providers: []provider.Provider{job}, Namespaces: []string{namespace}})
	require.NoError(t, err)
	s, err := server.New(server.Config{Broker: broker, Auth: anyone{}})
	require.NoError(t, err)
	defer s.Close()
	h := httptest.NewServer(s.Handler())
	defer h.Close()
	t.Setenv("TWINLUN_SERVER", h.URL)
	w := &world{t: t}

	ctx, cancel := context.WithCancel(t.Context())
	stop := &trigger{at: "Clone db: 42 %", fire: cancel}
	a := &app{Streams: Streams{Out: &buffer{}, Err: stop}, loadSchema: testSchema}
	require.Equal(t, exitFailed, execute(ctx, a, []string{"job", "watch", "1"}))
	require.Contains(t, stop.text.String(), "twinlun: interrupted; the job goes on: twinlun job watch 1\n")
	require.Equal(t, "Running", w.record("job", "show", "1")["state"])

	w.must("job", "cancel", "1")
	w.fails(exitFailed, "the job 1 did not complete (Terminated)", "job", "watch", "1")
}
