package server

import (
	"cmp"
	"time"

	"twinlun/wsman/soap"
)

// Limits bound what clients can take of the service. A zero value means the
// default, which is in the comment.
type Limits struct {
	Body     int // bytes of a request, and of a batch whatever the client allows (2 MiB)
	Depth    int // of nested elements (soap.DefaultLimits)
	Elements int // of a request (soap.DefaultLimits)

	Connections int // at the same time, on all listeners (1024)
	InFlight    int // requests that are carried out at the same time (256)
	// InFlightPerUser is how many of one user's are read or carried out (128).
	InFlightPerUser int
	Wait            time.Duration // of a request for a place among those (5 s)

	Contexts        int           // enumerations under way (1024)
	ContextsPerUser int           // of them of one user (128)
	ContextIdle     time.Duration // until an enumeration that nobody pulls ends (5 min)
	ContextLife     time.Duration // the longest Expires that an enumeration is granted (1 h)
	Batch           int           // instances in one answer (1000)
	Answer          int           // bytes of an answer to Enumerate or Pull where the client names no limit (512000)

	Operation    time.Duration // for requests that name no OperationTimeout (1 min)
	MaxOperation time.Duration // whatever OperationTimeout says (10 min)

	ReadHeader time.Duration // for the head of a request (10 s)
	Read       time.Duration // for a whole request (30 s)
	Write      time.Duration // for a whole answer (1 min)
	Idle       time.Duration // of a connection between requests (3 min)
	Grace      time.Duration // for requests under way when the service ends (10 s)
}

func (l Limits) withDefaults() Limits {
	return Limits{
		Body:            cmp.Or(l.Body, 2<<20),
		Depth:           l.Depth,
		Elements:        l.Elements,
		Connections:     cmp.Or(l.Connections, 1024),
		InFlight:        cmp.Or(l.InFlight, 256),
		InFlightPerUser: cmp.Or(l.InFlightPerUser, 128),
		Wait:            cmp.Or(l.Wait, 5*time.Second),
		Contexts:        cmp.Or(l.Contexts, 1024),
		ContextsPerUser: cmp.Or(l.ContextsPerUser, 128),
		ContextIdle:     cmp.Or(l.ContextIdle, 5*time.Minute),
		ContextLife:     cmp.Or(l.ContextLife, time.Hour),
		Batch:           cmp.Or(l.Batch, 1000),
		Answer:          cmp.Or(l.Answer, 512000),
		Operation:       cmp.Or(l.Operation, time.Minute),
		MaxOperation:    cmp.Or(l.MaxOperation, 10*time.Minute),
		ReadHeader:      cmp.Or(l.ReadHeader, 10*time.Second),
		Read:            cmp.Or(l.Read, 30*time.Second),
		Write:           cmp.Or(l.Write, time.Minute),
		Idle:            cmp.Or(l.Idle, 3*time.Minute),
		Grace:           cmp.Or(l.Grace, 10*time.Second),
	}
}

func (l Limits) soap() soap.Limits {
	return soap.Limits{Bytes: l.Body, Depth: l.Depth, Elements: l.Elements}
}
