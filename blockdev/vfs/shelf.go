package vfs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
)

// shelfName is the folder of a Dir's shelf. It is not lost+found, which the root of
// an ext4 filesystem has already, for root alone.
const shelfName = "lost"

// shelf is the second folder of a Dir. It is made when it is needed.
type shelf struct {
	path string

	mu      sync.Mutex
	changed bool // since the last sync
}

// touch notes a change; sync makes it durable.
func (s *shelf) touch() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changed = true
}

func (s *shelf) sync() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.changed {
		return nil
	}
	dir, err := os.Open(s.path)
	if err != nil {
		return err
	}
	if err := errors.Join(dir.Sync(), dir.Close()); err != nil {
		return err
	}
	s.changed = false
	return nil
}

// Shelve renames the file into the folder lost, which it makes with mode 0700 if it
// is not there. Where the filesystem cannot rename without replacing
// (renameat2(2), RENAME_NOREPLACE), a file of the name is looked for before.
func (d *Dir) Shelve(name string) error {
	from, err := d.join(name)
	if err != nil {
		return err
	}
	if err := os.Mkdir(d.shelf.path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	to := filepath.Join(d.shelf.path, name)
	d.shelf.touch()
	err = unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		err = renameIfFree(from, to)
	}
	if err != nil {
		return &os.LinkError{Op: "shelve", Old: from, New: to, Err: err}
	}
	return nil
}

func renameIfFree(from, to string) error {
	if _, err := os.Lstat(to); err == nil {
		return fs.ErrExist
	}
	return os.Rename(from, to)
}

// Shelved reads the folder lost; without one there is nothing.
func (d *Dir) Shelved() ([]Shelved, error) {
	entries, err := os.ReadDir(d.shelf.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var out []Shelved
	for _, e := range entries {
		var st unix.Stat_t
		path := filepath.Join(d.shelf.path, e.Name())
		if err := unix.Lstat(path, &st); err != nil {
			return nil, &os.PathError{Op: "stat", Path: path, Err: err}
		}
		if e.Type().IsRegular() {
			out = append(out, Shelved{Name: e.Name(), Size: st.Size, Allocated: st.Blocks * 512})
		}
	}
	return out, err
}

// Unshelve unlinks a file of the folder lost.
func (d *Dir) Unshelve(name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	d.shelf.touch()
	path := filepath.Join(d.shelf.path, name)
	if err := unix.Unlink(path); err != nil {
		return &os.PathError{Op: "unlink", Path: path, Err: err}
	}
	return nil
}
