package classes

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"twinlun/blockdev/pool"
	"twinlun/replication"
)

// Our own messages about damage.
const (
	messageDamaged   = "TWINLUN4"
	messageUndamaged = "TWINLUN5"
)

// DamageReport is damage of a pool that was found since the last report about it.
type DamageReport struct {
	Pool    string
	First   pool.Damage
	Ranges  int             // how many there are, First included
	Bytes   int64           // of all ranges
	Volumes []pool.VolumeID // some that may read it
}

// hurt is what was told of the damage of a pool.
type hurt struct {
	alert   string // identifier of the last alert
	volumes map[pool.VolumeID]bool
}

// namedVolumes is how many volumes an alert names in its text.
const namedVolumes = 8

// ReportDamage raises the alert about damage that was found, and the modification of
// the volumes whose state it changes. Those who call it see to it that reports do not
// come too often.
func (n *Indicator) ReportDamage(ctx context.Context, r DamageReport) {
	if !n.cfg.Wanted() {
		return
	}
	volumes := n.volumesOf(ctx, r.Pool, r.Volumes)
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.wantedLocked() {
		return
	}
	n.clock = n.cfg.Classes.Time()
	h := n.hurt[r.Pool]
	if h == nil {
		h = &hurt{volumes: map[pool.VolumeID]bool{}}
		n.hurt[r.Pool] = h
	}
	var names []string
	for _, v := range volumes {
		names = append(names, v.Name)
		if !h.volumes[v.ID] && v.Damaged > 0 {
			h.volumes[v.ID] = true
			n.healthLocked(ctx, v, 0, v.Damaged)
		}
	}
	h.alert = n.alertLocked(damaged(r, names))
}

// volumesOf are those of a pool that are still there.
func (n *Indicator) volumesOf(ctx context.Context, name string, ids []pool.VolumeID) (all []pool.Volume) {
	for _, id := range ids {
		if v, err := n.cfg.Classes.Volumes.Volume(ctx, replication.VolumeRef{Pool: name, ID: id}); err == nil {
			all = append(all, v)
		}
	}
	return all
}

// healthLocked raises the modification of a volume of which was bytes were known to be
// damaged and is are now.
func (n *Indicator) healthLocked(ctx context.Context, v pool.Volume, was, is int64) {
	before, after := v, v
	before.Damaged, after.Damaged = was, is
	lifeCycle(ctx, n, replication.Change[pool.Volume]{Before: &before, After: &after}, n.showVolume)
}

// damaged is the alert about damage of volumes with these names.
func damaged(r DamageReport, names []string) alert {
	whose := "no volume that is still there"
	if len(names) > 0 {
		whose = strings.Join(names[:min(len(names), namedVolumes)], ", ")
	}
	if more := len(names) - namedVolumes; more > 0 {
		whose += fmt.Sprintf(" and %d more", more)
	}
	text := fmt.Sprintf("%d bytes in pool %s are damaged: %d at offset %d of %s", r.Bytes, r.Pool, r.First.Len, r.First.Off, whose)
	if r.Ranges > 1 {
		text += fmt.Sprintf(", and %d more ranges", r.Ranges-1)
	}
	return alert{
		about: poolPath(r.Pool), event: "pool-damage:" + r.Pool, kind: alertDevice, severity: severityCritical,
		cause: causeCorrupt, causeText: "content of a disk is not what was written", trend: trendNotApplicable,
		owner: ownerOwn, id: messageDamaged,
		args: append([]string{r.Pool, strconv.FormatInt(r.Bytes, 10), strconv.FormatInt(r.First.Off, 10), strconv.FormatInt(r.First.Len, 10)}, names...),
		text: text,
		do: []string{
			"Scrub the pool to learn how much is damaged.", "Look at the disk below.",
			"Make the volumes anew from a replica in another pool or from a backup.",
		},
	}
}

// checkDamageLocked tells when nothing of a pool is known to be damaged any more.
func (n *Indicator) checkDamageLocked(ctx context.Context, p pool.Info) {
	h := n.hurt[p.Name]
	if h == nil || p.Damaged > 0 {
		return
	}
	delete(n.hurt, p.Name)
	for _, v := range n.volumesOf(ctx, p.Name, slices.Sorted(maps.Keys(h.volumes))) {
		n.healthLocked(ctx, v, 1, 0)
	}
	n.alertLocked(alert{
		about: poolPath(p.Name), event: "pool-damage:" + p.Name, kind: alertDevice, severity: severityInformation,
		cause: causeCleared, causeText: "what was damaged is gone, or right again", trend: trendNotApplicable,
		owner: ownerOwn, id: messageUndamaged, args: []string{p.Name},
		text: fmt.Sprintf("Nothing in pool %s is known to be damaged any more", p.Name), clears: h.alert,
	})
}
