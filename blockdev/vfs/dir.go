package vfs

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// lockName is the file in a Dir that is locked while it is open. List leaves it
// out.
const lockName = "lock"

// Dir is a folder of the operating system's filesystem.
type Dir struct {
	path  string
	dir   *os.File // for SyncDir
	lock  *os.File
	shelf shelf
	names lanes // one, for dir
}

// OpenDir opens the folder path, making it with mode 0700 if it is not there, and
// locks it until Close. A folder that another process or another Dir holds fails
// with unix.EWOULDBLOCK.
func OpenDir(path string) (*Dir, error) {
	if err := makeDir(path); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(path, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		lock.Close()
		return nil, fmt.Errorf("lock %s: %w", lock.Name(), err)
	}
	dir, err := os.Open(path)
	if err != nil {
		lock.Close()
		return nil, err
	}
	d := &Dir{path: path, dir: dir, lock: lock, shelf: shelf{path: filepath.Join(path, shelfName)}}
	d.names.main, d.names.only = d.syncNames, true
	return d, nil
}

// makeDir makes path and makes its name durable.
func makeDir(path string) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	parent, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer parent.Close()
	return parent.Sync()
}

// Close unlocks the folder. Files stay open.
func (d *Dir) Close() error {
	err := d.dir.Close()
	if e := d.lock.Close(); err == nil {
		err = e
	}
	return err
}

// join is the path of a file.
func (d *Dir) join(name string) (string, error) {
	return filepath.Join(d.path, name), checkName(name)
}

// checkName refuses a name with a separator.
func checkName(name string) error {
	if name == "" || name == "." || name == ".." || strings.ContainsRune(name, '/') {
		return fmt.Errorf("file name %q: %w", name, os.ErrInvalid)
	}
	return nil
}

// Create makes the file with mode 0600.
func (d *Dir) Create(name string) (File, error) {
	return d.open(name, os.O_RDWR|os.O_CREATE|os.O_EXCL)
}

// Open opens the file for reading and writing.
func (d *Dir) Open(name string) (File, error) { return d.open(name, os.O_RDWR) }

func (d *Dir) open(name string, flag int) (File, error) {
	path, err := d.join(name)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, flag|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	return newOSFile(f)
}

// Remove unlinks the file.
func (d *Dir) Remove(name string) error {
	path, err := d.join(name)
	if err != nil {
		return err
	}
	return unix.Unlink(path)
}

// List reads the folder.
func (d *Dir) List() ([]string, error) {
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		if e.Type().IsRegular() && e.Name() != lockName {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// SyncDir syncs the folder: once for all who wait. The kernel tells of a loss once, so
// an error is that of all later calls, too.
func (d *Dir) SyncDir() error { return d.names.sync() }

// syncNames syncs the folder, after the shelf if that was changed: what has moved is
// there before it is gone here.
func (d *Dir) syncNames() error {
	if err := d.shelf.sync(); err != nil {
		return err
	}
	return d.dir.Sync()
}

// Allocated is st_blocks in bytes.
func (d *Dir) Allocated(name string) (int64, error) {
	if err := checkName(name); err != nil {
		return 0, err
	}
	var st unix.Stat_t
	if err := unix.Fstatat(int(d.dir.Fd()), name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return 0, &os.PathError{Op: "stat", Path: filepath.Join(d.path, name), Err: err}
	}
	return st.Blocks * 512, nil
}

// Space is what statfs says to those who are not root.
func (d *Dir) Space() (total, free int64, err error) {
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(d.dir.Fd()), &st); err != nil {
		return 0, 0, fmt.Errorf("statfs %s: %w", d.path, err)
	}
	return int64(st.Blocks) * st.Bsize, int64(st.Bavail) * st.Bsize, nil
}
