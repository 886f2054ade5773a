package cli

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// imageFile is a file that is being written under another name, and gets its own when it is
// whole.
type imageFile struct {
	*os.File
	name  string
	force bool // what has the name may be replaced
}

// createImage begins an image. With force, name may be a file that is there, but
// nothing else.
func createImage(name string, force bool) (*imageFile, error) {
	switch info, err := os.Lstat(name); {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		return nil, err
	case !force:
		return nil, &os.PathError{Op: "create", Path: name, Err: unix.EEXIST}
	case !info.Mode().IsRegular():
		return nil, &os.PathError{Op: "replace", Path: name, Err: errors.New("it is no regular file")}
	}
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".part-*")
	if err != nil {
		return nil, err
	}
	return &imageFile{File: f, name: name, force: force}, nil
}

// named makes an error about the file one about the name that the user knows.
func (f *imageFile) named(err error) error {
	if p, ok := errors.AsType[*os.PathError](err); ok && p.Path == f.Name() {
		return &os.PathError{Op: p.Op, Path: f.name, Err: p.Err}
	}
	return err
}

// keep makes the image durable under its name.
func (f *imageFile) keep() error {
	err := f.Sync()
	if err == nil {
		err = f.rename()
	}
	if err != nil {
		return errors.Join(f.named(err), f.discard())
	}
	return errors.Join(f.Close(), syncFolder(filepath.Dir(f.name)))
}

// rename gives the file its name, which another file must not have got meanwhile.
func (f *imageFile) rename() error {
	if f.force {
		return os.Rename(f.Name(), f.name)
	}
	err := unix.Renameat2(unix.AT_FDCWD, f.Name(), unix.AT_FDCWD, f.name, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) { // the filesystem does not know how
		if err = os.Link(f.Name(), f.name); err == nil {
			err = os.Remove(f.Name())
		}
	}
	if err != nil {
		return &os.PathError{Op: "create", Path: f.name, Err: err}
	}
	return nil
}

// discard removes what was written.
func (f *imageFile) discard() error { return errors.Join(f.Close(), os.Remove(f.Name())) }

func syncFolder(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
