package crash

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"

	"twinlun/cim"
	"twinlun/test/system"
	"twinlun/wsman/client"
)

// Values of SyncType and Operation in CIM_ReplicationService.
const (
	snapshotType = 7
	cloneType    = 8
	dissolve     = 9
	returnToPool = 19
)

// Bounds of what the soak makes.
const (
	fewReplicas  = 6
	manyReplicas = 14
)

// operator does random things over WS-Man, one after the other.
type operator struct {
	*soak
	c *client.Client
	r *rand.Rand
}

// deeds counts what was answered.
type deeds struct {
	mu    sync.Mutex
	count map[string]int
}

func (d *deeds) add(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.count[name]++
}

func (d *deeds) String() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var s string
	for _, name := range slices.Sorted(maps.Keys(d.count)) {
		s += fmt.Sprintf(" %s %d", name, d.count[name])
	}
	return s
}

// refusedError is an answer that says no.
type refusedError struct {
	method string
	reply  *cim.Reply
}

func (e refusedError) Error() string {
	return fmt.Sprintf("%s: %v %s", e.method, e.reply.Return, e.reply.Reason)
}

// call invokes a method, which may be refused.
func (o *operator) call(ctx context.Context, class, method string, in ...cim.Arg) error {
	reply, err := o.d.Invoke(ctx, o.c, class, method, in...)
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	if reply.Return != cim.Value(uint64(0)) && reply.Return != cim.Value(uint64(4096)) {
		return refusedError{method, reply}
	}
	return nil
}

// work goes on until ctx ends or something fails. That something is in use by another
// operator is no failure.
func (o *operator) work(ctx context.Context, step func(context.Context) error) error {
	for ctx.Err() == nil {
		err := step(ctx)
		if refused, ok := errors.AsType[refusedError](err); ok && refused.reply.Return == cim.Value(uint64(6)) {
			o.deeds.add("refused")
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (o *operator) step(ctx context.Context) error {
	n, have := o.r.IntN(100), o.replicas.count()
	switch {
	case have > manyReplicas || have > fewReplicas && n < 25:
		return o.remove(ctx)
	case n < 45:
		return o.snapshot(ctx)
	case n < 55:
		return o.copyReplica(ctx)
	case n < 65:
		return o.make(ctx, cloneType, o.some(1), nil)
	case n < 71:
		return o.resize(ctx)
	case n < 79:
		return o.reset(ctx)
	}
	return o.verify(ctx)
}

// snapshot takes one of some volumes in one call.
func (o *operator) snapshot(ctx context.Context) error {
	return o.make(ctx, snapshotType, o.some(1+o.r.IntN(len(o.histories))), nil)
}

// some are up to n volumes; the one that is being restored now and then is another's.
func (o *operator) some(n int) []int {
	all := o.r.Perm(len(o.histories))
	all = slices.DeleteFunc(all, func(i int) bool { return i == o.resting })
	return all[:min(n, len(all))]
}

// copyReplica takes a snapshot or a clone of a replica.
func (o *operator) copyReplica(ctx context.Context) error {
	of := o.replicas.take(o.r, func(r *replica) bool { return r.is != nil && !r.dirty })
	if of == nil {
		return nil
	}
	defer o.replicas.give(of)
	return o.make(ctx, []int{snapshotType, cloneType}[o.r.IntN(2)], []int{of.volume}, of)
}

// make makes replicas of volumes, or of one replica.
func (o *operator) make(ctx context.Context, syncType int, of []int, parent *replica) error {
	paths, err := system.Volumes(ctx, o.c)
	if err != nil {
		return err
	}
	set := o.replicas.add(o.histories, of, parent)
	var refs []cim.Value
	var names []string
	for _, r := range set {
		from := r.parent
		if from == "" {
			from = source(r.volume)
		}
		refs, names = append(refs, paths[from]), append(names, r.name)
	}
	err = o.call(ctx, "CIM_ReplicationService", "CreateListReplica",
		system.Arg("SyncType", syncType), system.Arg("SourceElements", refs), system.Arg("ElementNames", names))
	if _, refused := errors.AsType[refusedError](err); refused {
		o.replicas.drop(set...)
	}
	if err != nil {
		return err
	}
	o.replicas.ready(o.histories, set)
	o.deeds.add(map[int]string{snapshotType: "snapshots", cloneType: "clones"}[syncType])
	return nil
}

// verify exposes a replica, reads it and compares.
func (o *operator) verify(ctx context.Context) error {
	r := o.replicas.take(o.r, func(r *replica) bool { return !r.dirty })
	if r == nil {
		return nil
	}
	defer o.replicas.give(r)
	return o.compare(ctx, r)
}

func (o *operator) compare(ctx context.Context, r *replica) error {
	paths, err := system.Volumes(ctx, o.c)
	if err != nil {
		return err
	}
	if err := o.call(ctx, exposing, "ExposeVolume", system.Arg("Volume", paths[r.name])); err != nil {
		return err
	}
	disk, err := o.d.Disk(ctx, r.name)
	if err != nil {
		return err
	}
	defer disk.Close()
	content := make([]byte, disk.Size())
	if err := disk.ReadAt(ctx, content, 0); err != nil {
		return err
	}
	found, err := changes(content, r.volume, 0)
	if err != nil {
		return wrongError{fmt.Errorf("replica %s: %w", r.name, err)}
	}
	o.deeds.add("comparisons")
	return r.compare(found)
}

const (
	exposing = "TWINLUN_ControllerConfigurationService"
	storing  = "TWINLUN_StorageConfigurationService"
)

// remove deletes a replica that no other was made of.
func (o *operator) remove(ctx context.Context) error {
	r := o.replicas.take(o.r, func(*replica) bool { return true })
	if r == nil {
		return nil
	}
	defer o.replicas.give(r)
	o.replicas.mu.Lock()
	r.stage = going
	o.replicas.mu.Unlock()
	if err := o.delete(ctx, r.name); err != nil {
		if _, refused := errors.AsType[refusedError](err); refused {
			o.replicas.mu.Lock()
			r.stage = there
			o.replicas.mu.Unlock()
		}
		return err
	}
	o.replicas.drop(r)
	o.deeds.add("deletes")
	return nil
}

// delete hides a volume, ends the relationships that it is the target of and deletes
// it. Some of that may have been done before a crash.
func (o *operator) delete(ctx context.Context, name string) error {
	paths, err := system.Volumes(ctx, o.c)
	if err != nil {
		return err
	}
	if err := o.hide(ctx, paths[name]); err != nil {
		return err
	}
	relation, err := o.relation(ctx, paths[name])
	if err != nil {
		return err
	}
	if relation != nil {
		op := dissolve
		if relation.Get("SyncType") == cim.Value(uint64(snapshotType)) && o.r.IntN(2) == 0 {
			op = returnToPool
		}
		if err := o.modify(ctx, op, relation, true); err != nil || op == returnToPool {
			return err
		}
	}
	return o.call(ctx, storing, "ReturnToStoragePool", system.Arg("TheElement", paths[name]))
}

// relation is that of which the volume is the target; nil: there is none.
func (o *operator) relation(ctx context.Context, target *cim.Path) (*cim.Instance, error) {
	all, err := system.List(ctx, o.c, "CIM_StorageSynchronized")
	for _, in := range all {
		if synced, _ := in.Get("SyncedElement").(*cim.Path); synced.Equal(target) {
			return in, err
		}
	}
	return nil, err
}

func (o *operator) modify(ctx context.Context, op int, relation *cim.Instance, force bool) error {
	return o.call(ctx, "CIM_ReplicationService", "ModifyReplicaSynchronization",
		system.Arg("Operation", op), system.Arg("Synchronization", relation.Path), system.Arg("Force", force))
}
