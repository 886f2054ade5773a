package server

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/wsman"
	"twinlun/wsman/eventing"
	"twinlun/wsman/soap"
)

// With nothing to say the answer is an empty one, before the client's time is over.
func TestEventPullTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newEventWorld(t)
		id := w.subscribe(t, windowsSubscribe(""))
		for _, c := range []struct {
			timeout, more string
			after         time.Duration
		}{
			{"PT20.000S", "", 18 * time.Second},
			{"PT2.000S", "", 1800 * time.Millisecond},
			{"PT20.000S", "<n:MaxTime>PT3S</n:MaxTime>", 3 * time.Second},
		} {
			begin := time.Now()
			r := w.ok(t, eventPullMessage(id, c.timeout, c.more))
			require.Equal(t, c.after, time.Since(begin))
			require.Empty(t, r.items())
			require.Equal(t, id, r.context())
			require.False(t, r.ended())
		}
	})
}

// Who waits does not keep others from being served.
func TestEventPullsWaitOutside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newEventWorld(t)
		const waiting = 6 // more than requests may be under way
		var ids []string
		for range waiting {
			ids = append(ids, w.subscribe(t, windowsSubscribe("")))
		}
		var wg sync.WaitGroup
		got := make([][]string, waiting)
		for i, id := range ids {
			wg.Go(func() { got[i] = w.ok(t, eventPullMessage(id, "", "")).texts() })
		}
		synctest.Wait()
		require.Zero(t, len(w.inFlight))
		w.fails(t, eventPullMessage(ids[0], "", ""), "w:Concurrency")
		w.happen("now")
		wg.Wait()
		for _, texts := range got {
			require.Equal(t, []string{"now"}, texts)
		}
		require.Zero(t, len(w.inFlight))
	})
}

// A client that hangs up loses nothing.
func TestEventPullCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newEventWorld(t)
		id := w.subscribe(t, windowsSubscribe(""))
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		w.serve(t, httpRequest(eventPullMessage(id, "", "")).WithContext(ctx))
		w.happen("after")
		require.Equal(t, []string{"after"}, w.ok(t, eventPullMessage(id, "", "")).texts())
	})
}

func TestEventBookmarksAndLoss(t *testing.T) {
	w := newEventWorld(t, func(c *eventing.Config) { c.Limits.History = 2 })
	bookmarks := `<w:SendBookmarks/>`
	id := w.subscribe(t, windowsSubscribe(bookmarks))
	w.happen("1", "2", "3")
	r := w.ok(t, eventPullMessage(id, "", ""))
	items := r.items()
	require.Len(t, items, 3)
	require.True(t, soap.Is(items[0], wsman.NSWSMan, "DroppedEvents"))
	require.Equal(t, "1", soap.Text(items[0]))
	mark := soap.ChildText(r.Header, wsman.NSWSMan, "Bookmark")
	require.NotEmpty(t, mark)

	w.happen("4")
	resumed := w.subscribe(t, windowsSubscribe(bookmarks+`<w:Bookmark>`+mark+`</w:Bookmark>`))
	require.Equal(t, []string{"4"}, w.ok(t, eventPullMessage(resumed, "", "")).texts())
	w.happen("5", "6", "7")
	r = w.fails(t, windowsSubscribe(`<w:Bookmark>`+mark+`</w:Bookmark>`), "w:InvalidBookmark")
	require.Equal(t, "Expired", r.faultDetail())
	w.fails(t, windowsSubscribe(`<w:Bookmark><x/></w:Bookmark>`), "w:InvalidBookmark")

	// To Windows everything in n:Items is an instance: it is told in a header.
	h := httpRequest(eventPullMessage(resumed, "", ""))
	h.Header.Set("User-Agent", "Microsoft WinRM Client")
	rec := w.serve(t, h)
	r = decodeReply(t, rec.Code, rec.Header().Get("Content-Type"), rec.Body.Bytes())
	require.Equal(t, []string{"6", "7"}, r.texts())
	require.Equal(t, "1", soap.ChildText(r.Header, wsman.NSWSMan, "DroppedEvents"))
}

func TestEventPullRoom(t *testing.T) {
	w := newEventWorld(t)
	id := w.subscribe(t, windowsSubscribe(""))
	long := strings.Repeat("x", 3000)
	w.happen(long, long, long, long)
	pull := func(size int) string {
		return message{action: wsman.ActionPull, uri: wsman.AllClassesURI, maxSize: size,
			body: `<n:Pull><n:EnumerationContext>` + id + `</n:EnumerationContext><n:MaxElements>20</n:MaxElements></n:Pull>`}.windows()
	}
	r := w.ok(t, pull(9000))
	require.Len(t, r.items(), 2)
	require.LessOrEqual(t, len(r.text), 9000)
	require.Len(t, w.ok(t, pull(512000)).items(), 2)

	w.happen(strings.Repeat("x", 10000))
	r = w.fails(t, pull(9000), "w:EncodingLimit")
	require.Equal(t, "MaxEnvelopeSizeExceeded", r.faultDetail())
	require.Len(t, w.ok(t, pull(512000)).items(), 1)
}

// Who waits for events outside of the requests under way holds little memory.
func TestEventPullOfALargeMessage(t *testing.T) {
	w := newEventWorld(t)
	id := w.subscribe(t, windowsSubscribe(""))
	w.happen("one")
	padded := func(size int) string {
		text := eventPullMessage(id, "", "")
		return text + strings.Repeat(" ", size-len(text))
	}
	require.Equal(t, "ServiceEnvelopeLimit", w.fails(t, padded(maxWaiting+1), "w:EncodingLimit").faultDetail())
	require.Equal(t, []string{"one"}, w.ok(t, padded(maxWaiting)).texts())
}
