package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/bits"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	bolterr "go.etcd.io/bbolt/errors"
)

// Options tune Open. The zero value is right for a daemon.
type Options struct {
	// LockTimeout is how long Open waits for another process to let go of
	// the file; default 2 s.
	LockTimeout time.Duration
}

const defaultLockTimeout = 2 * time.Second

// reserve is how much address space is mapped ahead: while the file is smaller, an
// Update never waits for Views to end. It costs no memory.
const reserve = 1 << (26 + 4*(bits.UintSize/64)) // 64 MiB, or 1 GiB with 64 bits

// bolt is a Store in one bbolt file.
type bolt struct {
	db   *bbolt.DB
	file *os.File // db's

	// life is held for reading by every transaction.
	life   sync.RWMutex
	closed bool

	// writing is held by each Update, so that none waits within bbolt for one
	// that damage has stopped half-way.
	writing sync.Mutex

	// state.damage is set by the first panic of bbolt; nothing is done with
	// the file after it.
	state struct {
		sync.Mutex
		damage error
		stuck  bool // a transaction could not be ended: bbolt still holds its locks
	}
}

// Open opens the store in the file at path, which is made with mode 0600 if it is
// not there; its folder must be. Every Update is synced before it returns.
//
// One process has a store at a time: ErrLocked otherwise. A damaged file is
// ErrCorrupt, one of a later version ErrFormat.
func Open(path string, o Options) (Store, error) {
	if o.LockTimeout <= 0 {
		o.LockTimeout = defaultLockTimeout
	}
	db, file, err := openFile(path, o)
	if err != nil {
		return nil, err
	}
	b := &bolt{db: db, file: file}
	if err := b.checkFormat(); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), b.Close())
	}
	return b, syncDir(filepath.Dir(path))
}

// openFile is bbolt.Open without its panics, and with errors that help.
//
// NoFreelistSync stays off: with it bbolt walks the whole file in a goroutine of
// its own when it opens, where damage ends the process.
func openFile(path string, o Options) (db *bbolt.DB, file *os.File, err error) {
	opt := bbolt.Options{
		Timeout:      o.LockTimeout,
		FreelistType: bbolt.FreelistMapType,

		InitialMmapSize: reserve,
		OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
			f, err := os.OpenFile(name, flag, mode)
			file = f
			return f, err
		},
	}
	err = guard(func() (err error) {
		db, err = bbolt.Open(path, 0o600, &opt)
		return err
	})
	if err != nil {
		letGo(file)
	}
	return db, file, openError(path, err)
}

// letGo gives up the lock and the file, should bbolt have stopped half-way. The
// mapping that may be left keeps the file, and would keep the lock.
func letGo(file *os.File) {
	if file == nil {
		return
	}
	if raw, err := file.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { _ = syscall.Flock(int(fd), syscall.LOCK_UN) })
	}
	_ = file.Close()
}

// openError says what keeps the file from being opened.
func openError(path string, err error) error {
	_, isPath := errors.AsType[*fs.PathError](err)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, bolterr.ErrTimeout):
		return fmt.Errorf("%w: %s is held by %s", ErrLocked, path, lockHolder(path))
	case errors.Is(err, bolterr.ErrInvalid), errors.Is(err, bolterr.ErrChecksum), errors.Is(err, bolterr.ErrVersionMismatch):
		return fmt.Errorf("%w: %s: %w", ErrCorrupt, path, err)
	case isPath:
		return fmt.Errorf("store: %w", err)
	}
	return fmt.Errorf("store: %s: %w", path, err)
}

// syncDir makes the file's name as durable as the file.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}

// Update implements Store.
func (b *bolt) Update(ctx context.Context, fn func(Tx) error) error {
	return b.run(ctx, true, fn)
}

// View implements Store.
func (b *bolt) View(ctx context.Context, fn func(Tx) error) error {
	return b.run(ctx, false, fn)
}

func (b *bolt) run(ctx context.Context, write bool, fn func(Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b.life.RLock()
	defer b.life.RUnlock()
	if b.closed {
		return ErrClosed
	}
	if write {
		b.writing.Lock()
		defer b.writing.Unlock()
	}
	return b.transact(write, fn)
}

// transact runs fn in one transaction of bbolt and ends it, also when fn panics.
func (b *bolt) transact(write bool, fn func(Tx) error) (err error) {
	var tx *bbolt.Tx
	begin := func() (err error) { tx, err = b.db.Begin(write); return err }
	if err := b.damage(); err != nil {
		return err
	}
	if err := b.guard(begin); err != nil {
		if errors.Is(err, ErrCorrupt) {
			b.stick(err)
		}
		return err
	}
	ended := false
	defer func() {
		if !ended {
			b.rollback(tx)
		}
	}()
	if err := fn(&boltTx{b: b, tx: tx, write: write}); err != nil {
		return err
	}
	if !write {
		return nil
	}
	if err := b.damage(); err != nil { // fn may have swallowed it
		return err
	}
	err = b.guard(tx.Commit)
	ended = err == nil
	return err
}

// rollback ends a transaction that must not change anything. A second end is
// refused by bbolt, which is how a Commit that failed by itself looks.
func (b *bolt) rollback(tx *bbolt.Tx) {
	err := guard(tx.Rollback)
	if err == nil || errors.Is(err, bolterr.ErrTxClosed) {
		return
	}
	b.stick(err)
}

// stick notes damage that leaves bbolt's locks held.
func (b *bolt) stick(err error) {
	b.state.Lock()
	defer b.state.Unlock()
	b.state.stuck = true
	if b.state.damage == nil {
		b.state.damage = err
	}
}

// Close implements Store.
func (b *bolt) Close() error {
	b.life.Lock()
	defer b.life.Unlock()
	if b.closed {
		return nil
	}
	b.closed = true
	b.state.Lock()
	defer b.state.Unlock()
	defer letGo(b.file)
	if b.state.stuck { // bbolt would wait for ever
		return b.state.damage
	}
	return guard(b.db.Close)
}
