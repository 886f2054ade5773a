// Package bitmap remembers which regions of a device differ, or may differ, from
// those of another, also over a crash.
//
// Log is the set in the store. Bits is the set in memory that it is made of. One
// TiB in regions of 1 MiB takes two times 128 KiB of memory, and at most 32 pages of
// 4 KiB in the store.
package bitmap

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"twinlun/blockdev"
	"twinlun/replication/store"
)

// DefaultRegion is the size of a region in bytes unless the Config says otherwise.
const DefaultRegion = 1 << 20

// maxRegions bounds the memory of a Log: 64 MiB a set, 512 TiB in regions of 1 MiB.
const maxRegions = 1 << 29

// bucket holds a head and pages for each Log.
const bucket = "dirty"

// Config is what a Log stands on.
type Config struct {
	Store store.Store
	// ID names the Log in the store; it must not contain a slash.
	ID string
	// Size of the device in bytes; see Grow.
	Size int64
	// Region is the size of a region in bytes, a power of two not below
	// blockdev.BlockSize; 0 means DefaultRegion. A Log that is in the store
	// already keeps its own.
	Region int64
}

// Log is a set of dirty regions. All methods may be called at the same time.
type Log struct {
	store  store.Store
	id     string
	region int64

	// writing holds the right to write pages: one transaction serves all who
	// waited for the one before.
	writing chan struct{}

	mu      sync.Mutex // guards what follows
	head    head       // as the store has it
	dirty   *Bits
	stored  *Bits              // what the store holds at least, whatever happens
	changed map[int64]struct{} // pages that the store may hold otherwise
}

// head is the record of a Log beside its pages.
type head struct {
	Region int64 `json:"region"`
	Seeded bool  `json:"seeded"`
}

// Open loads the Log of an ID; one that is not in the store is empty and not
// seeded.
func Open(ctx context.Context, c Config) (*Log, error) {
	if c.Region == 0 {
		c.Region = DefaultRegion
	}
	l := &Log{
		store: c.Store, id: c.ID, region: c.Region,
		writing: make(chan struct{}, 1), changed: make(map[int64]struct{}),
	}
	err := c.Store.View(ctx, func(tx store.Tx) error { return l.load(tx, c.Size) })
	if err != nil {
		return nil, fmt.Errorf("bitmap %s: %w", c.ID, err)
	}
	return l, nil
}

// load reads head and pages.
func (l *Log) load(tx store.Tx, size int64) error {
	v, err := tx.Get(bucket, l.headKey())
	if err != nil {
		return err
	}
	if v != nil {
		var h head
		if err := json.Unmarshal(v, &h); err != nil {
			return fmt.Errorf("head: %w", err)
		}
		l.region, l.head = h.Region, h
	}
	if err := checkRegion(l.region, size); err != nil {
		return err
	}
	n := (size + l.region - 1) / l.region
	l.dirty, l.stored = NewBits(n), NewBits(n)
	return tx.Scan(bucket, l.id+"/p", l.loadPage)
}

// checkRegion says whether regions of this size can be used for the device.
func checkRegion(region, size int64) error {
	switch {
	case region < blockdev.BlockSize || region&(region-1) != 0:
		return fmt.Errorf("region size %d is not a power of two of at least %d", region, blockdev.BlockSize)
	case size < 0 || size/region >= maxRegions:
		return fmt.Errorf("%d bytes are too many for regions of %d", size, region)
	}
	return nil
}

// loadPage takes over one stored page.
func (l *Log) loadPage(key string, v []byte) error {
	n, err := strconv.ParseUint(key[len(l.id)+len("/p"):], 16, 32)
	i := int64(n)
	if err != nil || key != l.pageKey(i) {
		return fmt.Errorf("page %q: not a number", key)
	}
	if err := l.dirty.checkPage(i, v); err != nil {
		return err
	}
	l.dirty.orPage(i, v)
	l.stored.orPage(i, v)
	return nil
}

func (l *Log) headKey() string        { return l.id + "/head" }
func (l *Log) pageKey(i int64) string { return fmt.Sprintf("%s/p%08x", l.id, i) }

// Remove forgets the Log of an ID, as part of the caller's transaction. No Log of
// it may be open.
func Remove(tx store.Tx, id string) error {
	var keys []string
	err := tx.Scan(bucket, id+"/", func(key string, _ []byte) error {
		keys = append(keys, key)
		return nil
	})
	for _, key := range keys {
		err = errors.Join(err, tx.Delete(bucket, key))
	}
	return err
}

// Region is the size of a region in bytes.
func (l *Log) Region() int64 { return l.region }

// Seeded says whether Seed was called for this ID, ever.
func (l *Log) Seeded() bool {
	return l.headNow().Seeded
}

// Count is how many regions are dirty.
func (l *Log) Count() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dirty.Count()
}

// Dirty is a copy of the set of dirty regions.
func (l *Log) Dirty() *Bits {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dirty.Clone()
}

// Next is the first dirty region from r on.
func (l *Log) Next(r int64) (int64, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dirty.Next(r)
}

// Grow makes room for a device that has grown.
func (l *Log) Grow(size int64) error {
	if err := checkRegion(l.region, size); err != nil {
		return fmt.Errorf("bitmap %s: %w", l.id, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	n := (size + l.region - 1) / l.region
	l.dirty.Grow(n)
	l.stored.Grow(n)
	return nil
}

// Regions is the range of regions that [off, off+n) touches.
func (l *Log) Regions(off, n int64) (from, to int64) {
	return off / l.region, (off + n + l.region - 1) / l.region
}
