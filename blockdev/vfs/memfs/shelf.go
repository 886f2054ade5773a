package memfs

import (
	"errors"
	"io/fs"
	"slices"
	"strings"

	"twinlun/blockdev/vfs"
)

// shelf begins the names of the entries that are on the shelf.
const shelf = "lost/"

// move is a file on its way to the shelf: the power cut decides where it is found.
type move struct {
	node     *inode
	from, to string
}

// Shelve moves a file to the shelf.
func (m *FS) Shelve(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	err := m.stepLocked(OpShelve, name)
	if err != nil && !errors.Is(err, errCutNow) {
		return err
	}
	from, to := m.entries[name], m.entries[shelf+name]
	switch {
	case from == nil || from.now == nil:
		return &fs.PathError{Op: "shelve", Path: name, Err: fs.ErrNotExist}
	case to != nil && to.now != nil:
		return &fs.PathError{Op: "shelve", Path: name, Err: fs.ErrExist}
	case to == nil:
		to = &entry{maybe: []*inode{nil}}
		m.entries[shelf+name] = to
	}
	m.moves = append(m.moves, move{node: from.now, from: name, to: shelf + name})
	to.set(from.now)
	from.set(nil)
	return public(err)
}

// Shelved lists the shelf.
func (m *FS) Shelved() ([]vfs.Shelved, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.stepLocked(OpRead, shelf); err != nil {
		return nil, public(err)
	}
	var out []vfs.Shelved
	for path, e := range m.entries {
		if name, ok := strings.CutPrefix(path, shelf); ok && e.now != nil {
			out = append(out, vfs.Shelved{Name: name, Size: e.now.size, Allocated: e.now.allocated()})
		}
	}
	return out, nil
}

// Unshelve removes a file from the shelf.
func (m *FS) Unshelve(name string) error {
	return m.Remove(shelf + name)
}

// settleMoves lets the files that were being moved be in one place each: chosen is
// what a power cut leaves of every name.
func (m *FS) settleMoves(chosen map[string]*inode) {
	for _, mv := range m.moves {
		here, there := chosen[mv.from] == mv.node, chosen[mv.to] == mv.node
		switch {
		case here && there:
			delete(chosen, [...]string{mv.from, mv.to}[m.rng.IntN(2)])
		case here || there || m.entries[mv.to].now != mv.node:
			// it is in one place, or was removed from there since
		case m.entries[mv.from].now == nil && m.rng.IntN(2) == 0:
			chosen[mv.from] = mv.node
		default:
			chosen[mv.to] = mv.node
		}
	}
}

// durableMoves forgets the moves that a SyncDir made durable.
func (m *FS) durableMoves() { m.moves = slices.Delete(m.moves, 0, len(m.moves)) }

// PutBack takes everything from the shelf back to the folder, as an administrator
// would, and says how much that was. It is no call: nothing interrupts it.
func (m *FS) PutBack() (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for path, e := range m.entries {
		if name, ok := strings.CutPrefix(path, shelf); ok && e.now != nil {
			m.entries[name] = &entry{now: e.now, maybe: []*inode{e.now}}
			delete(m.entries, path)
			n++
		}
	}
	return n
}
