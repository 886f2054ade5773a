// Package memfs is a filesystem in memory that can lose power, fail and be full:
// what the layers have to survive, for their tests.
//
// It forgets as much as it may. After Crash, each 512-byte sector of a file holds
// what the last successful Sync made durable or any of the values written since,
// each for itself; likewise each file's size and each name. What a failed Sync
// covered stays in doubt, as on Linux, where later calls succeed although the data is
// gone: until it is written anew, or Forget finds out what became of it. Likewise the
// names that a failed SyncDir was to make durable. Everything random comes from one
// seed, so a run that fails can be repeated.
package memfs

import (
	"errors"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"syscall"

	"twinlun/blockdev/vfs"
)

// ErrPowerCut is what every call returns once the power is gone.
var ErrPowerCut = errors.New("memfs: power cut")

// Op is a call that a fault can be put into.
type Op string

// The calls of an FS and its files. Read includes the size, NextData and List.
const (
	OpCreate   Op = "create"
	OpOpen     Op = "open"
	OpRemove   Op = "remove"
	OpSyncDir  Op = "syncdir"
	OpShelve   Op = "shelve"
	OpRead     Op = "read"
	OpWrite    Op = "write"
	OpSync     Op = "sync"
	OpTruncate Op = "truncate"
	OpPunch    Op = "punch"
	OpOther    Op = "other" // Step
)

// Fault decides whether a call fails: nil lets it happen. It must not call the FS.
type Fault func(op Op, name string) error

// FS is a vfs.FS in memory. All methods may be called at the same time; each call
// is one indivisible step.
type FS struct {
	mu       sync.Mutex
	rng      *rand.Rand
	entries  map[string]*entry
	moves    []move // to the shelf, not yet durable
	capacity int64  // bytes; 0: no limit
	used     int64
	calls    int
	cutAt    int // the call at which the power goes; 0: never
	dark     bool
	clones   bool
	fault    Fault
}

// entry is a name: what it stands for now and what it may stand for after a power
// cut.
type entry struct {
	now   *inode
	maybe []*inode // the first is durable; nil: no such file
	doubt bool     // it was made and a SyncDir failed: no later one settles it, before it changes again
}

// set changes what the name stands for.
func (e *entry) set(n *inode) {
	e.now, e.doubt = n, false
	e.maybe = append(e.maybe, n)
}

// settle is a SyncDir.
func (e *entry) settle() {
	if !e.doubt {
		e.maybe = []*inode{e.now}
	}
}

// New makes an empty FS whose random choices follow from seed.
func New(seed uint64) *FS {
	return &FS{rng: rand.New(rand.NewPCG(seed, 0x74776c)), entries: map[string]*entry{}}
}

// SetCapacity limits the space that files can take, in bytes; 0 means no limit.
func (m *FS) SetCapacity(n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.capacity = n
}

// SetCloning says whether files can share blocks, which they cannot if nobody says so.
func (m *FS) SetCloning(on bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.clones = on
}

// SetFault puts f before every call; nil takes it out.
func (m *FS) SetFault(f Fault) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fault = f
}

// CutAfter lets n more calls happen; the power goes during the one after them.
func (m *FS) CutAfter(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cutAt = m.calls + n + 1
}

// Calls is the number of calls so far.
func (m *FS) Calls() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.calls
}

// Dark says whether the power is gone.
func (m *FS) Dark() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.dark
}

// Step counts as a call without doing anything: for other storage that shall lose
// power together with this one. If the power goes during it, applied says whether
// the other storage's change is to have happened.
func (m *FS) Step(name string) (applied bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.stepLocked(OpOther, name); err != nil {
		return errors.Is(err, errCutNow) && m.rng.IntN(2) == 0, public(err)
	}
	return true, nil
}

// errCutNow marks the call during which the power goes; its effect may be there.
var errCutNow = errors.New("power cut now")

// stepLocked counts a call and says whether it may go on.
func (m *FS) stepLocked(op Op, name string) error {
	if m.dark {
		return ErrPowerCut
	}
	m.calls++
	if m.cutAt > 0 && m.calls >= m.cutAt {
		m.dark = true
		return errCutNow
	}
	if m.fault != nil {
		return m.fault(op, name)
	}
	return nil
}

// public is err as callers see it.
func public(err error) error {
	if errors.Is(err, errCutNow) {
		return ErrPowerCut
	}
	return err
}

// Create makes a file.
func (m *FS) Create(name string) (vfs.File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	err := m.stepLocked(OpCreate, name)
	if err != nil && !errors.Is(err, errCutNow) {
		return nil, err
	}
	e := m.entries[name]
	if e == nil {
		e = &entry{maybe: []*inode{nil}}
		m.entries[name] = e
	}
	if e.now != nil {
		return nil, &fs.PathError{Op: "create", Path: name, Err: fs.ErrExist}
	}
	e.set(newInode())
	e.now.linked, e.now.opens = true, 1
	if err != nil {
		return nil, public(err)
	}
	return &file{fs: m, node: e.now, name: name}, nil
}

// Open opens a file.
func (m *FS) Open(name string) (vfs.File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.stepLocked(OpOpen, name); err != nil {
		return nil, public(err)
	}
	e := m.entries[name]
	if e == nil || e.now == nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	e.now.opens++
	return &file{fs: m, node: e.now, name: name}, nil
}

// Remove takes a name away.
func (m *FS) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	err := m.stepLocked(OpRemove, name)
	if err != nil && !errors.Is(err, errCutNow) {
		return err
	}
	e := m.entries[name]
	if e == nil || e.now == nil {
		return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrNotExist}
	}
	e.now.linked = false
	m.reclaimLocked(e.now)
	e.set(nil)
	return public(err)
}

// reclaimLocked gives the space of a file back that nobody can reach any more.
func (m *FS) reclaimLocked(n *inode) {
	if !n.linked && n.opens == 0 {
		m.used -= n.allocated()
	}
}

// List names all files.
func (m *FS) List() ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.stepLocked(OpRead, ""); err != nil {
		return nil, public(err)
	}
	var names []string
	for name, e := range m.entries {
		if e.now != nil && !strings.HasPrefix(name, shelf) {
			names = append(names, name)
		}
	}
	return names, nil
}

// SyncDir makes the names durable.
func (m *FS) SyncDir() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.stepLocked(OpSyncDir, ""); err != nil {
		for _, e := range m.entries {
			e.doubt = e.doubt || e.now != nil && len(e.maybe) > 1
		}
		return public(err)
	}
	for _, e := range m.entries {
		e.settle()
	}
	m.durableMoves()
	return nil
}

// Allocated counts the 4 KiB blocks of a file that were written.
func (m *FS) Allocated(name string) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.stepLocked(OpRead, name); err != nil {
		return 0, public(err)
	}
	e := m.entries[name]
	if e == nil || e.now == nil {
		return 0, &fs.PathError{Op: "stat", Path: name, Err: fs.ErrNotExist}
	}
	return e.now.allocated(), nil
}

// unlimited is what Space reports where no capacity was set, in bytes.
const unlimited = 1 << 50

// Space is the capacity and what is left of it.
func (m *FS) Space() (total, free int64, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	total = unlimited
	if m.capacity > 0 {
		total = m.capacity
	}
	return total, max(0, total-m.used), nil
}

// reserveLocked takes the space of one block, or fails with ENOSPC.
func (m *FS) reserveLocked() error {
	if m.capacity > 0 && m.used+blockSize > m.capacity {
		return syscall.ENOSPC
	}
	m.used += blockSize
	return nil
}

// Crash cuts the power, if it is not gone yet, and returns the filesystem as it
// may be found afterwards. Crash again gives another possible outcome.
func (m *FS) Crash() *FS {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dark = true
	after := New(m.rng.Uint64())
	after.capacity, after.clones = m.capacity, m.clones
	chosen := map[string]*inode{}
	for _, name := range slices.Sorted(maps.Keys(m.entries)) {
		e := m.entries[name]
		if old := e.maybe[m.rng.IntN(len(e.maybe))]; old != nil {
			chosen[name] = old
		}
	}
	m.settleMoves(chosen)
	made := map[*inode]*inode{}
	for _, name := range slices.Sorted(maps.Keys(chosen)) {
		old := chosen[name]
		if made[old] == nil {
			made[old] = old.crash(m.rng)
			after.used += made[old].allocated()
		}
		after.entries[name] = &entry{now: made[old], maybe: []*inode{made[old]}}
	}
	return after
}
