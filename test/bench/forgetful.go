package main

import (
	"path"

	"twinlun/blockdev/layer"
	"twinlun/blockdev/vfs"
)

// forgetful is a folder whose files of data keep nothing: writing a TiB takes no room, and
// all that a layer keeps about it in memory and in its map is there as if it did.
type forgetful struct{ vfs.FS }

func (f forgetful) Create(name string) (vfs.File, error) { return forget(name, f.FS.Create) }
func (f forgetful) Open(name string) (vfs.File, error)   { return forget(name, f.FS.Open) }

// Space is that of a filesystem that has room for everything.
func (forgetful) Space() (total, free int64, err error) { return 1 << 60, 1 << 60, nil }

// forget opens a file and takes its memory, if it is one of data.
func forget(name string, open func(string) (vfs.File, error)) (vfs.File, error) {
	f, err := open(name)
	if err != nil || path.Ext(name) != path.Ext(layer.DataFile("")) {
		return f, err
	}
	return forgetfulFile{f}, nil
}

// forgetfulFile reads as zeros.
type forgetfulFile struct{ vfs.File }

func (forgetfulFile) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }
func (forgetfulFile) WriteSync([]byte, int64) error          { return nil }

func (f forgetfulFile) ReadAt(p []byte, _ int64) (int, error) {
	clear(p)
	return len(p), nil
}

// CopyFrom has nothing to keep.
func (forgetfulFile) CopyFrom(vfs.File, int64, int64) error { return nil }
