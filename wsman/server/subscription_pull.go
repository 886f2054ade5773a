package server

import (
	"cmp"
	"context"
	"strings"
	"time"

	"twinlun/wsman"
	"twinlun/wsman/eventing"
	"twinlun/wsman/soap"
)

// isSubscription says whether the context of a Pull or Release is a subscription in
// Pull mode.
func (s *Server) isSubscription(id string) bool {
	return s.config.Events != nil && s.config.Events.Has(id)
}

// releaseEvents ends a subscription whose context is released: the client says that
// it will not pull any more. That is audited as an Unsubscribe is.
func (s *Server) releaseEvents(rq *request, id string) (a *answer, err error) {
	rq.objects = []string{id}
	defer func() { s.audit(rq, s.actions[wsman.ActionRelease], a, err) }()
	if err := s.config.Events.Unsubscribe(rq.who, id); err != nil {
		return nil, wsman.InvalidEnumerationContext("there is no such subscription: it has ended or expired").With(err)
	}
	return &answer{code: resultOK}, nil
}

// eventPull is what a Pull of events asks for.
type eventPull struct {
	id      string
	most    int
	maxTime time.Duration // 0: it does not say
	chars   int           // MaxCharacters; 0: it does not say
}

// maxWaiting is the size of a message that may wait for events, in bytes: what waits
// does not count as a request under way, and holds the memory of its message.
const maxWaiting = 32 << 10

// pullEvents waits for events and sends what there is (DSP0226 section 10.2.9.5).
// Where nothing happens in time the answer is without events: a fault would end the
// subscription for some clients, and so would a heartbeat.
func (s *Server) pullEvents(ctx context.Context, rq *request, p eventPull) (*answer, error) {
	if rq.size > maxWaiting {
		return nil, wsman.EncodingLimit(wsman.DetailServiceEnvelope, "a Pull that waits for events may have %d bytes at most", maxWaiting)
	}
	o := eventing.PullOptions{Most: min(p.most, s.config.Limits.Batch), Wait: s.patience(rq, p.maxTime)}
	b, err := s.awaitEvents(ctx, rq, p.id, o)
	if err != nil {
		return nil, err
	}
	if err := b.Fit(s.eventRoom(rq, p.chars)); err != nil {
		b.Done(false)
		return nil, err
	}
	sent := false
	return &answer{
		sized:  true,
		header: func(w *soap.Writer) { writePullHeader(w, rq, b) },
		body: func(w *soap.Writer) error {
			writeEvents(w, rq, b, p.id)
			sent = true
			return nil
		},
		done: func() { b.Done(sent) },
	}, nil
}

// awaitEvents pulls. Who waits does not count as a request under way, neither of the
// user's nor of all: there may be as many as subscriptions.
func (s *Server) awaitEvents(ctx context.Context, rq *request, id string, o eventing.PullOptions) (b *eventing.Batch, err error) {
	<-s.inFlight
	defer func() { s.inFlight <- struct{}{} }()
	s.users.outside(rq.who.Name, func() { b, err = s.config.Events.Pull(ctx, rq.who, id, o) })
	return b, err
}

// outside calls f without the place that the caller has among those of a user, and
// takes one again.
func (p *places) outside(user string, f func()) {
	u := p.find(user)
	defer p.drop(user, u)
	<-u.taken
	defer func() { u.taken <- struct{}{} }()
	f()
}

// patience is how long a Pull may wait so that its answer comes in time.
func (s *Server) patience(rq *request, maxTime time.Duration) time.Duration {
	const early = 10 // of this part of the time
	d := s.timeout(rq)
	d -= min(d/early, 5*time.Second)
	return min(d, cmp.Or(maxTime, d))
}

// eventRoom is how many bytes an answer may have.
func (s *Server) eventRoom(rq *request, chars int) int {
	room := s.config.Limits.Answer
	if limit := rq.maxAnswer(); limit > 0 {
		room = int(min(limit, int64(s.config.Limits.Body)))
	}
	return min(room, cmp.Or(chars, room))
}

// isWindows knows the clients of Windows, which take everything in n:Items for an
// instance.
func isWindows(rq *request) bool {
	return strings.Contains(rq.http.Header.Get("User-Agent"), "WinRM")
}

// writePullHeader writes the bookmark after the batch, and for Windows clients the
// loss before it.
func writePullHeader(w *soap.Writer, rq *request, b *eventing.Batch) {
	if mark := b.Bookmark(); mark != "" {
		w.Element("w", "Bookmark", mark)
	}
	if b.Lost() != 0 && isWindows(rq) {
		eventing.WriteDropped(w, b.Lost())
	}
}

func writeEvents(w *soap.Writer, rq *request, b *eventing.Batch, id string) {
	w.Start("n", "PullResponse")
	w.Element("n", "EnumerationContext", id)
	w.Start("n", "Items")
	if b.Lost() != 0 && !isWindows(rq) {
		eventing.WriteDropped(w, b.Lost())
	}
	b.Write(w)
	w.End()
	w.End()
}
