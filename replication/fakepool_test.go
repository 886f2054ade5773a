package replication

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"twinlun/blockdev"
	"twinlun/blockdev/pool"
)

// fakePool is a pool.Pool over byte slices. It fails where fault says so, stops
// hydration where gate says so, and survives a crash of the Service: reboot
// forgets hooks and handles, as a restart of the daemon would.
type fakePool struct {
	name string

	mu     sync.Mutex
	vols   map[pool.VolumeID]*fakeVolume
	serial int
	free   int64

	// fault, when set, may fail an operation; it sees its name and the
	// volume's name or id.
	fault func(op, what string) error
	// gate, when set, is waited for before each step of a hydration.
	gate func(ctx context.Context, id pool.VolumeID) error
}

// fakeVolume is one volume of a fakePool.
type fakeVolume struct {
	desc  pool.Volume
	rates []int64 // of the hydrations

	point    []byte // what a snapshot was when it was made; nil: it is none
	revision uint64 // grows when the content is replaced

	io      sync.RWMutex // held for reading by each write, hooks included
	data    []byte
	hooks   []*fakeHook // the last one is asked first
	handles int
}

type fakeHook struct{ blockdev.Hook }

func newFakePool(name string) *fakePool {
	return &fakePool{name: name, vols: map[pool.VolumeID]*fakeVolume{}, free: 1 << 40}
}

// reboot forgets what does not outlive the daemon.
func (p *fakePool) reboot() {
	p.mu.Lock()
	vols := slices.Collect(maps.Values(p.vols))
	p.fault, p.gate = nil, nil
	p.mu.Unlock()
	for _, v := range vols {
		v.io.Lock()
		v.hooks, v.handles = nil, 0
		v.io.Unlock()
	}
}

// setFault replaces the fault function.
func (p *fakePool) setFault(f func(op, what string) error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault = f
}

// setGate replaces the gate of hydrations.
func (p *fakePool) setGate(f func(context.Context, pool.VolumeID) error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gate = f
}

// faulted asks the fault function, outside of the lock.
func (p *fakePool) faulted(op, what string) error {
	p.mu.Lock()
	f := p.fault
	p.mu.Unlock()
	if f == nil {
		return nil
	}
	return f(op, what)
}

func (p *fakePool) Name() string { return p.name }

func (p *fakePool) Info(context.Context) (pool.Info, error) {
	if err := p.faulted("info", p.name); err != nil {
		return pool.Info{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	i := pool.Info{Name: p.name, Total: 1 << 40, Free: p.free, Volumes: len(p.vols)}
	for _, v := range p.vols {
		i.Provisioned += v.desc.Size
		i.Allocated += v.desc.Allocated
	}
	return i, nil
}

func (p *fakePool) Create(_ context.Context, s pool.Spec) (pool.Volume, error) {
	if err := p.faulted("create", s.Name); err != nil {
		return pool.Volume{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	v, err := p.addLocked(s)
	if err != nil {
		return pool.Volume{}, err
	}
	return v.copy(), nil
}

func (p *fakePool) addLocked(s pool.Spec) (*fakeVolume, error) {
	if s.Size <= 0 || s.Size%blockdev.SectorSize != 0 {
		return nil, blockdev.Errorf(blockdev.KindInvalid, "create "+s.Name, "size %d", s.Size)
	}
	for _, v := range p.vols {
		if strings.EqualFold(v.desc.Name, s.Name) || v.desc.ID == s.ID {
			return nil, blockdev.Errorf(blockdev.KindExists, "create "+s.Name, "taken")
		}
	}
	if s.ID == "" {
		p.serial++
		s.ID = pool.VolumeID(fmt.Sprintf("6%031x", p.serial))
	}
	v := &fakeVolume{data: make([]byte, s.Size), desc: pool.Volume{ID: s.ID, Pool: p.name, Name: s.Name,
		Size: s.Size, Created: time.Unix(1, 0), Labels: maps.Clone(s.Labels)}}
	p.vols[s.ID] = v
	return v, nil
}

func (v *fakeVolume) copy() pool.Volume {
	d := v.desc
	d.Labels = maps.Clone(d.Labels)
	return d
}

func (p *fakePool) find(op string, id pool.VolumeID) (*fakeVolume, error) {
	if err := p.faulted(op, string(id)); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.findLocked(op, id)
}

func (p *fakePool) findLocked(op string, id pool.VolumeID) (*fakeVolume, error) {
	if v := p.vols[id]; v != nil {
		return v, nil
	}
	return nil, blockdev.Errorf(blockdev.KindNotFound, op, "volume %s", id)
}

func (p *fakePool) Get(_ context.Context, id pool.VolumeID) (pool.Volume, error) {
	v, err := p.find("get", id)
	if err != nil {
		return pool.Volume{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return v.copy(), nil
}

func (p *fakePool) List(context.Context) ([]pool.Volume, error) {
	if err := p.faulted("list", p.name); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var l []pool.Volume
	for _, v := range p.vols {
		l = append(l, v.copy())
	}
	sort.Slice(l, func(i, j int) bool { return l[i].Name < l[j].Name })
	return l, nil
}

func (p *fakePool) Update(_ context.Context, id pool.VolumeID, f func(*pool.Volume) error) (pool.Volume, error) {
	if err := p.faulted("update", string(id)); err != nil {
		return pool.Volume{}, err
	}
	v, err := p.find("update", id)
	if err != nil {
		return pool.Volume{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	d := v.copy()
	if err := f(&d); err != nil {
		return pool.Volume{}, err
	}
	if d.Size < v.desc.Size {
		return pool.Volume{}, blockdev.Errorf(blockdev.KindInvalid, "update", "smaller")
	}
	for other, o := range p.vols {
		if other != id && strings.EqualFold(o.desc.Name, d.Name) {
			return pool.Volume{}, blockdev.Errorf(blockdev.KindExists, "update", "name %s", d.Name)
		}
	}
	v.desc.Name, v.desc.Labels, v.desc.Size = d.Name, d.Labels, d.Size
	v.data = append(v.data, make([]byte, d.Size-int64(len(v.data)))...)
	return v.copy(), nil
}

func (p *fakePool) Delete(_ context.Context, id pool.VolumeID) error {
	v, err := p.find("delete", id)
	if err != nil {
		return err
	}
	v.io.RLock()
	defer v.io.RUnlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	if v.handles > 0 || len(v.hooks) > 0 {
		return blockdev.Errorf(blockdev.KindBusy, "delete", "%d handles, %d hooks", v.handles, len(v.hooks))
	}
	delete(p.vols, id)
	return nil
}

func (p *fakePool) Attach(_ context.Context, id pool.VolumeID, h blockdev.Hook) (func(), error) {
	v, err := p.find("attach", id)
	if err != nil {
		return nil, err
	}
	v.io.Lock()
	defer v.io.Unlock()
	mine := &fakeHook{h}
	v.hooks = append(v.hooks, mine)
	return func() {
		v.io.Lock()
		defer v.io.Unlock()
		for i, h := range v.hooks {
			if h == mine {
				v.hooks = append(v.hooks[:i:i], v.hooks[i+1:]...)
				return
			}
		}
	}, nil
}

func (p *fakePool) Snapshot(ctx context.Context, set []pool.Copy) ([]pool.Volume, error) {
	if err := p.faulted("snapshot", p.name); err != nil {
		return nil, err
	}
	unlock, err := p.quiesce(set)
	if err != nil {
		return nil, err
	}
	defer unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	var made []pool.Volume
	for _, c := range set {
		v, err := p.copyLocked(c)
		if err != nil {
			for _, m := range made {
				delete(p.vols, m.ID)
			}
			return nil, err
		}
		made = append(made, v.copy())
	}
	return made, nil
}

// quiesce stops the writes of all volumes of the set, in a fixed order. Lock
// order everywhere: the volumes' io, then mu.
func (p *fakePool) quiesce(set []pool.Copy) (func(), error) {
	var ids []string
	for _, c := range set {
		ids = append(ids, string(c.Source))
		if c.Into != "" {
			ids = append(ids, string(c.Into))
		}
	}
	sort.Strings(ids)
	var held []*fakeVolume
	for i, id := range ids {
		v, err := p.find("quiesce", pool.VolumeID(id))
		if err != nil {
			return nil, err
		}
		if i == 0 || ids[i-1] != id {
			held = append(held, v)
		}
	}
	for _, v := range held {
		v.io.Lock()
	}
	return func() {
		for _, v := range held {
			v.io.Unlock()
		}
	}, nil
}

func (p *fakePool) copyLocked(c pool.Copy) (*fakeVolume, error) {
	src := p.vols[c.Source]
	dst := p.vols[c.Into]
	if c.Into == "" {
		c.Target.Size = max(c.Target.Size, src.desc.Size)
		var err error
		if dst, err = p.addLocked(c.Target); err != nil {
			return nil, err
		}
	}
	if c.Into != "" {
		dst.revision++
	}
	clear(dst.data)
	copy(dst.data, src.data)
	dst.point = slices.Clone(dst.data)
	dst.desc.Dependent = true
	return dst, nil
}

// ratesOf lists the rates of a volume's hydrations, in order.
func (p *fakePool) ratesOf(id pool.VolumeID) []int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.vols[id].rates)
}

// Hydrate takes four steps, each behind the gate.
func (p *fakePool) Hydrate(ctx context.Context, id pool.VolumeID, rate int64, report pool.Progress) error {
	v, err := p.find("hydrate", id)
	if err != nil {
		return err
	}
	p.mu.Lock()
	v.rates = append(v.rates, rate)
	p.mu.Unlock()
	for i := range int64(4) {
		report(i*v.desc.Size/4, v.desc.Size)
		p.mu.Lock()
		gate := p.gate
		p.mu.Unlock()
		if gate != nil {
			if err := gate(ctx, id); err != nil {
				return err
			}
		}
		if ctx.Err() != nil {
			return blockdev.Wrap(blockdev.KindClosed, "hydrate", ctx.Err())
		}
	}
	report(v.desc.Size, v.desc.Size)
	p.mu.Lock()
	defer p.mu.Unlock()
	v.desc.Dependent, v.desc.Allocated = false, v.desc.Size
	return nil
}
