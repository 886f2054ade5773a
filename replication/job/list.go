package job

import (
	"context"
	"errors"
	"maps"
	"slices"

	"twinlun/replication/store"
)

// Each calls f for the jobs that there are when it is called, in the order of their
// making, each as it is when its turn comes; those that are gone by then are left
// out. f may take its time and may call the Manager. Its first error ends the list
// and comes back.
func (m *Manager) Each(ctx context.Context, f func(Record) error) error {
	ids, err := m.ids(ctx)
	if err != nil {
		return err
	}
	return m.each(ctx, ids, f)
}

func (m *Manager) each(ctx context.Context, ids []string, f func(Record) error) error {
	for _, id := range ids {
		r, err := m.Get(ctx, id)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err == nil {
			err = f(r)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// ids lists all jobs without decoding them.
func (m *Manager) ids(ctx context.Context) (ids []string, err error) {
	err = m.cfg.Store.View(ctx, func(tx store.Tx) error {
		return tx.Scan(bucket, "", func(id string, _ []byte) error {
			ids = append(ids, id)
			return nil
		})
	})
	return ids, err
}

// Count says how many jobs there are.
func (m *Manager) Count(ctx context.Context) (int, error) {
	ids, err := m.ids(ctx)
	return len(ids), err
}

// Affecting lists the jobs that affect an element, in the order of their making.
func (m *Manager) Affecting(ctx context.Context, e Element) (all []Record, err error) {
	m.mu.Lock()
	ids := slices.Sorted(maps.Keys(m.affecting[e]))
	m.mu.Unlock()
	err = m.each(ctx, ids, func(r Record) error {
		all = append(all, r)
		return nil
	})
	return all, err
}

func (m *Manager) noteElements(r Record) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range r.Affected {
		if m.affecting[e] == nil {
			m.affecting[e] = map[string]bool{}
		}
		m.affecting[e][r.ID] = true
	}
}

func (m *Manager) dropElementsLocked(r Record) {
	for _, e := range r.Affected {
		if delete(m.affecting[e], r.ID); len(m.affecting[e]) == 0 {
			delete(m.affecting, e)
		}
	}
}
