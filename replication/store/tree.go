package store

import "strings"

// node is an immutable treap: a search tree by key that is a heap by priority,
// which a hash of the key gives. Changes copy the path to the root.
type node struct {
	key         string
	value       []byte // never nil
	prio        uint64
	left, right *node
}

func (n *node) get(key string) []byte {
	for n != nil && n.key != key {
		if key < n.key {
			n = n.left
		} else {
			n = n.right
		}
	}
	if n == nil {
		return nil
	}
	return n.value
}

// put is n with the key set.
func (n *node) put(key string, value []byte) *node {
	less, more := n.split(key)
	return join(join(less, &node{key: key, value: value, prio: priority(key)}), more)
}

// remove is n without the key.
func (n *node) remove(key string) *node {
	less, more := n.split(key)
	return join(less, more)
}

// split is what is less and what is greater than the key.
func (n *node) split(key string) (less, more *node) {
	switch {
	case n == nil:
		return nil, nil
	case n.key == key:
		return n.left, n.right
	case n.key < key:
		c := *n
		c.right, more = n.right.split(key)
		return &c, more
	}
	c := *n
	less, c.left = n.left.split(key)
	return less, &c
}

// join is a tree of both; all keys of a are less than those of b.
func join(a, b *node) *node {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	case a.prio > b.prio:
		c := *a
		c.right = join(a.right, b)
		return &c
	}
	c := *b
	c.left = join(a, b.left)
	return &c
}

// scan calls fn for the keys with the prefix in ascending order.
func (n *node) scan(prefix string, fn func(string, []byte) error) error {
	if n == nil {
		return nil
	}
	in := strings.HasPrefix(n.key, prefix)
	if n.key >= prefix {
		if err := n.left.scan(prefix, fn); err != nil {
			return err
		}
	}
	if in {
		if err := fn(n.key, n.value); err != nil {
			return err
		}
	}
	if n.key < prefix || in {
		return n.right.scan(prefix, fn)
	}
	return nil
}

// priority scatters keys; it is the same for the same key.
func priority(key string) uint64 {
	const offset, prime = 14695981039346656037, 1099511628211 // FNV-1a
	h := uint64(offset)
	for i := range len(key) {
		h = (h ^ uint64(key[i])) * prime
	}
	h = (h ^ h>>29) * 0xbf58476d1ce4e5b9
	return h ^ h>>32
}
