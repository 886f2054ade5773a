package eventing

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"twinlun/cim"
)

// Policy says what becomes of an event that is larger than the subscriber's
// MaxEnvelopeSize (DSP0226 section 10.2.9.4).
type Policy string

// The policies; the first is that of who does not say.
const (
	CancelSubscription Policy = "CancelSubscription"
	Skip               Policy = "Skip"
	Notify             Policy = "Notify"
)

// Endpoint is where messages go: a URL, and the headers that they must have.
type Endpoint struct {
	Address string
	Blocks  []Block `json:",omitempty"`
}

// Credentials are for HTTP Basic at the subscriber's endpoint.
type Credentials struct{ User, Password string }

// Expiry is when a subscription is to end: after a while, at a time, or, where both
// are zero, as the service likes.
type Expiry struct {
	After time.Duration
	At    time.Time
}

// Request is what a client subscribes to and how it wants the events.
type Request struct {
	// Namespace and ResourceURI are what was subscribed to. Prefix is that of the
	// URIs of classes in events.
	Namespace, ResourceURI, Prefix string
	Query                          cim.Query
	Mode                           string    // wsman.DeliveryPush and so on
	NotifyTo                       *Endpoint `json:",omitempty"` // nil in Pull mode
	EndTo                          *Endpoint `json:",omitempty"`
	// Expires is as the client wants it; what it gets is in Status.
	Expires   Expiry `json:"-"`
	Heartbeat time.Duration
	// SendBookmarks asks for bookmarks with the events, Bookmark for what came
	// after one; nil: from now on.
	SendBookmarks bool
	Bookmark      *string `json:"-"`
	UTF16         bool
	// Retries and RetryEvery say how often, and after what time, a message is sent
	// again that did not arrive; RetryEvery 0: as the service likes.
	Retries    int
	RetryEvery time.Duration
	// Envelope bounds a message in bytes; 0: as the service likes.
	Envelope int
	Oversize Policy
	// MaxElements and MaxTime bound a batch of the mode Events: how many events it
	// has, and how long the first of them waits. 0: as the service likes, and not.
	MaxElements int
	MaxTime     time.Duration
	Credentials *Credentials `json:",omitempty"`
}

// own is a copy that shares no memory with the message that the request came in: as
// it will be when it is read from the store.
func (r *Request) own() (*Request, error) {
	data, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("a copy of the request: %w", err)
	}
	c := &Request{Expires: r.Expires}
	if err := json.Unmarshal(data, c); err != nil {
		return nil, fmt.Errorf("a copy of the request: %w", err)
	}
	if r.Bookmark != nil {
		mark := strings.Clone(*r.Bookmark)
		c.Bookmark = &mark
	}
	return c, nil
}

// Status is a subscription as its owner sees it.
type Status struct {
	ID          string
	ResourceURI string
	Mode        string
	Expires     time.Time
	// Left is how long that is from now.
	Left time.Duration
}
