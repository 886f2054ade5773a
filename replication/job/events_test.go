package job

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/replication/store"
	"twinlun/replication/store/faultstore"
)

// heard is what Events told, as words; each event must follow from the one before.
type heard struct {
	t     *testing.T
	mu    sync.Mutex
	words []string
	known map[string]string
}

func (h *heard) take(before, after *Record) {
	h.mu.Lock()
	defer h.mu.Unlock()
	one := after
	if one == nil {
		one = before
	}
	require.Equal(h.t, h.known[one.ID], text(h.t, before))
	h.known[one.ID] = text(h.t, after)
	switch {
	case before == nil:
		h.words = append(h.words, "created "+after.State.String())
	case after == nil:
		h.words = append(h.words, "deleted "+before.State.String())
	default:
		h.words = append(h.words, fmt.Sprintf("%v %d", after.State, after.Percent))
	}
}

func text(t *testing.T, r *Record) string {
	if r == nil {
		return ""
	}
	b, err := json.Marshal(r)
	require.NoError(t, err)
	return string(b)
}

// said is what was told since the last time.
func (h *heard) said() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	words := h.words
	h.words = nil
	return words
}

func listening(t *testing.T, s store.Store) (*Manager, *heard) {
	h := &heard{t: t, known: map[string]string{}}
	m, err := NewManager(Config{Store: s, Events: h.take})
	require.NoError(t, err)
	return m, h
}

func TestEventsOfALife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, h := listening(t, store.NewMem())
		stopped := make(chan struct{})
		go func() { m.Run(t.Context()); close(stopped) }()
		r := create(t, m, Spec{Name: "a", Affected: []Element{{Kind: Volume, ID: "v"}}})
		require.Empty(t, h.said(), "the transaction may fail yet")
		m.Created(ctx, r.ID)
		m.Created(ctx, r.ID)
		require.Equal(t, []string{"created new"}, h.said())
		run := start(t, m, r.ID)
		run.Progress(1)
		run.Progress(1)
		run.Progress(40)
		require.NoError(t, m.Cancel(ctx, r.ID))
		require.NoError(t, m.Cancel(ctx, r.ID))
		require.Equal(t, []string{"running 0", "running 1", "running 40", "running 40"}, h.said(), "what is no news is not told")
		require.NoError(t, run.Finish(ctx, 4, errBoom))
		run.Progress(50)
		require.Equal(t, []string{"exception 100"}, h.said())
		time.Sleep(DefaultRetain + time.Second)
		synctest.Wait()
		require.Equal(t, []string{"deleted exception"}, h.said())
	})
}

func TestEventsOfDeletion(t *testing.T) {
	m, h := listening(t, store.NewMem())
	r := create(t, m, Spec{})
	require.NoError(t, m.End(ctx, r.ID, 0, nil))
	require.Equal(t, []string{"created new", "completed 100"}, h.said(), "the beginning is told before the end")
	m.Created(ctx, r.ID)
	require.NoError(t, m.Delete(ctx, r.ID))
	require.Error(t, m.Delete(ctx, r.ID))
	require.Equal(t, []string{"deleted completed"}, h.said())
}

// TestNothingIsToldThatIsNotStored: what fails is no event.
func TestNothingIsToldThatIsNotStored(t *testing.T) {
	for _, at := range []faultstore.Point{faultstore.Before, faultstore.AtCommit} {
		s := faultstore.New(store.NewMem())
		m, h := listening(t, s)
		s.Plan(faultstore.Fault{Update: 1, Point: at})
		var lost Record
		require.Error(t, s.Update(ctx, func(tx store.Tx) (err error) { lost, err = m.Create(tx, Spec{}); return err }))
		m.Created(ctx, lost.ID)
		require.Empty(t, m.fresh)

		r := create(t, m, Spec{})
		m.Created(ctx, r.ID)
		run := start(t, m, r.ID)
		h.said()
		s.Plan(faultstore.Fault{Update: 1, Point: at})
		require.Error(t, m.Cancel(ctx, r.ID))
		s.Plan(faultstore.Fault{Update: 1, Point: at})
		require.Error(t, m.End(ctx, r.ID, 0, nil))
		require.Empty(t, h.said())
		run.Progress(70)
		run.Leave()
		require.Equal(t, []string{"running 70", "running 0"}, h.said(), "a percentage that was not stored goes with the run")
		require.NoError(t, m.End(ctx, r.ID, 0, nil))
		s.Plan(faultstore.Fault{Update: 1, Point: at})
		require.Error(t, m.Delete(ctx, r.ID))
		require.Equal(t, []string{"completed 100"}, h.said())
	}
}

// TestResumedJobIsNoNews: another run of the daemon takes it up.
func TestResumedJobIsNoNews(t *testing.T) {
	s := store.NewMem()
	m, _ := listening(t, s)
	r := create(t, m, Spec{})
	start(t, m, r.ID)
	m, h := listening(t, s)
	h.known[r.ID] = text(t, ptr(get(t, m, r.ID)))
	run := start(t, m, r.ID)
	require.Empty(t, h.said())
	run.Progress(3)
	require.Equal(t, []string{"running 3"}, h.said())
}

func ptr[T any](v T) *T { return &v }

// TestEventsInOrder has several change one job at the same time.
func TestEventsInOrder(t *testing.T) {
	m, h := listening(t, store.NewMem())
	for range 50 {
		r := create(t, m, Spec{})
		var wg sync.WaitGroup
		wg.Go(func() { m.Created(ctx, r.ID) })
		wg.Go(func() { _ = m.Cancel(ctx, r.ID) })
		wg.Go(func() {
			run := start(t, m, r.ID)
			for p := range 20 {
				run.Progress(p * 4)
			}
			require.NoError(t, run.Finish(ctx, 0, nil))
		})
		wg.Wait()
		require.NoError(t, m.Delete(ctx, r.ID))
		words := h.said()
		require.Equal(t, "created new", words[0])
		require.Equal(t, "deleted completed", words[len(words)-1])
	}
}
