package classes

import (
	"context"

	"twinlun/cim"
	"twinlun/replication"
)

const classOrderedMember = "TWINLUN_OrderedMemberOfCollection"

// member is a volume's place in a group.
type member struct {
	group  string
	volume replication.VolumeRef
	place  int // from 0
}

// link is the instance of the membership.
func (m *model) memberLink(e member) link {
	set := func(b *cim.Builder) { b.Set("AssignedSequence", e.place+1) }
	return link{near: groupPath(e.group), far: m.volumePath(e.volume.ID), set: set}
}

// groupLocked raises the indications of a group and of its memberships: they come
// after it and go before it.
func (n *Indicator) groupLocked(ctx context.Context, c replication.Change[replication.Group]) {
	show := func(_ context.Context, g replication.Group) (*cim.Instance, error) { return n.shows.groups.instance(g) }
	if c.After != nil {
		lifeCycle(ctx, n, c, show)
	}
	for _, m := range memberships(c) {
		lifeCycle(ctx, n, m, n.showMember)
	}
	if c.After == nil {
		lifeCycle(ctx, n, c, show)
	}
}

// memberships are the changes of the members of a group: those that left, then all
// others in the order of the group.
func memberships(c replication.Change[replication.Group]) []replication.Change[member] {
	before, after := membersOf(c.Before), membersOf(c.After)
	places := make(map[replication.VolumeRef]*member, len(before))
	for i := range before {
		places[before[i].volume] = &before[i]
	}
	var joined []replication.Change[member]
	for i := range after {
		now := &after[i]
		joined = append(joined, replication.Change[member]{Before: places[now.volume], After: now})
		delete(places, now.volume)
	}
	var all []replication.Change[member]
	for i := range before {
		if places[before[i].volume] != nil {
			all = append(all, replication.Change[member]{Before: &before[i]})
		}
	}
	return append(all, joined...)
}

func membersOf(g *replication.Group) []member {
	if g == nil {
		return nil
	}
	l := make([]member, len(g.Members))
	for i, v := range g.Members {
		l[i] = member{group: g.ID, volume: v, place: i}
	}
	return l
}

func (n *Indicator) showMember(ctx context.Context, m member) (in *cim.Instance, err error) {
	err = n.shows.members.give(ctx, n.model.memberLink(m), func(made *cim.Instance) error {
		in = made
		return nil
	})
	return in, err
}
