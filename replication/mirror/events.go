package mirror

import (
	"context"
	"sync"
)

// events carries news to the owner without holding anyone up. Progress is kept in
// its newest form only.
type events struct {
	to   Events
	wake chan struct{} // holds at most one

	mu       sync.Mutex // guards what follows
	news     []func(Events)
	progress func(Events)
}

func newEvents(to Events) *events {
	return &events{to: to, wake: make(chan struct{}, 1)}
}

// tell queues one piece of news, after the progress so far.
func (e *events) tell(f func(Events)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.progress != nil {
		e.news = append(e.news, e.progress)
		e.progress = nil
	}
	e.news = append(e.news, f)
	poke(e.wake)
}

// tellProgress replaces progress that was not told yet.
func (e *events) tellProgress(done, total int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.progress = func(to Events) { to.Progress(done, total) }
	poke(e.wake)
}

// run tells until ctx ends; what is not told then is not told any more.
func (e *events) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.wake:
		}
		for _, f := range e.take() {
			if ctx.Err() != nil {
				return
			}
			f(e.to)
		}
	}
}

func (e *events) take() []func(Events) {
	e.mu.Lock()
	defer e.mu.Unlock()
	news := e.news
	if e.progress != nil {
		news = append(news, e.progress)
	}
	e.news, e.progress = nil, nil
	return news
}

// poke wakes the one who receives from c, now or when it comes.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
