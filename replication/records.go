package replication

import (
	"encoding/json"
	"fmt"
	"time"

	"twinlun/blockdev/pool"
	"twinlun/replication/store"
)

// The buckets of the store that the Service owns; values are JSON.
const (
	bucketPairs    = "relationships"
	bucketGroups   = "groups"
	bucketTies     = "groupRelationships"
	bucketRequests = "replicationRequests"
	bucketScrubs   = "poolScrubs"
)

// pairRecord is a relationship as it is stored.
type pairRecord struct {
	Relationship
	// Request is the ID of the request whose job waits for the pair, or empty.
	Request string `json:",omitempty"`
	// Made says that the target was made for the relationship, so that it
	// read as zeros before the first copy.
	Made bool `json:",omitempty"`
	// Written says that a host has written to the target.
	Written bool `json:",omitempty"`
	// Revert is what a Restore or Reset under way needs after a restart.
	Revert *reverting `json:",omitempty"`
}

// reverting is a Restore or Reset of a pair, as it is stored before it is done.
type reverting struct {
	// Revision is that of the volume that gets another content, before it does: if
	// the pool has another one now, it did.
	Revision uint64
	Keep     *keeping `json:",omitempty"`
}

// keeping is the snapshot that a Restore makes of the source as it was.
type keeping struct {
	ID     string        // of its relationship
	Volume pool.VolumeID // its target
	Name   string
	At     time.Time // its point in time
}

// stage says how far a request is.
type stage string

const (
	// stageMaking: volumes are being made; after a crash they are deleted.
	stageMaking stage = "making"
	// stageCopying: the pairs stand and a job waits for them.
	stageCopying stage = "copying"
	// stageUndoing: the pairs are taken apart and what was made is deleted.
	stageUndoing stage = "undoing"
)

// request is a creation that is under way, as it is stored: what must be undone
// or waited for after a restart.
type request struct {
	ID    string
	Stage stage
	Job   string `json:",omitempty"` // tells of it; empty: none does
	// Undo: it made the pairs, so undoing it takes them apart.
	Undo  bool     `json:",omitempty"`
	Pairs []string // relationship IDs
	// Volumes are the new ones: they go when the request is undone.
	Volumes []VolumeRef
	// Tie and Groups are what a group request made, likewise.
	Tie    string   `json:",omitempty"`
	Groups []string `json:",omitempty"`
	// Keep leaves the pairs that succeed when others fail.
	Keep bool `json:",omitempty"`
	// Code and Cause are what the job ends with after stageUndoing; Code 0
	// says that it was cancelled.
	Code  Kind   `json:",omitempty"`
	Cause string `json:",omitempty"`
}

// put stores a record.
func put(tx store.Tx, bucket, key string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode %s %s: %w", bucket, key, err)
	}
	return tx.Put(bucket, key, b)
}

// scan decodes all records of a bucket. One that cannot be read is an error:
// going on without it would lose a relationship.
func scan[T any](tx store.Tx, bucket string, each func(key string, v T)) error {
	return tx.Scan(bucket, "", func(key string, b []byte) error {
		var v T
		if err := json.Unmarshal(b, &v); err != nil {
			return fmt.Errorf("decode %s %s: %w", bucket, key, err)
		}
		each(key, v)
		return nil
	})
}
