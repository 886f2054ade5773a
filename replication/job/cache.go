package job

import (
	"slices"
	"sync"

	"twinlun/replication/store"
)

// cache keeps what the records of the last list decoded to, so that the next one
// decodes only what has changed. What the store has decides: an entry counts only
// for the bytes that it was made of, so nobody has to tell of changes.
type cache struct {
	mu   sync.Mutex
	last []*decoded // by ID; neither list nor entries are changed once they are here
}

// decoded is a record and the bytes that it was decoded from.
type decoded struct {
	text   string
	record Record
}

// scan is all records in the order of their IDs. They are the caller's.
func (c *cache) scan(tx store.Tx) (all []Record, err error) {
	old := c.get()
	next := make([]*decoded, 0, len(old))
	all = make([]Record, 0, len(old))
	err = tx.Scan(bucket, "", func(id string, v []byte) error {
		for len(old) > 0 && old[0].record.ID < id {
			old = old[1:]
		}
		d, err := again(old, id, v)
		if err != nil {
			return err
		}
		next, all = append(next, d), append(all, d.record)
		last := &all[len(all)-1]
		last.Affected = slices.Clone(last.Affected)
		return nil
	})
	if err == nil {
		c.put(next)
	}
	return all, err
}

// again is the first entry of old if that is what v decodes to; else v is decoded.
func again(old []*decoded, id string, v []byte) (*decoded, error) {
	if len(old) > 0 && old[0].record.ID == id && old[0].text == string(v) {
		return old[0], nil
	}
	r, err := decode(id, v)
	return &decoded{string(v), r}, err
}

func (c *cache) get() []*decoded {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}

func (c *cache) put(next []*decoded) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = next
}
