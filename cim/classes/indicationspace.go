package classes

import (
	"context"
	"fmt"

	"twinlun/blockdev/pool"
)

// SpaceLevel is an alarm level of pools.
type SpaceLevel struct {
	Used     int    // percent of the pool's space, 1 to 100; 100 is a full pool
	Severity uint16 // CIM_AlertIndication.PerceivedSeverity
}

// SpaceLevels are alarm levels at warn and alarm percent, and of a full pool.
func SpaceLevels(warn, alarm int) []SpaceLevel {
	return []SpaceLevel{{warn, severityDegraded}, {alarm, severityMajor}, {full, severityCritical}}
}

// full is the level of a pool that has no room.
const full = 100

// spaceLevels are those of a pool.
func (m *model) spaceLevels(name string) []SpaceLevel {
	if levels, ok := m.Space[name]; ok {
		return levels
	}
	return SpaceLevels(80, 90)
}

// level is where a pool stands: reached is how many of the levels are, alert is the
// identifier of the last alert about it.
type level struct {
	reached int
	alert   string
}

// The standard messages of SMI-S about the capacity of a thin pool.
const (
	messageNearing  = "DRM28"
	messageExceeded = "DRM29"
	messageCleared  = "DRM30"
)

// CheckPools looks at the space of the pools and raises an alert for each that has
// reached another alarm level, or has left the last. It is to be called from time to
// time. The error is that of the pools.
func (n *Indicator) CheckPools(ctx context.Context) error {
	if !n.cfg.Wanted() {
		return nil
	}
	pools, err := n.cfg.Classes.Pools.Pools(ctx)
	if err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.wantedLocked() {
		return nil
	}
	n.clock = n.cfg.Classes.Time()
	for _, p := range pools {
		n.checkPoolLocked(p)
		n.checkDamageLocked(ctx, p)
	}
	return nil
}

func (n *Indicator) checkPoolLocked(p pool.Info) {
	was := n.levels[p.Name]
	now := level{reached: n.reached(p, was.reached)}
	switch {
	case now.reached == was.reached:
		return
	case now.reached == 0:
		n.alertLocked(n.spaceCleared(p, was.alert))
		delete(n.levels, p.Name)
		return
	}
	a := n.spaceLow(p, n.model.spaceLevels(p.Name)[now.reached-1])
	if now.reached < was.reached {
		a.trend = trendDown
	}
	now.alert = n.alertLocked(a)
	n.levels[p.Name] = now
}

// reached is how many alarm levels a pool is at that was at some. Those it was at
// are left only with some slack.
func (n *Indicator) reached(p pool.Info, was int) int {
	used, levels := usedSpace(p), n.model.spaceLevels(p.Name)
	for i := len(levels); i > 0; i-- {
		limit := levels[i-1].Used
		if i <= was {
			limit -= n.cfg.Slack
		}
		if used >= float64(limit) {
			return i
		}
	}
	return 0
}

// lastRoom is the room that is none, because a write may not fit, in bytes: what a
// pool with a reserve has left when it is full.
const lastRoom = 1 << 20

// usedSpace is how many percent are used of the space that volumes can take.
func usedSpace(p pool.Info) float64 {
	switch all := p.Total - p.Reserve; {
	case p.Total <= 0:
		return 0
	case all <= 0, p.Reserve > 0 && room(p) < lastRoom:
		return full
	default:
		return min(full, 100*float64(all-room(p))/float64(all))
	}
}

// spaceLow is the alert about a pool that is nearly full, or full.
func (n *Indicator) spaceLow(p pool.Info, at SpaceLevel) alert {
	a := alert{
		about: poolPath(p.Name), event: "pool-space:" + p.Name, kind: alertDevice, severity: at.Severity,
		cause: causeThreshold, causeText: fmt.Sprintf("%d of %d bytes are used, %d %% or more", p.Total-p.Free, p.Total, at.Used),
		trend: trendUp, owner: ownerSNIA, id: messageNearing, args: []string{"Pool", p.Name},
		text: fmt.Sprintf("Thin provisioned Pool with identifier %s capacity in use nearing available limit", p.Name),
		do:   []string{"Give the filesystem of the pool more space, or delete volumes and snapshots that are not needed."},
	}
	if at.Used >= full {
		a.cause, a.id = causeCapacity, messageExceeded
		a.text = fmt.Sprintf("Thin provisioned Pool with identifier %s capacity in use exceeded available limit", p.Name)
	}
	return a
}

func (n *Indicator) spaceCleared(p pool.Info, clears string) alert {
	return alert{
		about: poolPath(p.Name), event: "pool-space:" + p.Name, kind: alertDevice, severity: severityInformation,
		cause: causeCleared, causeText: fmt.Sprintf("%d of %d bytes are used", p.Total-p.Free, p.Total), trend: trendDown,
		owner: ownerSNIA, id: messageCleared, args: []string{"Pool", p.Name},
		text: fmt.Sprintf("Thin provisioned Pool with identifier %s capacity condition cleared", p.Name), clears: clears,
	}
}
