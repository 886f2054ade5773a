package classes

import (
	"fmt"
	"strconv"

	"twinlun/cim"
	"twinlun/replication"
	"twinlun/replication/pairstate"
)

// Values of CIM_AlertIndication (CIM 2.49).
const (
	alertProcessing = 4 // AlertType
	alertDevice     = 5 // AlertType

	severityInformation = 2 // PerceivedSeverity
	severityDegraded    = 3 // PerceivedSeverity
	severityMinor       = 4 // PerceivedSeverity
	severityMajor       = 5 // PerceivedSeverity
	severityCritical    = 6 // PerceivedSeverity

	causeCorrupt       = 10 // ProbableCause: Corrupt Data
	causeQueueSize     = 40 // ProbableCause: Queue Size Exceeded
	causeCapacity      = 50 // ProbableCause: Storage Capacity Problem
	causeThreshold     = 52 // ProbableCause: Threshold Crossed
	causeUnderlying    = 57 // ProbableCause: Underlying Resource Unavailable
	causeCleared       = 59 // ProbableCause: Previous Alert Cleared
	causeNoRedundancy  = 88 // ProbableCause: Loss of Redundancy
	formatObjectPath   = 2  // AlertingElementFormat: CIMObjectPath
	trendNotApplicable = 1  // Trending
	trendUp            = 2  // Trending
	trendDown          = 3  // Trending
)

// Who defines the messages.
const (
	ownerSNIA = "SNIA" // the standard messages of SMI-S
	ownerOwn  = "TWINLUN"
)

// Our own messages.
const (
	messageBroken = "TWINLUN1"
	messageMended = "TWINLUN2"
	messageLost   = "TWINLUN3"
)

// alert is what a CIM_AlertIndication says.
type alert struct {
	about     *cim.Path
	event     string // EventID: the same for all alerts about one matter
	kind      uint16 // AlertType
	severity  uint16
	cause     uint16
	causeText string
	trend     uint16
	owner, id string // of the message
	args      []string
	text      string
	do        []string // RecommendedActions
	clears    string   // identifier of the alert that this one ends
}

// alertLocked raises an alert and returns its identifier.
func (n *Indicator) alertLocked(a alert) string {
	return n.emitLocked(classAlertIndication, &n.counts.alerts, func(b *cim.Builder) {
		b.Set("AlertingManagedElement", a.about.String()).Set("AlertingElementFormat", formatObjectPath).
			Set("AlertType", a.kind).Set("PerceivedSeverity", a.severity).
			Set("ProbableCause", a.cause).Set("ProbableCauseDescription", a.causeText).Set("Trending", a.trend).
			Set("EventID", a.event).Set("EventTime", n.clock).
			Set("SystemCreationClassName", classComputerSystem).Set("SystemName", n.model.System).Set("ProviderName", "Twinlun").
			Set("OwningEntity", a.owner).Set("MessageID", a.id).Set("MessageArguments", a.args).
			Set("Message", a.text).Set("Description", a.text)
		if len(a.do) > 0 {
			b.Set("RecommendedActions", a.do)
		}
		if a.clears != "" {
			b.Set("CorrelatedIndications", []string{a.clears})
		}
	})
}

// breakageLocked raises the alerts about a pair: when it breaks, and when it is
// whole again. Between the two it may break again while it is mended; that is no
// news.
func (n *Indicator) breakageLocked(c replication.Change[replication.Relationship]) {
	switch {
	case c.Kind() == replication.Unchanged:
	case c.After == nil:
		delete(n.broken, c.Before.ID)
	case c.After.State.Copy == pairstate.Broken:
		if n.broken[c.After.ID] == "" {
			n.broken[c.After.ID] = n.alertLocked(n.pairBroken(*c.After))
		}
	case c.After.State.Copy == pairstate.Synchronized && n.broken[c.After.ID] != "":
		n.alertLocked(n.pairMended(*c.After, n.broken[c.After.ID]))
		delete(n.broken, c.After.ID)
	}
}

// pairBroken is the alert about a pair that broke. A mirror's source goes on alone.
func (n *Indicator) pairBroken(r replication.Relationship) alert {
	a := alert{
		about: n.model.pairPath(r), event: "relationship:" + r.ID, kind: alertDevice, severity: severityMinor,
		cause: causeUnderlying, causeText: r.Reason, trend: trendNotApplicable,
		owner: ownerOwn, id: messageBroken, args: []string{r.Type.String(), r.Name, r.Reason},
		text: fmt.Sprintf("The %v %s is broken: %s", r.Type, r.Name, r.Reason),
		do:   []string{"Look at the target volume and at the free space of its pool.", "Make the copy again, or end the relationship."},
	}
	if r.Type == pairstate.Mirror {
		a.severity, a.cause = severityMajor, causeNoRedundancy
		a.do = []string{"Look at the target volume and its pool; the mirror is brought up to date when the target can be written again."}
	}
	return a
}

func (n *Indicator) pairMended(r replication.Relationship, clears string) alert {
	return alert{
		about: n.model.pairPath(r), event: "relationship:" + r.ID, kind: alertDevice, severity: severityInformation,
		cause: causeCleared, causeText: "source and target are synchronized", trend: trendNotApplicable,
		owner: ownerOwn, id: messageMended, args: []string{r.Type.String(), r.Name},
		text: fmt.Sprintf("The %v %s is whole again", r.Type, r.Name), clears: clears,
	}
}

// eventsLost is the alert about events that found the queue full.
func (n *Indicator) eventsLost(count uint64) alert {
	return alert{
		about: n.model.systemPath(), event: "events-lost", kind: alertProcessing, severity: severityDegraded,
		cause: causeQueueSize, causeText: "more happened than indications could be made of", trend: trendNotApplicable,
		owner: ownerOwn, id: messageLost, args: []string{strconv.FormatUint(count, 10)},
		text: fmt.Sprintf("%d events were lost before indications were made of them", count),
		do:   []string{"Enumerate the objects again."},
	}
}
