package crash

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"

	"twinlun/cim"
)

// stage is how far the daemon is with a replica, as far as it has answered.
type stage int

const (
	making stage = iota
	there
	going
)

// replica is a snapshot or clone that nobody writes to.
type replica struct {
	name   string
	volume int    // whose content it has
	parent string // the replica that it was made of; empty: the volume
	set    int    // the call that made it, and others
	stage  stage
	busy   bool
	asked  []uint32 // what was answered before the call
	may    *bounds  // what it may hold, until it was read once
	is     []uint32 // what it holds
	other  int      // the size that it was last to get, in sectors; it is a volume of its own then
	dirty  bool     // it was written to, and is to be reset
}

// compare checks what was read: the first time that the source had it at that instant,
// then that it has not changed.
func (r *replica) compare(found []uint32) error {
	if r.is != nil {
		r.accept(found)
		if !slices.Equal(r.is, found) {
			return wrongError{fmt.Errorf("replica %s has changed", r.name)}
		}
		return nil
	}
	if err := r.may.check(found); err != nil {
		return wrongError{fmt.Errorf("replica %s: %w", r.name, err)}
	}
	r.is, r.may = found, nil
	return nil
}

// accept takes what a resize that was not answered may have done for its result.
func (r *replica) accept(found []uint32) {
	if r.other == 0 || r.other == len(r.is) {
		return
	}
	if len(found) == r.other {
		r.resized()
		return
	}
	for s := r.other; s < min(len(r.is), len(found)); s++ { // to be cut off: it may be gone
		if found[s] == 0 {
			r.is[s] = 0
		}
	}
	r.other = len(r.is)
}

// resized is a resize that was done: what is new is zeros.
func (r *replica) resized() {
	is := make([]uint32, r.other)
	copy(is, r.is)
	r.is = is
}

// replicas are all that were asked for and may be there.
type replicas struct {
	mu   sync.Mutex
	all  map[string]*replica
	sets int
	made int
}

// add notes the replicas that one call is to make, of volumes or of one replica.
func (l *replicas) add(histories []*history, volumes []int, of *replica) []*replica {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sets++
	var set []*replica
	for _, v := range volumes {
		l.made++
		r := &replica{name: fmt.Sprint("x", l.made), volume: v, set: l.sets, busy: true}
		if of != nil {
			r.parent, r.is = of.name, of.is
		} else {
			r.asked = histories[v].answered()
		}
		l.all[r.name] = r
		set = append(set, r)
	}
	return set
}

// ready notes that the call was answered.
func (l *replicas) ready(histories []*history, set []*replica) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range set {
		r.isThere(histories)
	}
}

func (r *replica) isThere(histories []*history) {
	if r.stage == making && r.is == nil {
		may := histories[r.volume].since(r.asked)
		r.may = &may
	}
	r.stage, r.busy, r.asked = there, false, nil
}

// drop forgets replicas that are certainly not there.
func (l *replicas) drop(set ...*replica) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range set {
		delete(l.all, r.name)
	}
}

// take reserves a random replica that suits; nil: there is none.
func (l *replicas) take(rnd *rand.Rand, suits func(*replica) bool) *replica {
	l.mu.Lock()
	defer l.mu.Unlock()
	var fit []*replica
	for _, name := range slices.Sorted(maps.Keys(l.all)) {
		if r := l.all[name]; r.stage == there && !r.busy && suits(r) {
			fit = append(fit, r)
		}
	}
	if len(fit) == 0 {
		return nil
	}
	r := fit[rnd.IntN(len(fit))]
	r.busy = true
	return r
}

func (l *replicas) give(r *replica) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r.busy = false
}

func (l *replicas) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.all)
}

// reconcile compares with the volumes that there are after a restart. What was answered
// must be true; of a call that was not, all is done or nothing.
func (l *replicas) reconcile(histories []*history, paths map[string]*cim.Path) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	missing := map[int]int{}
	for _, name := range slices.Sorted(maps.Keys(l.all)) {
		r := l.all[name]
		r.busy = false
		switch found := paths[name] != nil; {
		case found:
			if r.stage == making {
				missing[r.set] |= 1
			}
			r.isThere(histories)
		case r.stage == there:
			return fmt.Errorf("%s is gone", name)
		default:
			if r.stage == making {
				missing[r.set] |= 2
			}
			delete(l.all, name)
		}
	}
	for set, m := range missing {
		if m == 3 {
			return fmt.Errorf("call %d was done in part", set)
		}
	}
	return l.unknown(histories, paths)
}

// unknown finds volumes that there should not be.
func (l *replicas) unknown(histories []*history, paths map[string]*cim.Path) error {
	for i := range histories {
		if paths[source(i)] == nil {
			return fmt.Errorf("%s is gone", source(i))
		}
	}
	for name := range paths {
		if l.all[name] == nil && !slices.ContainsFunc(histories, func(h *history) bool { return source(h.volume) == name }) {
			return errors.New(name + " is there, which was never made or was deleted")
		}
	}
	return nil
}
