package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	keyed "hash"
	"io"
	"time"
)

// How long a password that was checked once need not be hashed again: while it
// is used at least every cacheIdle, for cacheLife at most.
const (
	cacheIdle = time.Minute
	cacheLife = 10 * time.Minute
)

// cache remembers which password of a user was right, as a MAC under a key that
// only this process has. One entry a user at most, so it is as large as the
// list of users. It is guarded by its owner's lock.
type cache struct {
	hash    keyed.Hash
	entries map[string]*cacheEntry
}

type cacheEntry struct {
	mac         [sha256.Size]byte
	first, last time.Time
}

func newCache(rand io.Reader) (*cache, error) {
	key := make([]byte, 32)
	if _, err := io.ReadFull(rand, key); err != nil {
		return nil, fmt.Errorf("cache key: %w", err)
	}
	return &cache{hash: hmac.New(sha256.New, key), entries: map[string]*cacheEntry{}}, nil
}

func (c *cache) clear() { clear(c.entries) }

// has says whether put was called for the same user and password lately.
func (c *cache) has(user, password string, now time.Time) bool {
	e := c.entries[user]
	if e == nil {
		return false
	}
	if now.Sub(e.last) > cacheIdle || now.Sub(e.first) > cacheLife || now.Before(e.first) {
		delete(c.entries, user)
		return false
	}
	mac := c.mac(user, password)
	if !hmac.Equal(mac[:], e.mac[:]) {
		return false
	}
	e.last = now
	return true
}

func (c *cache) put(user, password string, now time.Time) {
	c.entries[user] = &cacheEntry{mac: c.mac(user, password), first: now, last: now}
}

func (c *cache) mac(user, password string) (sum [sha256.Size]byte) {
	text := make([]byte, 0, 4+len(user)+len(password))
	text = binary.BigEndian.AppendUint32(text, uint32(len(user)))
	text = append(append(text, user...), password...)
	c.hash.Reset()
	c.hash.Write(text)
	c.hash.Sum(sum[:0])
	clear(text)
	return sum
}
