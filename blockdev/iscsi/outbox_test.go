package iscsi

import (
	"bytes"
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev/iscsi/initiator"
	"twinlun/blockdev/iscsi/pdu"
)

// token tells a test that it was sent or forgotten.
type token struct{ unowned }

func (*token) send(*session, *pdu.Writer) error { return nil }

// One sends at a time, and nothing that was pushed meanwhile is left behind.
func TestOutboxHasOneWhoSends(t *testing.T) {
	o := newOutbox(pdu.NewWriter(&bytes.Buffer{}))
	a, b := &token{}, &token{}
	require.True(t, o.seize())
	require.False(t, o.seize(), "taken")
	require.True(t, o.push(a))
	require.Empty(t, o.wake, "the one who sends finds it")
	require.False(t, o.release(), "there is more")
	require.True(t, o.take())
	require.Equal(t, []outgoing{a}, o.batch)
	require.True(t, o.release())

	require.True(t, o.push(b))
	require.False(t, o.seize(), "something waits")
	require.True(t, o.await())
	require.False(t, o.seize())
	require.True(t, o.take())
	require.Equal(t, []outgoing{b}, o.batch)
	require.False(t, o.take())
	require.Empty(t, o.batch)
	require.True(t, o.release())
}

// The sender of a closed outbox ends when the one who has seized it has given it back.
func TestOutboxClosesAfterTheLast(t *testing.T) {
	o := newOutbox(pdu.NewWriter(&bytes.Buffer{}))
	require.True(t, o.seize())
	require.True(t, o.push(&token{}))
	ended := make(chan bool)
	go func() { ended <- o.await() }()
	o.close()
	require.False(t, o.push(&token{}))
	require.False(t, o.release())
	select {
	case <-ended:
		t.Fatal("ended before the last")
	default:
	}
	require.True(t, o.take())
	require.True(t, o.release())
	require.False(t, <-ended)
	require.False(t, o.seize(), "closed")
}

// Sessions that go from one command at a time to many and back answer all of them,
// whoever sends.
func TestWhoeverSends(t *testing.T) {
	h := start(t, Config{}, oneDisk(newFakeUnit(64<<11)))
	d := h.dial(initiator.Options{})
	for round := range 50 {
		var wg sync.WaitGroup
		for i := range 1 + round%7 {
			wg.Go(func() {
				size := 512 << (2 * i)
				want, got := fill(make([]byte, size), uint64(round*10+i)), make([]byte, size)
				off := int64(i) << 22
				if err := d.WriteAt(context.Background(), want, off); err != nil {
					t.Error(err)
				}
				if err := d.ReadAt(context.Background(), got, off); err != nil || !bytes.Equal(want, got) {
					t.Error("round", round, i, err)
				}
			})
		}
		wg.Wait()
		require.NoError(t, d.Flush(context.Background()))
	}
}
