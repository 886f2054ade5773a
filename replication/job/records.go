package job

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"

	"twinlun/replication/store"
)

// bucket holds the records, by ID.
const bucket = "jobs"

// expires is when a job that is done is to be forgotten.
func (r Record) expires() time.Time { return r.Ended.Add(r.Retain) }

// serial is what the identifiers of jobs begin with: the time in milliseconds in 48
// bits, and a number within it in 16. Each is larger than the one before, also when
// the clock stands still or goes back.
type serial uint64

const timeMask = 1<<48 - 1

// next is the serial of a job that is made now.
func (s serial) next(now time.Time) serial {
	return max(serial(now.UnixMilli()&timeMask)<<16, s+1)
}

// serialOf is that of an identifier; 0: it has none.
func serialOf(id string) serial {
	n, err := strconv.ParseUint(id[:min(16, len(id))], 16, 64)
	if err != nil {
		return 0
	}
	return serial(n)
}

// newID is 16 hexadecimal digits of the serial, so that IDs sort by age, and 16
// random ones.
func (s serial) newID(rnd io.Reader) (string, error) {
	var b [8]byte
	if _, err := io.ReadFull(rnd, b[:]); err != nil {
		return "", fmt.Errorf("job: new identifier: %w", err)
	}
	return fmt.Sprintf("%016x", uint64(s)) + hex.EncodeToString(b[:]), nil
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
