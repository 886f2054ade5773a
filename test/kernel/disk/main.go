// Command disk runs in the guest of test/kernel, on a filesystem whose disk is about
// to fail.
//
//	disk write DIR        writes to the volumes of a pool in DIR, takes and deletes snapshots, until it is killed
//	disk errors DIR       writes until the first error, and some time longer
//	disk check DIR NOTES  compares the pool with what one of the others had noted
//
// Notes are what was answered, one a line, on the standard output: "ack VOLUME WRITER
// CHANGE" is a flush or a durable write, "ask NAME VOLUME" and "snap NAME" are before and
// after a snapshot, "drop NAME" is before a delete.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"twinlun/blockdev/pool"
	"twinlun/replication/store"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "disk:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	ctx := context.Background()
	switch {
	case len(args) == 2 && args[0] == "write":
		return (&work{notes: os.Stdout, snapshots: true}).run(ctx, args[1])
	case len(args) == 2 && args[0] == "errors":
		return (&work{notes: os.Stdout}).run(ctx, args[1])
	case len(args) == 3 && args[0] == "check":
		return check(ctx, args[1], args[2])
	}
	return errors.New("usage: disk write DIR | errors DIR | check DIR NOTES")
}

// open opens the pool in dir, with the store that the daemon has.
func open(ctx context.Context, dir string) (*pool.LayerPool, func() error, error) {
	s, err := store.Open(filepath.Join(dir, "store"), store.Options{})
	if err != nil {
		return nil, nil, err
	}
	p, err := pool.Open(ctx, pool.Config{Dir: filepath.Join(dir, "pool"), Name: "p", Meta: meta{s}})
	if err != nil {
		return nil, nil, errors.Join(err, s.Close())
	}
	return p, func() error { return errors.Join(p.Close(), s.Close()) }, nil
}

// meta keeps the pool's records in the store.
type meta struct{ store.Store }

func (m meta) Update(ctx context.Context, fn func(pool.MetaTx) error) error {
	return m.Store.Update(ctx, func(tx store.Tx) error { return fn(tx) })
}

func (m meta) View(ctx context.Context, fn func(pool.MetaTx) error) error {
	return m.Store.View(ctx, func(tx store.Tx) error { return fn(tx) })
}
