package export

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/iscsi"
	"twinlun/blockdev/scsi"
)

func TestExpose(t *testing.T) {
	r := newRig(t, "db01")
	got, err := r.Expose(t.Context(), Request{
		Volume: ref("db01"), Initiators: []string{hostB, "IQN.1994-05.com.example:A"}, User: "joe", Secret: secret,
	})
	require.NoError(t, err)
	want := Export{
		Volume: ref("db01"), Target: prefix + ":db01", Initiators: []string{hostA, hostB}, User: "joe", Created: r.now,
	}
	require.Equal(t, want, got)
	target := r.targets.targets[want.Target]
	require.Equal(t, want.Initiators, target.Initiators)
	require.Equal(t, &iscsi.CHAP{User: "joe", Secret: secret}, target.CHAP)
	require.Equal(t, "db01", target.Alias)
	require.Len(t, target.Units, 1)
	res := target.Units[0].Execute(t.Context(), &scsi.Command{CDB: []byte("\x12\x01\x80\x00\xff\x00"), Expected: 255})
	require.Equal(t, string(ref("db01").ID), string(res.DataIn[4:]), "hosts see the volume's id")

	one, err := r.Export(t.Context(), ref("db01"))
	require.NoError(t, err)
	require.Equal(t, want, one)
	r.targets.sessions = []iscsi.SessionInfo{{Target: want.Target}, {Target: prefix + ":other"}, {Target: prefix + ":DB01"}}
	exposed, sessions := r.Exposed(ref("db01"))
	require.True(t, exposed)
	require.Equal(t, 2, sessions)
	exposed, sessions = r.Exposed(ref("db02"))
	require.False(t, exposed)
	require.Zero(t, sessions)
}

func TestExposeReadOnly(t *testing.T) {
	r := newRig(t, "v")
	e, err := r.Expose(t.Context(), Request{Volume: ref("v"), ReadOnly: true})
	require.NoError(t, err)
	require.True(t, e.ReadOnly)
	write := &scsi.Command{CDB: []byte("\x2a\x00\x00\x00\x00\x00\x00\x00\x00\x00")}
	res := r.targets.targets[e.Target].Units[0].Execute(t.Context(), write)
	require.Equal(t, scsi.StatusCheckCondition, res.Status)
	r.restart()
	require.NoError(t, r.Restore(t.Context()))
	res = r.targets.targets[e.Target].Units[0].Execute(t.Context(), write)
	require.Equal(t, scsi.StatusCheckCondition, res.Status)
	require.True(t, r.expose("v").ReadOnly, "a second request does not lift it")

	r = newRig(t, "v")
	r.expose("v")
	_, err = r.Expose(t.Context(), Request{Volume: ref("v"), ReadOnly: true})
	requireKind(t, blockdev.KindInvalid, err)
}

func TestExposeTwice(t *testing.T) {
	r := newRig(t, "v")
	first := r.expose("v", hostA)
	require.Equal(t, first, r.expose("v", hostA), "the same request changes nothing")
	require.Equal(t, []string{hostA, hostB}, r.expose("v", hostB).Initiators)
	require.Equal(t, []string{hostA, hostB}, r.expose("v").Initiators, "a list is not opened to all by a request for none")
	e, err := r.Expose(t.Context(), Request{Volume: ref("v"), User: "joe", Secret: secret})
	require.NoError(t, err)
	require.Equal(t, "joe", e.User)
	require.Equal(t, "joe", r.expose("v").User, "credentials stay")
	target := r.targets.targets[first.Target]
	require.Equal(t, []string{hostA, hostB}, target.Initiators)
	require.Equal(t, secret, target.CHAP.Secret)
	require.Equal(t, 1, r.pool.handles())

	r = newRig(t, "v")
	r.expose("v")
	require.Empty(t, r.expose("v", hostA).Initiators, "initiators are only added")
}

func TestExposeRefuses(t *testing.T) {
	r := newRig(t, "v")
	for name, c := range map[string]struct {
		want blockdev.Kind
		req  Request
	}{
		"no such volume": {blockdev.KindNotFound, Request{Volume: ref("w")}},
		"no such pool":   {blockdev.KindNotFound, Request{Volume: VolumeRef{Pool: "q", ID: ref("v").ID}}},
		"bad initiator":  {blockdev.KindInvalid, Request{Volume: ref("v"), Initiators: []string{hostA, "host"}}},
		"short secret":   {blockdev.KindInvalid, Request{Volume: ref("v"), User: "joe", Secret: "short"}},
		"no user":        {blockdev.KindInvalid, Request{Volume: ref("v"), Secret: secret}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := r.Expose(t.Context(), c.req)
			requireKind(t, c.want, err)
		})
	}
	require.Empty(t, r.meta.data)
	require.Empty(t, r.targets.names())
	require.Zero(t, r.pool.handles())
}

func TestNameCollision(t *testing.T) {
	r := newRig(t, "v", "V")
	r.expose("v")
	stored := r.meta.updates.calls
	_, err := r.Expose(t.Context(), Request{Volume: ref("V")})
	requireKind(t, blockdev.KindExists, err)
	require.Equal(t, stored, r.meta.updates.calls, "refused before anything is stored")
	require.NoError(t, r.Hide(t.Context(), ref("v"), nil))
	r.expose("V")
	require.Equal(t, 1, r.pool.handles())
}

func TestRenameKeepsTarget(t *testing.T) {
	r := newRig(t, "old")
	r.expose("old")
	v := r.pool.volumes[ref("old").ID]
	v.Name = "new"
	r.pool.volumes[v.ID] = v
	require.Equal(t, prefix+":old", r.expose("old").Target)
	r.restart()
	require.NoError(t, r.Restore(t.Context()))
	require.Equal(t, []string{prefix + ":old"}, r.targets.names())
}

func TestHide(t *testing.T) {
	r := newRig(t, "v")
	r.expose("v")
	requireKind(t, blockdev.KindInvalid, r.Hide(t.Context(), ref("v"), []string{hostA}))
	require.NoError(t, r.Hide(t.Context(), ref("v"), nil))
	requireKind(t, blockdev.KindNotFound, r.Hide(t.Context(), ref("v"), nil))
	_, err := r.Export(t.Context(), ref("v"))
	requireKind(t, blockdev.KindNotFound, err)
	require.Empty(t, r.targets.names())
	require.Empty(t, r.meta.data)
	require.Zero(t, r.pool.handles())
	r.expose("v")
}

func TestHideFromInitiators(t *testing.T) {
	r := newRig(t, "v")
	e := r.expose("v", hostA, hostB)
	requireKind(t, blockdev.KindInvalid, r.Hide(t.Context(), ref("v"), []string{"host"}))
	require.NoError(t, r.Hide(t.Context(), ref("v"), []string{"iqn.1994-05.com.example:C"}))
	require.Equal(t, []string{hostA, hostB}, r.targets.targets[e.Target].Initiators)
	require.NoError(t, r.Hide(t.Context(), ref("v"), []string{"IQN.1994-05.com.example:A"}))
	require.Equal(t, []string{hostB}, r.targets.targets[e.Target].Initiators)
	r.restart()
	require.NoError(t, r.Restore(t.Context()))
	require.Equal(t, []string{hostB}, r.targets.targets[e.Target].Initiators)
	require.NoError(t, r.Hide(t.Context(), ref("v"), []string{hostB}))
	require.Empty(t, r.targets.names(), "an empty list would let everyone in")
	require.Empty(t, r.meta.data)
	require.Zero(t, r.pool.handles())
}

func TestHideWhenCommandsHang(t *testing.T) {
	r := newRig(t, "v")
	r.expose("v")
	ctx, cancel := context.WithCancel(t.Context())
	r.targets.removing = func(ctx context.Context) error {
		cancel()
		return blockdev.Wrap(blockdev.KindBusy, "remove target", ctx.Err())
	}
	require.NoError(t, r.Hide(ctx, ref("v"), nil), "Close of the device waits for the rest")
	require.Zero(t, r.pool.handles())
	require.Contains(t, r.log.String(), "remove target")
	exposed, _ := r.Exposed(ref("v"))
	require.False(t, exposed)
}

func TestRestart(t *testing.T) {
	r := newRig(t, "a", "b", "c")
	_, err := r.Expose(t.Context(), Request{Volume: ref("a"), Initiators: []string{hostA}, User: "joe", Secret: secret})
	require.NoError(t, err)
	r.expose("b")
	r.expose("c")
	require.NoError(t, r.Hide(t.Context(), ref("b"), nil))
	before, err := r.Exports.Exports(t.Context())
	require.NoError(t, err)

	r.restart()
	require.Empty(t, r.listed())
	require.NoError(t, r.Restore(t.Context()))
	after, err := r.Exports.Exports(t.Context())
	require.NoError(t, err)
	require.Equal(t, before, after)
	require.Equal(t, []string{prefix + ":a", prefix + ":c"}, r.targets.names())
	require.Equal(t, &iscsi.CHAP{User: "joe", Secret: secret}, r.targets.targets[prefix+":a"].CHAP)
	require.NoError(t, r.Restore(t.Context()), "a second time changes nothing")
	require.Equal(t, 2, r.pool.handles())
	_, err = r.Expose(t.Context(), Request{Volume: ref("b")})
	require.NoError(t, err)
}

func TestSecretIsNotShown(t *testing.T) {
	r := newRig(t, "v", "w")
	e, err := r.Expose(t.Context(), Request{Volume: ref("v"), User: "joe", Secret: secret})
	require.NoError(t, err)
	require.NotContains(t, fmt.Sprintf("%+v", e), secret)
	r.targets.accesses.at = 1
	_, err = r.Expose(t.Context(), Request{Volume: ref("v"), User: "joe", Secret: secret + "2"})
	requireKind(t, blockdev.KindInternal, err)
	r.targets.adds.at = 2
	_, err = r.Expose(t.Context(), Request{Volume: ref("w"), User: "joe", Secret: secret})
	requireKind(t, blockdev.KindInternal, err)
	require.NoError(t, r.Hide(t.Context(), ref("v"), nil))
	require.NotContains(t, r.log.String(), secret)
}

func TestClose(t *testing.T) {
	r := newRig(t, "a", "b")
	r.expose("a")
	r.expose("b")
	require.NoError(t, r.Close(t.Context()))
	require.NoError(t, r.Close(t.Context()))
	require.Empty(t, r.targets.names())
	require.Zero(t, r.pool.handles())
	_, err := r.Expose(t.Context(), Request{Volume: ref("a"), Initiators: []string{hostA}})
	requireKind(t, blockdev.KindClosed, err)
	requireKind(t, blockdev.KindClosed, r.Hide(t.Context(), ref("a"), nil))
	requireKind(t, blockdev.KindClosed, r.Restore(t.Context()))
	r.restart()
	require.NoError(t, r.Restore(t.Context()))
	require.Equal(t, []string{prefix + ":a", prefix + ":b"}, r.targets.names(), "Close forgets nothing")
}

// TestCloseWaitsForExpose closes while a volume is on its way to being exposed.
func TestCloseWaitsForExpose(t *testing.T) {
	r := newRig(t, "v", "w")
	entered, open := make(chan struct{}), make(chan struct{})
	r.meta.cut = func() {
		close(entered)
		<-open
	}
	exposed := make(chan error)
	go func() {
		_, err := r.Expose(context.Background(), Request{Volume: ref("v")})
		exposed <- err
	}()
	<-entered
	closed := make(chan error)
	go func() { closed <- r.Close(context.Background()) }()
	for closing := false; !closing; {
		r.mu.Lock()
		closing = r.closed
		r.mu.Unlock()
		runtime.Gosched()
	}
	requireKind(t, blockdev.KindClosed, r.claim("op", prefix+":w", ref("w")))
	close(open)
	require.NoError(t, <-exposed)
	require.NoError(t, <-closed)
	require.Empty(t, r.targets.names())
	require.Zero(t, r.pool.handles())
	require.Len(t, r.meta.data, 1)
}

func TestInParallel(t *testing.T) {
	names := []string{"a", "b", "c", "d"}
	r := newRig(t, names...)
	var wg sync.WaitGroup
	for _, name := range names {
		for i := range 4 {
			wg.Go(func() {
				for n := range 20 {
					if _, err := r.Expose(t.Context(), Request{Volume: ref(name), Initiators: []string{hostA}}); err != nil {
						t.Error(err)
					}
					if i == 0 && n%3 == 0 {
						if err := r.Hide(t.Context(), ref(name), nil); err != nil && !blockdev.Is(err, blockdev.KindNotFound) {
							t.Error(err)
						}
					}
					_, _ = r.Exports.Exports(t.Context())
					r.Exposed(ref(name))
				}
			})
		}
	}
	wg.Wait()
	for _, name := range names {
		r.expose(name)
	}
	require.Equal(t, 4, r.pool.handles(), "one handle for each export, whoever came first")
	require.Len(t, r.targets.names(), 4)
	require.Empty(t, r.locks.held)
}

func TestWaitingForAVolumeCanBeGivenUp(t *testing.T) {
	r := newRig(t, "v")
	r.expose("v")
	entered, open := make(chan struct{}), make(chan struct{})
	r.targets.removing = func(context.Context) error {
		close(entered)
		<-open
		return nil
	}
	done := make(chan error)
	go func() { done <- r.Hide(context.Background(), ref("v"), nil) }()
	<-entered
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := r.Expose(ctx, Request{Volume: ref("v")})
	requireKind(t, blockdev.KindBusy, err)
	close(open)
	require.NoError(t, <-done)
}
