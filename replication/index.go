package replication

import (
	"cmp"
	"maps"
	"slices"
)

// shelf keeps records by ID, and their IDs in order. It is guarded by its owner.
type shelf[T any] struct {
	byID map[string]T
	ids  []string // in order, and never changed; nil: to be made anew
}

func newShelf[T any]() shelf[T] { return shelf[T]{byID: map[string]T{}} }

// put adds or replaces a record.
func (s *shelf[T]) put(id string, v T) {
	if _, there := s.byID[id]; !there {
		s.ids = nil
	}
	s.byID[id] = v
}

func (s *shelf[T]) drop(id string) {
	delete(s.byID, id)
	s.ids = nil
}

// order is the IDs in order. Whoever has the list may keep it.
func (s *shelf[T]) order() []string {
	if s.ids == nil {
		s.ids = slices.Sorted(maps.Keys(s.byID))
	}
	return s.ids
}

// index finds the IDs of records by something that they name.
type index[K comparable] map[K]map[string]bool

func (x index[K]) add(id string, keys ...K) {
	for _, k := range keys {
		if x[k] == nil {
			x[k] = map[string]bool{}
		}
		x[k][id] = true
	}
}

func (x index[K]) drop(id string, keys ...K) {
	for _, k := range keys {
		if delete(x[k], id); len(x[k]) == 0 {
			delete(x, k)
		}
	}
}

// of is the IDs in order.
func (x index[K]) of(k K) []string { return slices.SortedFunc(maps.Keys(x[k]), cmp.Compare) }
