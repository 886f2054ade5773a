package server

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
)

// blockingService counts calls, each of which waits until goOn is closed.
func blockingService(l *live) (calls *atomic.Int64, goOn chan struct{}) {
	calls, goOn = new(atomic.Int64), make(chan struct{})
	l.withService(nil, nil)
	l.broker.invoke = func(ctx context.Context, _ *cim.Call) (*cim.Reply, error) {
		n := calls.Add(1)
		<-goOn
		return &cim.Reply{Return: uint64(n)}, ctx.Err()
	}
	return calls, goOn
}

func (l *live) send(t *testing.T, body string) net.Conn {
	t.Helper()
	c := l.dial(t)
	_, err := io.WriteString(c, rawRequest("/wsman", basicAdmin, body))
	require.NoError(t, err)
	return c
}

func eventually(t *testing.T, f func() bool, what string) {
	t.Helper()
	require.Eventually(t, f, 20*time.Second, time.Millisecond, what)
}

// The same message twice at once is one message: both get its one answer.
func TestMessageThatComesAgainMeanwhile(t *testing.T) {
	l := newLive(t)
	calls, goOn := blockingService(l)
	text := invoke(serviceURI, "Ping", "").windows()
	first := l.send(t, text)
	eventually(t, func() bool { return calls.Load() == 1 }, "the call has begun")
	second := l.send(t, text)
	other := l.send(t, strings.Replace(text, messageID, "uuid:2", 1))
	eventually(t, func() bool { return calls.Load() == 2 && len(l.inFlight) == 3 }, "the other one is another")
	close(goOn)
	_, _, one := rawAnswer(t, bufio.NewReader(first))
	status, _, two := rawAnswer(t, bufio.NewReader(second))
	require.Equal(t, "200", status)
	require.Equal(t, one, two)
	_, _, three := rawAnswer(t, bufio.NewReader(other))
	require.Contains(t, three, "ReturnValue>2<")
	require.Equal(t, int64(2), calls.Load())
	eventually(t, func() bool { return l.repeats.count() == 0 }, "nothing is kept")
}

// lostOnce is a service that says how often it was called. hungUp is a client that
// hangs up during the first call.
func lostOnce(t *testing.T) (w *world, hungUp context.Context) {
	w = newWorld(t).withService(nil, nil)
	client, hangUp := context.WithCancel(t.Context())
	calls := uint64(0)
	w.broker.invoke = func(ctx context.Context, _ *cim.Call) (*cim.Reply, error) {
		calls++
		w.clock.add(time.Hour) // what counts is when it ends
		hangUp()
		return &cim.Reply{Return: calls}, ctx.Err()
	}
	return w, client
}

// Who lost the connection and sends again gets the answer that it missed: the work
// went on to its end. Who got its answer may send the same again.
func TestMessageWhoseAnswerWasLost(t *testing.T) {
	w, hungUp := lostOnce(t)
	text := invoke(serviceURI, "Ping", "").windows()
	for range 3 {
		w.serve(t, httpRequest(text).WithContext(hungUp))
	}
	require.Contains(t, w.ok(t, text).text, "ReturnValue>1<", "it was lost three times")
	require.Len(t, w.audits.lines(t), 1)
	require.Zero(t, w.repeats.count())
	require.Empty(t, w.repeats.lost)
	require.Contains(t, w.ok(t, text).text, "ReturnValue>2<", "told, so this is a new one")
	require.Contains(t, w.ok(t, text).text, "ReturnValue>3<", "answered at once")
	require.Zero(t, w.repeats.count())
}

// Nobody waits for ever for who has lost an answer.
func TestLostAnswerIsForgotten(t *testing.T) {
	w, hungUp := lostOnce(t)
	text := invoke(serviceURI, "Ping", "").windows()
	w.serve(t, httpRequest(text).WithContext(hungUp))
	require.Equal(t, 1, w.repeats.count())
	w.clock.add(keepLostFor)
	require.Contains(t, w.ok(t, text).text, "ReturnValue>2<")
	require.Zero(t, w.repeats.count())
}

// Messages that change nothing, and the same bytes of another user, are their own.
func TestMessagesThatAreNotTheSame(t *testing.T) {
	r := newRepeats()
	begin := func(user, body string) *firstTime {
		rq := &request{http: httpRequest(""), out: nopWriter{http.Header{}}, who: cim.Principal{Name: user}}
		return (&repetition{all: r, time: time.Now}).begin(rq, []byte(body))
	}
	require.Nil(t, begin("a", "x"))
	require.Nil(t, begin("b", "x"))
	require.Nil(t, begin("a", "y"))
	require.NotNil(t, begin("a", "x"))
}

// What is kept is bounded in number, size and time.
func TestLostAnswersAreBounded(t *testing.T) {
	r := newRepeats()
	now := time.Now()
	for i := range 3 * keepLost {
		own, first := r.begin(messageKey{byte(i), byte(i >> 8)}, now)
		require.Nil(t, first)
		own.status, own.data = http.StatusOK, make([]byte, keepLostSize+i%2)
		r.end(own, true, now)
		require.LessOrEqual(t, len(r.byKey), keepLost)
		require.LessOrEqual(t, len(r.lost), keepLost)
	}
	last := 3*keepLost - 1
	_, kept := r.begin(messageKey{byte(last), byte(last >> 8)}, now)
	require.NotNil(t, kept)
	require.Nil(t, kept.data, "too large to keep")
	_, kept = r.begin(messageKey{byte(last - 1), byte((last - 1) >> 8)}, now)
	require.Len(t, kept.data, keepLostSize)
	own, _ := r.begin(messageKey{255, 255}, now.Add(keepLostFor))
	require.NotNil(t, own)
	require.Len(t, r.byKey, 1, "all others are too old")
	require.Empty(t, r.lost)
}

// Where the answer is not there any more, the client learns that it was.
func TestLostAnswerThatWasTooLarge(t *testing.T) {
	w := newWorld(t).withService(&cim.Reply{Return: uint64(0), Reason: strings.Repeat("x", keepLostSize)}, nil)
	gone, hangUp := context.WithCancel(t.Context())
	hangUp()
	text := invoke(serviceURI, "Ping", "").windows()
	w.serve(t, httpRequest(text).WithContext(gone))
	require.Len(t, w.broker.calls, 1)
	r := w.fails(t, text, "w:EncodingLimit")
	require.Equal(t, unreportable, r.faultDetail())
	require.Len(t, w.broker.calls, 1)
}

// A fault is not kept: the client may try again.
func TestLostFaultIsNotKept(t *testing.T) {
	w := newWorld(t).withService(nil, cim.Errorf(cim.StatusFailed, "no"))
	gone, hangUp := context.WithCancel(t.Context())
	hangUp()
	text := invoke(serviceURI, "Ping", "").windows()
	w.serve(t, httpRequest(text).WithContext(gone))
	w.fails(t, text, "w:InternalError")
	require.Len(t, w.broker.calls, 2)
	require.Zero(t, w.repeats.count())
}

// Time is up for the one that waits, not for the work.
func TestWaitingForTheFirstTimesOut(t *testing.T) {
	l := newLive(t)
	calls, goOn := blockingService(l)
	m := invoke(serviceURI, "Ping", "")
	m.timeout = "PT0.05S"
	first := l.send(t, m.windows())
	eventually(t, func() bool { return calls.Load() == 1 }, "the call has begun")
	status, _, body := rawAnswer(t, bufio.NewReader(l.send(t, m.windows())))
	require.Equal(t, "500", status)
	require.Contains(t, body, `Code="2150858793"`)
	close(goOn)
	rawAnswer(t, bufio.NewReader(first))
	require.Equal(t, int64(1), calls.Load())
}
