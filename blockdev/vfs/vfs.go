// Package vfs is the small filesystem that layers are kept in: one flat folder
// of sparse files. Dir is the folder of a real filesystem; package memfs has one
// that can lose power.
//
// What the interfaces promise about durability is all that the layers rely on:
// nothing is durable before a Sync or SyncDir that began later has returned nil,
// what was not synced may be there in part, each 512-byte sector of a file for
// itself, and a failed Sync says nothing about what reached the disk. There is
// no rename, because nothing here needs one, but that of Shelve.
package vfs

import "io"

// Sector is the unit, in bytes, in which an interrupted write may be torn. Within
// a sector it is there or not.
const Sector = 512

// FS is one folder. All methods may be called at the same time. Names are plain
// file names without separators.
type FS interface {
	Files
	Shelf
	Usage
}

// Files makes, opens and removes the files of a folder.
type Files interface {
	// Create makes an empty file that was not there (fs.ErrExist if it was)
	// and opens it. The file may be gone after a power cut until SyncDir.
	Create(name string) (File, error)
	// Open opens a file for reading and writing; fs.ErrNotExist if there is
	// none.
	Open(name string) (File, error)
	// Remove takes the name away; open files go on working. The name may be
	// back after a power cut until SyncDir.
	Remove(name string) error
	// List gives the names of all files, in no order.
	List() ([]string, error)
	// SyncDir makes every earlier Create, Remove, Shelve and Unshelve durable.
	// After an error no name must be relied on that was not durable before: it
	// may be gone after a power cut although later calls succeed. An error that
	// one caller gets all get who may depend on what it was about.
	SyncDir() error
}

// Shelf is a second folder within the first, for files that nobody knows and that
// must not be lost. What is on it is not in the folder any more: Open, Remove and
// List do not find it.
type Shelf interface {
	// Shelve moves a file to the shelf under its name; fs.ErrNotExist if there is
	// none, fs.ErrExist if the shelf has one. After a power cut the file may be in
	// either place until SyncDir, but it is in one.
	Shelve(name string) error
	// Shelved lists what is on the shelf, in no order.
	Shelved() ([]Shelved, error)
	// Unshelve removes a file from the shelf for good; fs.ErrNotExist if there is
	// none.
	Unshelve(name string) error
}

// Shelved is a file on the shelf.
type Shelved struct {
	Name      string
	Size      int64 // length in bytes
	Allocated int64 // the space that it takes, in bytes
}

// Usage tells what space there is and where it went.
type Usage interface {
	// Allocated is the space that the named file takes, in bytes.
	Allocated(name string) (int64, error)
	// Space gives the size of the filesystem and what is free, in bytes.
	Space() (total, free int64, err error)
}

// File is one open sparse file. All methods may be called at the same time but Close:
// nothing may run in the file then. Afterwards everything fails.
type File interface {
	Content
	Shape
	io.Closer
}

// Content is what is read from and written to a file.
type Content interface {
	// ReadAt reads as io.ReaderAt says. Holes read as zeros.
	io.ReaderAt
	// WriteAt writes as io.WriterAt says. A full filesystem fails it with
	// ENOSPC or EDQUOT and leaves each sector old or new.
	io.WriterAt
	// WriteSync is WriteAt whose content is durable when it returns nil, and
	// so is the file's size (open(2), O_DSYNC). Nothing else is.
	WriteSync(p []byte, off int64) error
	// Sync makes content and size durable. After an error the file must not
	// be trusted: what was not durable may be lost although later calls
	// succeed.
	Sync() error
}

// Shape is how long a file is and which parts of it hold data.
type Shape interface {
	// Size is the length in bytes.
	Size() (int64, error)
	// Truncate sets the length.
	Truncate(size int64) error
	// Punch makes [off, off+n) a hole, also where it is not aligned, without
	// changing the length.
	Punch(off, n int64) error
	// NextData finds the first range at or after off that may hold data;
	// io.EOF if there is none. Everything before from is a hole.
	NextData(off int64) (from, to int64, err error)
	// CopyFrom copies [off, off+n) of src to the same place of this file,
	// sharing the blocks on disk where the filesystem can. Both ranges lie
	// within the files.
	CopyFrom(src File, off, n int64) error
}

// Cloner is what a File has that can share blocks on disk with another file.
type Cloner interface {
	// CloneFrom makes [off, off+n) of the file what it is in src, holes included,
	// by sharing its blocks: no data moves. Both ranges lie within the files.
	// errors.ErrUnsupported: the two files cannot share that range, as most
	// filesystems cannot any, and others none that does not begin and end with a
	// block; nothing has changed then.
	CloneFrom(src File, off, n int64) error
}
