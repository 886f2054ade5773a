package auth

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"twinlun/cim"
)

const (
	fileVersion = 1
	maxFile     = 4 << 20
	maxUsers    = 10000
)

// record is one user as stored.
type record struct {
	Name string `json:"name"`
	Role string `json:"role"`
	Hash string `json:"hash"`

	role cim.Role
	hash hash
}

// document is the file as a whole.
type document struct {
	Version int      `json:"version"`
	Users   []record `json:"users"`
}

// stamp tells two versions of the file apart. Each write makes a new file, so
// that the inode and its change time differ.
type stamp struct {
	ino, size, mtime, ctime int64
}

// stampOf is the stamp of what stands at path; zero where nothing does.
func stampOf(path string) (stamp, error) {
	var st syscall.Stat_t
	err := syscall.Stat(path, &st)
	if errors.Is(err, fs.ErrNotExist) {
		return stamp{}, nil
	}
	if err != nil {
		return stamp{}, &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	return stamp{int64(st.Ino), st.Size, st.Mtim.Nano(), st.Ctim.Nano()}, nil
}

// readFile reads and checks the users at path. No file is no users.
func readFile(path string) ([]record, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	users, err := decode(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return users, nil
}

// decode reads the text of the file; every user in it is valid or all are refused.
func decode(data []byte) ([]record, error) {
	if len(data) > maxFile {
		return nil, errors.New("larger than any list of users")
	}
	var d document
	if err := json.Unmarshal(data, &d); err != nil {
		return nil, err
	}
	if d.Version != fileVersion {
		return nil, fmt.Errorf("version %d is not known", d.Version)
	}
	if len(d.Users) > maxUsers {
		return nil, fmt.Errorf("more than %d users", maxUsers)
	}
	seen := make(map[string]bool, len(d.Users))
	for i := range d.Users {
		r := &d.Users[i]
		if err := r.parse(); err != nil {
			return nil, fmt.Errorf("user %d: %w", i+1, err)
		}
		if seen[nameKey(r.Name)] {
			return nil, fmt.Errorf("user %s: %w", r.Name, ErrUserExists)
		}
		seen[nameKey(r.Name)] = true
	}
	return d.Users, nil
}

func (r *record) parse() (err error) {
	if err = CheckName(r.Name); err != nil {
		return err
	}
	if r.role, err = ParseRole(r.Role); err != nil {
		return err
	}
	r.hash, err = parseHash(r.Hash)
	return err
}

// writeFile replaces the file at path in one step: after a crash either the old
// or the new list is there, and once it returned the new one. The caller holds
// the lock, so that one name for what is not finished is enough.
func writeFile(path string, users []record) error {
	data, err := json.MarshalIndent(document{Version: fileVersion, Users: users}, "", "  ")
	if err != nil {
		return err
	}
	tmp := path + ".tmp"
	if err := createFile(tmp, append(data, '\n'), path); err != nil {
		return errors.Join(err, ignoreMissing(os.Remove(tmp)))
	}
	if err := os.Rename(tmp, path); err != nil {
		return errors.Join(err, ignoreMissing(os.Remove(tmp)))
	}
	return syncDir(filepath.Dir(path))
}

// createFile writes and syncs a file that only the owner of like reads.
func createFile(path string, data []byte, like string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	err = adopt(f, like)
	if err == nil {
		_, err = f.Write(data)
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// adopt makes f private to the owner of the file like, or of its folder where it
// is not there: root changes users for a daemon that is not root.
func adopt(f *os.File, like string) error {
	if err := f.Chmod(0o600); err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return nil
	}
	var st syscall.Stat_t
	err := syscall.Stat(like, &st)
	if errors.Is(err, fs.ErrNotExist) {
		err = syscall.Stat(filepath.Dir(like), &st)
	}
	if err != nil {
		return &fs.PathError{Op: "stat", Path: like, Err: err}
	}
	return f.Chown(int(st.Uid), int(st.Gid))
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// withLock runs f while no other process or goroutine that uses withLock on the
// same path does.
func withLock(path string, f func() error) (err error) {
	l, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	if err := adopt(l, path); err != nil {
		return err
	}
	for {
		err = syscall.Flock(int(l.Fd()), syscall.LOCK_EX)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		return &fs.PathError{Op: "flock", Path: l.Name(), Err: err}
	}
	return f()
}
