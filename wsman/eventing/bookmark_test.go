package eventing_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/wsman"
	"twinlun/wsman/eventing"
)

func bookmarked(bookmark *string, query string) *eventing.Request {
	return request(wsman.DeliveryPull, func(r *eventing.Request) {
		r.SendBookmarks, r.Bookmark = true, bookmark
		if query != "" {
			r.Query.Text = query
		}
	})
}

func TestBookmark(t *testing.T) {
	w := newWorld(t, small(10))
	id := w.subscribe(alice, bookmarked(nil, ""))
	w.happen("T_Alert", 1, 5)
	g := w.pull(alice, id, 3)
	require.Equal(t, upTo(1, 3), g.numbers)
	require.NoError(t, w.Unsubscribe(alice, id))
	w.happen("T_Alert", 6, 8)

	id = w.subscribe(bob, bookmarked(&g.bookmark, ""))
	require.Equal(t, upTo(4, 8), w.pull(bob, id, 10).numbers, "by whomever it goes on")

	earliest := wsman.BookmarkEarliest
	id = w.subscribe(bob, bookmarked(&earliest, "select * from T_Alert where Number % 2"))
	require.Equal(t, []int{2, 4, 6, 8}, w.pull(bob, id, 10).numbers)

	w.happen("T_Alert", 9, 13)
	id = w.subscribe(bob, bookmarked(&g.bookmark, ""))
	require.Equal(t, upTo(4, 13), w.pull(bob, id, 20).numbers, "just within the window")
	w.happen("T_Alert", 14, 14)
	_, err := w.Subscribe(t.Context(), bob, bookmarked(&g.bookmark, ""))
	requireFault(t, err, "InvalidBookmark", "Expired")
	id = w.subscribe(bob, bookmarked(&earliest, ""))
	require.Equal(t, upTo(5, 14), w.pull(bob, id, 20).numbers)
}

// A subscriber that gets nothing has bookmarks that move on: the window does not
// leave them behind.
func TestBookmarkMovesOn(t *testing.T) {
	w := newWorld(t, small(4))
	id := w.subscribe(alice, bookmarked(nil, "select * from T_Change"))
	w.happen("T_Alert", 1, 100)
	g := w.pull(alice, id, 10)
	require.Empty(t, g.numbers)
	w.happen("T_Change", 1, 2)
	id = w.subscribe(alice, bookmarked(&g.bookmark, "select * from T_Change"))
	require.Equal(t, []int{1, 2}, w.pull(alice, id, 10).numbers)
}

// A bookmark never lies behind a loss that its subscriber was not told of: who goes
// on from it learns of the loss.
func TestBookmarkBeforeLoss(t *testing.T) {
	w := newWorld(t, small(10))
	id := w.subscribe(alice, bookmarked(nil, ""))
	w.happen("T_Alert", 1, 5)
	b, err := w.Pull(t.Context(), alice, id, eventing.PullOptions{Most: 5})
	require.NoError(t, err)
	w.happen("T_Alert", 6, 30) // while the answer is made, more than can wait
	g := readBatch(t, b)
	require.Equal(t, upTo(1, 5), g.numbers)
	_, err = w.Subscribe(t.Context(), alice, bookmarked(&g.bookmark, ""))
	requireFault(t, err, "InvalidBookmark", "Expired")
	g = w.pull(alice, id, 4)
	require.EqualValues(t, 15, g.lost)
	id = w.subscribe(alice, bookmarked(&g.bookmark, ""))
	require.Equal(t, upTo(25, 30), w.pull(alice, id, 10).numbers)
}

// The same where nothing is left waiting: the lost event is larger than the queue.
func TestBookmarkBeforeLargeLoss(t *testing.T) {
	w := newWorld(t, func(c *eventing.Config) { c.Limits.HistoryBytes = 10_000 })
	id := w.subscribe(alice, bookmarked(nil, ""))
	w.happen("T_Alert", 1, 1)
	b, err := w.Pull(t.Context(), alice, id, eventing.PullOptions{Most: 5})
	require.NoError(t, err)
	w.Publish(w.indication("T_Alert", 2, strings.Repeat("x", 20_000)))
	g := readBatch(t, b)
	_, err = w.Subscribe(t.Context(), alice, bookmarked(&g.bookmark, ""))
	requireFault(t, err, "InvalidBookmark", "Expired")

	// A heartbeat in that place has no bookmark at all.
	b, err = w.Pull(t.Context(), alice, id, eventing.PullOptions{Most: 5})
	require.NoError(t, err)
	w.Publish(w.indication("T_Alert", 3, strings.Repeat("x", 20_000)))
	g = readBatch(t, b)
	require.EqualValues(t, 1, g.lost)
	require.Empty(t, g.bookmark)
}

func TestBookmarkGarbage(t *testing.T) {
	w := newWorld(t)
	id := w.subscribe(alice, bookmarked(nil, ""))
	good := w.pull(alice, id, 1).bookmark
	epoch := good[:len(good)-1]
	for _, bad := range []string{
		"", "x", good + "1", epoch, epoch + "-1", epoch + "00", epoch + "18446744073709551616", epoch + "1 ",
		"urn:twinlun:bookmark:0:0", "urn:twinlun:bookmark:XXXXXXXXXXXXXXXX:0", " " + good,
	} {
		_, err := w.Subscribe(t.Context(), alice, bookmarked(&bad, ""))
		f := requireFault(t, err, "InvalidBookmark")
		require.Empty(t, f.Detail, bad)
	}
}

func FuzzBookmark(f *testing.F) {
	f.Add("urn:twinlun:bookmark:0123456789abcdef:12")
	f.Add("urn:twinlun:bookmark:0123456789abcdef:")
	f.Add(wsman.BookmarkEarliest)
	w := newWorld(f)
	w.happen("T_Alert", 1, 5)
	f.Fuzz(func(t *testing.T, s string) {
		st, err := w.Subscribe(t.Context(), alice, bookmarked(&s, ""))
		if err != nil {
			requireFault(t, err, "InvalidBookmark")
			return
		}
		require.NoError(t, w.Unsubscribe(alice, st.ID))
	})
}

// Whoever goes on from bookmarks, however often it is interrupted, gets every event
// once and in order, as long as it stays within the window.
func TestBookmarkResume(t *testing.T) {
	const window = 50
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 2))
		w := newWorld(t, small(window))
		w.subscribe(bob, bookmarked(nil, ""))
		start := wsman.BookmarkEarliest
		bookmark, id := &start, ""
		var seen []int
		next, behind := 0, 0
		for range 300 {
			switch r.IntN(4) {
			case 0, 1: // something happens
				n := min(r.IntN(8), window-behind)
				w.happen("T_Alert", next, next+n-1)
				next, behind = next+n, behind+n
			case 2: // a pull, whose answer may be lost with the connection
				if id == "" {
					id = w.subscribe(alice, bookmarked(bookmark, ""))
				}
				g := w.pull(alice, id, 1+r.IntN(20))
				require.Zero(t, g.lost)
				if r.IntN(3) == 0 {
					require.NoError(t, w.Unsubscribe(alice, id))
					id = ""
					continue
				}
				seen = append(seen, g.numbers...)
				bookmark, behind = &g.bookmark, behind-len(g.numbers)
			case 3: // the subscriber comes back
				if id != "" {
					require.NoError(t, w.Unsubscribe(alice, id))
				}
				id = w.subscribe(alice, bookmarked(bookmark, ""))
			}
		}
		if id != "" {
			require.NoError(t, w.Unsubscribe(alice, id))
		}
		id = w.subscribe(alice, bookmarked(bookmark, ""))
		seen = append(seen, w.pull(alice, id, 1000).numbers...)
		require.Equal(t, upTo(0, next-1), seen, seed)
	}
}
