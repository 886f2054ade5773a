// Package layer stores volumes as stacks of sparse files.
//
// A Layer is two files: ID.data, addressed like the volume, and ID.map, two bits
// for each 4 KiB block. Frozen layers are only read, except that Fill and Sink
// may move blocks between neighbours in ways that no reader can see. A View is
// what a stack of frozen layers shows; a Chain is a View with a writable layer on
// top; a Volume is a Chain that can be exchanged under its open handles. Which
// layer stands on which is not known here: see package pool.
//
// # What survives a power cut
//
// A block's content is synced before the map that names it, and the map before
// the flush is answered. Both are written so that every mixture of old and new
// sectors reads as something that an earlier moment had; mapfile.go says why. The
// undermost layer of a stack has no map: what it does not have is a hole of its
// data file, and a write to it is one system call.
package layer

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"sync/atomic"
	"syscall"

	"twinlun/blockdev"
	"twinlun/blockdev/vfs"
)

const blockSize = blockdev.BlockSize

// DataFile and MapFile are the names of the files of layer id.
func DataFile(id string) string { return id + ".data" }

// MapFile is the name of a layer's map; a layer that stands on no other has none.
func MapFile(id string) string { return id + ".map" }

// Layer is one open layer. All methods may be called at the same time.
type Layer struct {
	// What every read and write looks at, together in one line of the processor's cache.
	data    vfs.File
	size    atomic.Int64
	blocks  *blockMap
	budget  *Budget
	failed  atomic.Pointer[error]
	checked atomic.Pointer[checked] // nil: reads are not compared with sums

	id      string
	mapFile vfs.File // nil: the layer stands on nothing
	stripes stripes
	syncing oneAtATime
	stale   atomic.Bool             // the map was read: what it says may be in the page cache only
	proved  atomic.Pointer[checked] // nil: nor is what is copied
	debt    debt
}

// Create makes the files of a new layer of size bytes that holds nothing; grounded
// says that it will stand on no other. The names are durable after the next
// fsys.SyncDir. On failure nothing is left behind.
func Create(fsys vfs.Files, id string, size int64, grounded bool) (*Layer, error) {
	l := &Layer{id: id, blocks: newBlockMap(0)}
	if err := l.create(fsys, size, grounded); err != nil {
		return nil, errors.Join(ioError("create layer "+id, err), l.discard(fsys))
	}
	return l, nil
}

func (l *Layer) create(fsys vfs.Files, size int64, grounded bool) (err error) {
	if l.data, err = fsys.Create(DataFile(l.id)); err != nil {
		return err
	}
	if !grounded {
		if l.mapFile, err = fsys.Create(MapFile(l.id)); err != nil {
			return err
		}
		if _, err = l.mapFile.WriteAt(encodeHeader(l.id), 0); err != nil {
			return err
		}
		if err = l.mapFile.Sync(); err != nil {
			return err
		}
	}
	return l.Grow(size)
}

// discard closes and removes what create made.
func (l *Layer) discard(fsys vfs.Files) error {
	var err error
	if l.data != nil {
		err = errors.Join(err, fsys.Remove(DataFile(l.id)))
	}
	if l.mapFile != nil {
		err = errors.Join(err, fsys.Remove(MapFile(l.id)))
	}
	return errors.Join(err, l.Close())
}

// Remove takes the files of layer id away. A file that is not there is no error.
func Remove(fsys vfs.Files, id string) error {
	var failed error
	for _, name := range []string{DataFile(id), MapFile(id), SumFile(id)} {
		if err := fsys.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = errors.Join(failed, err)
		}
	}
	return ioError("remove layer "+id, failed)
}

// Open opens the layer of size bytes. Its files may be longer or shorter than that.
// KindIO: a file is missing or its content cannot be true.
func Open(fsys vfs.Files, id string, size int64, grounded bool) (*Layer, error) {
	l := &Layer{id: id, blocks: newBlockMap(0)}
	if err := l.open(fsys, size, grounded); err != nil {
		return nil, errors.Join(ioError("open layer "+id, err), l.Close())
	}
	return l, nil
}

func (l *Layer) open(fsys vfs.Files, size int64, grounded bool) (err error) {
	if l.data, err = fsys.Open(DataFile(l.id)); err != nil {
		return err
	}
	if err = l.Grow(size); err != nil || grounded {
		return err
	}
	if l.mapFile, err = fsys.Open(MapFile(l.id)); err != nil {
		return err
	}
	if err = vfs.Forget(l.mapFile); err != nil { // a mark that is not on the disk must not be relied on
		return err
	}
	l.stale.Store(true)
	return l.blocks.load(l.mapFile, l.id)
}

// Ground closes the map file: the layer stands on nothing from now on, also at the
// next start. What chains still mark is not kept.
func (l *Layer) Ground() error {
	l.syncing.mu.Lock()
	defer l.syncing.mu.Unlock()
	f := l.mapFile
	if l.mapFile = nil; f == nil {
		return nil
	}
	return ioError("close map of layer "+l.id, f.Close())
}

// Close closes the files without flushing.
func (l *Layer) Close() error {
	err := errors.Join(l.CheckReads(nil, false, nil), l.CheckCopies(nil, false, nil))
	for _, f := range []vfs.File{l.data, l.mapFile} {
		if f != nil {
			err = errors.Join(err, f.Close())
		}
	}
	return ioError("close layer "+l.id, err)
}

// ID is the layer's name.
func (l *Layer) ID() string { return l.id }

// Size is the length in bytes.
func (l *Layer) Size() int64 { return l.size.Load() }

// Failed is the error that ended writing to the layer, or nil.
func (l *Layer) Failed() error {
	if err := l.failed.Load(); err != nil {
		return *err
	}
	return nil
}

// Grow makes the layer size bytes long if it is shorter. The file's new length is
// durable after the next Flush, and is mended by Open if it is not. What a merge that
// was interrupted left beyond the layer's end does not come to light by it.
func (l *Layer) Grow(size int64) error {
	if size <= l.Size() {
		return nil
	}
	have, err := l.data.Size()
	if err == nil && have > l.Size() && l.Size() > 0 {
		err = l.clearEnd(have)
	}
	if err == nil && have < size {
		err = l.data.Truncate(size)
	}
	if err != nil {
		return ioError("grow layer "+l.id, err)
	}
	l.blocks.grow(blocksOf(size))
	l.size.Store(size)
	return nil
}

// Shorten takes a Grow back that came to nothing: the layer's records say size, and
// nobody has written beyond it.
func (l *Layer) Shorten(size int64) { l.size.Store(min(size, l.Size())) }

// clearEnd takes away, durably, what the file has beyond the layer's end.
func (l *Layer) clearEnd(have int64) error {
	if _, _, err := l.data.NextData(l.Size()); errors.Is(err, io.EOF) {
		return nil
	}
	if err := l.data.Punch(l.Size(), have-l.Size()); err != nil {
		return err
	}
	return l.data.Sync()
}

func blocksOf(size int64) int64 { return (size + blockSize - 1) / blockSize }

// Flush makes everything durable that was written or marked before it was called.
// A failed sync is final: the layer takes no writes any more. A full filesystem
// (KindNoSpace) is not, and nothing is lost by it.
func (l *Layer) Flush() error {
	if l.blocks.clean() && !l.stale.Load() {
		return l.syncData()
	}
	return l.syncing.do(l.flush)
}

// syncData is flush where the map names all that it must: then as many may run at once
// as the file allows.
func (l *Layer) syncData() error {
	if err := l.Failed(); err != nil {
		return err
	}
	if err := l.data.Sync(); err != nil {
		return l.fail("sync", err)
	}
	return l.Failed() // of another that ran meanwhile
}

// flush syncs the data, then the leaves of the map that were dirty before, and what an
// earlier use of the files wrote of the map without a sync: a write that found no space
// halfway. It fails where an earlier one has, also one that ended while this one waited: the
// kernel tells of a lost write once, so a second sync would not see it.
func (l *Layer) flush() (err error) {
	if err := l.Failed(); err != nil {
		return err
	}
	set := l.blocks.take()
	defer func() { l.blocks.saved(err == nil) }()
	images := l.blocks.images(set) // before the sync: it must cover what they name
	if err := l.data.Sync(); err != nil {
		return l.fail("sync", err)
	}
	if len(images) == 0 && !l.stale.Load() || l.mapFile == nil {
		return nil
	}
	for _, im := range images {
		if _, err := l.mapFile.WriteAt(im.data, im.off); err != nil {
			if full(err) {
				return ioError("write map of layer "+l.id, err)
			}
			return l.fail("write map", err)
		}
	}
	if err := l.mapFile.Sync(); err != nil {
		return l.fail("sync map", err)
	}
	l.stale.Store(false)
	return nil
}

// debt counts how often a layer was frozen before all of it was known to be durable,
// and how many of those times a flush that began later has made good. It is no flag: a
// flush that was under way when the layer was frozen must not take away what that said.
type debt struct{ owed, paid atomic.Uint64 }

func (d *debt) open() bool { return d.paid.Load() < d.owed.Load() }

// pay says that everything was made durable since owed was read.
func (d *debt) pay(owed uint64) {
	for paid := d.paid.Load(); paid < owed && !d.paid.CompareAndSwap(paid, owed); {
		paid = d.paid.Load()
	}
}

// settle makes a frozen layer durable.
func (l *Layer) settle() error {
	if !l.debt.open() {
		return nil
	}
	owed := l.debt.owed.Load()
	if err := l.Flush(); err != nil {
		return err
	}
	l.debt.pay(owed)
	return nil
}

// Fail ends writing to the layer for good, because of cause.
func (l *Layer) Fail(cause error) { _ = l.fail("use", cause) }

// fail ends writing to the layer for good.
func (l *Layer) fail(op string, cause error) error {
	err := blockdev.Wrap(blockdev.KindIO, fmt.Sprintf("%s of layer %s", op, l.id), cause)
	l.failed.CompareAndSwap(nil, &err)
	return err
}

// readAt reads p at off from the data file; beyond the layer's size are zeros. Where
// CheckReads wants it, what is read is compared with its sums.
func (l *Layer) readAt(p []byte, off int64) error {
	if c := l.checked.Load(); c != nil {
		return c.readAt(p, off)
	}
	return l.readRaw(p, off)
}

// readRaw is readAt without a comparison.
func (l *Layer) readRaw(p []byte, off int64) error {
	n := min(int64(len(p)), max(0, l.Size()-off))
	if n < int64(len(p)) {
		clear(p[n:])
		if n == 0 {
			return nil
		}
	}
	_, err := l.data.ReadAt(p[:n], off)
	return ioError("read", err)
}

// full says whether err means that there is no space.
func full(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// ioError classifies an error of the filesystem. nil stays nil.
func ioError(op string, err error) error {
	if err == nil {
		return nil
	}
	return classified(op, err)
}

func classified(op string, err error) error {
	if full(err) {
		return blockdev.Wrap(blockdev.KindNoSpace, op, err)
	}
	return blockdev.Wrap(blockdev.KindIO, op, err)
}

// oneAtATime runs a function for many callers: never twice at once, and once for
// all who came before it began.
type oneAtATime struct {
	begun atomic.Uint64

	mu   sync.Mutex
	done uint64 // the last run that succeeded
}

// do returns when a run that began after do was called has ended.
func (o *oneAtATime) do(fn func() error) error {
	seen := o.begun.Load()
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.done > seen {
		return nil
	}
	run := o.begun.Add(1)
	err := fn()
	if err == nil {
		o.done = run
	}
	return err
}
