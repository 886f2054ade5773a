package server

import (
	"context"
	"crypto/sha256"
	"net/http"
	"slices"
	"sync"
	"time"

	"twinlun/wsman"
)

// A client that lost its connection sends its message again, or its HTTP library
// does so without telling it. Where the message changes something it must not be
// carried out twice: while the first is under way the second waits and gets the same
// answer; where the answer to the first could not be delivered the second gets that.
// The same message is one from the same user that is the same in every byte, the
// MessageID included. When a client has its answer, its message is forgotten: some
// clients have one MessageID for all they send.

// What is kept of answers that could not be delivered.
const (
	keepLost     = 256      // answers
	keepLostSize = 64 << 10 // bytes of one
	keepLostFor  = 5 * time.Minute
)

type messageKey [sha256.Size]byte

// repeats are the messages under way and those whose answer was lost.
type repeats struct {
	mu    sync.Mutex // guards what follows
	byKey map[messageKey]*firstTime
	lost  []*firstTime // the oldest first
}

// firstTime is a message that came for the first time, and its answer, which is
// there when done is closed.
type firstTime struct {
	key         messageKey
	done        chan struct{}
	until       time.Time // that a lost answer is kept
	status      int
	contentType string
	data        []byte
}

func newRepeats() *repeats { return &repeats{byKey: map[messageKey]*firstTime{}} }

// begin takes in a message. It returns nil and the entry to end where it is the
// first, else the first.
func (r *repeats) begin(key messageKey, now time.Time) (own, first *firstTime) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.expireLocked(now)
	if first := r.byKey[key]; first != nil {
		return nil, first
	}
	own = &firstTime{key: key, done: make(chan struct{})}
	r.byKey[key] = own
	return own, nil
}

// end gives the answer of a message to those who wait for it, and keeps it if it was
// lost.
func (r *repeats) end(e *firstTime, lost bool, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.expireLocked(now)
	if lost {
		e.until = now.Add(keepLostFor)
		if len(e.data) > keepLostSize {
			e.data = nil
		}
		r.lost = append(r.lost, e)
	} else {
		delete(r.byKey, e.key)
	}
	close(e.done)
}

// forget is called when a lost answer has arrived after all: the next message that is
// the same is a new one.
func (r *repeats) forget(e *firstTime) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byKey[e.key] == e {
		delete(r.byKey, e.key)
		r.lost = slices.DeleteFunc(r.lost, func(l *firstTime) bool { return l == e })
	}
}

// expireLocked forgets lost answers that are too old or too many.
func (r *repeats) expireLocked(now time.Time) {
	for len(r.lost) > 0 && (len(r.lost) >= keepLost || !now.Before(r.lost[0].until)) {
		delete(r.byKey, r.lost[0].key)
		r.lost[0] = nil
		r.lost = r.lost[1:]
	}
}

// count is how many messages are under way or kept.
func (r *repeats) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.byKey)
}

// repetition is one message's part in repeats.
type repetition struct {
	all  *repeats
	time func() time.Time
	own  *firstTime // nil where nothing is to be ended
	out  *recorder
}

// begin says whether the message came before and returns that, else nil; the answer
// is recorded then.
func (p *repetition) begin(rq *request, body []byte) (first *firstTime) {
	h := sha256.New()
	// A user's name has no such character.
	_, _ = h.Write([]byte(rq.who.Name + "\x00"))
	_, _ = h.Write(body)
	if p.own, first = p.all.begin(messageKey(h.Sum(nil)), p.time()); first == nil {
		p.out = &recorder{ResponseWriter: rq.out, client: rq.http.Context()}
		rq.out = p.out
	}
	return first
}

// end is called when the message was answered, or could not be. A fault that was
// lost is not kept: the client may try again.
func (p *repetition) end() {
	if p.own == nil {
		return
	}
	p.own.status, p.own.data = p.out.status, p.out.data
	p.own.contentType = p.out.Header().Get("Content-Type")
	p.all.end(p.own, p.out.lost && p.out.status == http.StatusOK, p.time())
}

// answerAgain answers a message that came before as it was answered then.
func (s *Server) answerAgain(ctx context.Context, rq *request, first *firstTime) error {
	select {
	case <-first.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	s.config.Logger.Info("wsman: a message came again and is not carried out again", "user", rq.who.Name,
		"remote", rq.http.RemoteAddr, "message", rq.relatesTo())
	if first.data == nil {
		return wsman.EncodingLimit(unreportable, "this message was carried out before; its answer is not there any more")
	}
	out := &recorder{ResponseWriter: rq.out, client: rq.http.Context()}
	s.send(out, first.status, first.contentType, first.data)
	if !out.lost {
		s.repeats.forget(first)
	}
	return nil
}

// recorder keeps the answer that passes through it.
type recorder struct {
	http.ResponseWriter
	client context.Context // ends when the client hangs up
	status int
	data   []byte
	lost   bool // the client was gone before it was sent, or sending failed
}

// Unwrap is for http.ResponseController.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// WriteHeader keeps the status.
func (r *recorder) WriteHeader(status int) {
	r.status, r.lost = status, r.client.Err() != nil
	r.ResponseWriter.WriteHeader(status)
}

// Write keeps a copy.
func (r *recorder) Write(p []byte) (int, error) {
	r.data = append(r.data, p...)
	n, err := r.ResponseWriter.Write(p)
	r.lost = r.lost || err != nil
	return n, err
}
