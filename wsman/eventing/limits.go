package eventing

import (
	"cmp"
	"time"
)

// Limits bound what subscribers can take of the service. A zero value means the
// default, which is in the comment.
type Limits struct {
	Subscriptions int // in all (256)
	PerUser       int // of one user (64)

	DefaultExpires time.Duration // where the client does not say (1 h)
	MinExpires     time.Duration // less is made this (10 s)
	MaxExpires     time.Duration // more is made this (30 days)
	MinHeartbeat   time.Duration // less is refused (1 s)

	Query      int // bytes of a query (16 KiB)
	References int // bytes of the headers that a subscriber wants back (8 KiB)

	// History is how many events, and HistoryBytes how many bytes of them, are
	// kept for bookmarks (4096, 8 MiB). A bookmark resumes without loss as long as
	// what came after it is within both.
	History      int
	HistoryBytes int
	// Queue is how many events, and QueueBytes how many bytes of them, wait for one
	// subscription; never less than the history (4096, 8 MiB).
	Queue      int
	QueueBytes int

	Deliveries int           // under way at the same time (as many as subscriptions)
	Delivery   time.Duration // for one message and its answer (30 s)
	Retries    int           // at most, whatever a subscriber wants (100)
	MaxRetry   time.Duration // between two tries, at most (10 min)
	Batch      int           // events in one message (1000)
	Envelope   int           // bytes of a message where the subscriber does not say (512000)

	// Wait is how long a Pull waits at most (1 min).
	Wait time.Duration
}

func (l Limits) withDefaults() Limits {
	const (
		day           = 24 * time.Hour
		subscriptions = 256
	)
	l = Limits{
		Subscriptions:  cmp.Or(l.Subscriptions, subscriptions),
		PerUser:        cmp.Or(l.PerUser, 64),
		DefaultExpires: cmp.Or(l.DefaultExpires, time.Hour),
		MinExpires:     cmp.Or(l.MinExpires, 10*time.Second),
		MaxExpires:     cmp.Or(l.MaxExpires, 30*day),
		MinHeartbeat:   cmp.Or(l.MinHeartbeat, time.Second),
		Query:          cmp.Or(l.Query, 16<<10),
		References:     cmp.Or(l.References, 8<<10),
		History:        cmp.Or(l.History, 4096),
		HistoryBytes:   cmp.Or(l.HistoryBytes, 8<<20),
		Queue:          l.Queue,
		QueueBytes:     l.QueueBytes,
		Deliveries:     cmp.Or(l.Deliveries, l.Subscriptions, subscriptions),
		Delivery:       cmp.Or(l.Delivery, 30*time.Second),
		Retries:        cmp.Or(l.Retries, 100),
		MaxRetry:       cmp.Or(l.MaxRetry, 10*time.Minute),
		Batch:          cmp.Or(l.Batch, 1000),
		Envelope:       cmp.Or(l.Envelope, 512000),
		Wait:           cmp.Or(l.Wait, time.Minute),
	}
	l.Queue = max(l.Queue, l.History)
	l.QueueBytes = max(l.QueueBytes, l.HistoryBytes)
	return l
}
