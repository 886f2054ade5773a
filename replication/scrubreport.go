package replication

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"twinlun/blockdev/pool"
)

// namedVolumes is how many volumes the report of a scrub names.
const namedVolumes = 8

// scrubSummary says what a scrub has looked at.
func scrubSummary(found pool.Scrubbed) string {
	text := fmt.Sprintf("%d layers compared, %d without checksums, %d bytes damaged", found.Layers, found.Unsummed, found.Bad)
	if n := len(found.Unreadable); n > 0 {
		text += fmt.Sprintf(", %d layers could not be verified", n)
	}
	return text
}

// judge is why a scrub failed: how many bytes of which volumes are damaged. nil:
// nothing is.
func (s *Service) judge(p pool.Pool, found pool.Scrubbed) error {
	if found.Err() == nil {
		return s.known(p)
	}
	var parts []string
	if found.Bad > 0 {
		parts = append(parts, fmt.Sprintf("%d bytes are damaged: %s", found.Bad, s.hurt(p, found)))
	}
	if n := len(found.Unreadable); n > 0 {
		id := slices.Min(slices.Collect(maps.Keys(found.Unreadable)))
		parts = append(parts, fmt.Sprintf("%d layers could not be verified, such as %s: %s", n, id, reasonOf(found.Unreadable[id])))
	}
	err := errors.New(strings.Join(parts, "; "))
	s.log.Error("a scrub has found damage", "pool", p.Name(), "found", err.Error())
	return err
}

// hurt lists the volumes that stand on what is damaged, those with most of it first.
func (s *Service) hurt(p pool.Pool, found pool.Scrubbed) string {
	bytes, listed := map[pool.VolumeID]int64{}, int64(0)
	for _, d := range found.Damage {
		listed += d.Len
		for _, id := range d.Volumes {
			bytes[id] += d.Len
		}
	}
	ids := slices.SortedFunc(maps.Keys(bytes), func(a, b pool.VolumeID) int {
		return cmp.Or(cmp.Compare(bytes[b], bytes[a]), cmp.Compare(a, b))
	})
	least := ""
	if listed < found.Bad {
		least = "at least "
	}
	var parts []string
	for _, id := range ids[:min(len(ids), namedVolumes)] {
		name := string(id)
		if v, err := p.Get(s.ctx, id); err == nil {
			name = v.Name
		}
		parts = append(parts, fmt.Sprintf("%s%d of volume %s", least, bytes[id], name))
	}
	switch more := len(ids) - namedVolumes; {
	case len(ids) == 0:
		return "of no volume that is still there"
	case more > 0:
		parts = append(parts, fmt.Sprintf("some of %d more volumes", more))
	}
	return strings.Join(parts, ", ")
}

// known is the damage that was found before, of what a scrub that has found none did
// not compare: layers that wait to be merged, and those that were merged, whose sums
// match what is damaged. nil: there is none.
func (s *Service) known(p pool.Pool) error {
	info, err := p.Info(s.ctx)
	if err != nil || info.Damaged == 0 {
		return nil
	}
	names, more := []string{}, 0
	_ = walk(s.ctx, p, func(v pool.Volume) error { // what it does not tell is in the sum
		switch {
		case v.Damaged == 0:
		case len(names) < namedVolumes:
			names = append(names, v.Name)
		default:
			more++
		}
		return nil
	})
	whose := cmp.Or(strings.Join(names, ", "), "no volume that is still there")
	if more > 0 {
		whose += fmt.Sprintf(" and %d more", more)
	}
	return fmt.Errorf("%d bytes that cannot be compared now are known to be damaged: of %s", info.Damaged, whose)
}
