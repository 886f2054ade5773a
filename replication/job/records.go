package job

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"twinlun/replication/store"
)

// bucket holds the records, by ID.
const bucket = "jobs"

// expires is when a job that is done is to be forgotten.
func (r Record) expires() time.Time { return r.Ended.Add(r.Retain) }

// newID is 12 hexadecimal digits of the time in milliseconds, so that IDs sort by
// age, and 20 random ones.
func newID(now time.Time, rnd io.Reader) (string, error) {
	var b [10]byte
	if _, err := io.ReadFull(rnd, b[:]); err != nil {
		return "", fmt.Errorf("job: new identifier: %w", err)
	}
	return fmt.Sprintf("%012x", now.UnixMilli()&(1<<48-1)) + hex.EncodeToString(b[:]), nil
}

func put(tx store.Tx, r Record) error {
	v, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("job %s: %w", r.ID, err)
	}
	return tx.Put(bucket, r.ID, v)
}

func load(tx store.Tx, id string) (Record, error) {
	v, err := tx.Get(bucket, id)
	if err != nil {
		return Record{}, err
	}
	if v == nil {
		return Record{}, fmt.Errorf("%w: %s", ErrNotFound, id)
	}
	return decode(id, v)
}

func decode(id string, v []byte) (r Record, err error) {
	if err := json.Unmarshal(v, &r); err != nil {
		return r, fmt.Errorf("job %s: record: %w", id, err)
	}
	return r, nil
}
