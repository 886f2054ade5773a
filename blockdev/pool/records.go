package pool

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"

	"twinlun/blockdev"
)

// The buckets of a pool's records. Keys are the pool's name, a slash and the id.
const (
	bucketVolumes = "pool.volumes"
	bucketLayers  = "pool.layers"
)

// recordVersion is the format of the records. Records of another version are
// refused.
const recordVersion = 1

// volumeRecord is a volume as it is stored.
type volumeRecord struct {
	Version int               `json:"v"`
	ID      VolumeID          `json:"-"`
	Name    string            `json:"name"`
	Size    int64             `json:"size"`
	Created time.Time         `json:"created"`
	Labels  map[string]string `json:"labels,omitempty"`
	Top     string            `json:"top"` // layer
	// Base is the layer below Top that has what a snapshot had when it was made:
	// Reset goes back to it. Empty for other volumes, and in records of older
	// versions.
	Base string `json:"base,omitempty"`
	// Revision counts how often the content was replaced as a whole.
	Revision uint64 `json:"revision,omitempty"`
}

// layerRecord is a layer as it is stored.
type layerRecord struct {
	Version int    `json:"v"`
	ID      string `json:"-"`
	Parent  string `json:"parent,omitempty"` // empty: it stands on nothing
	Size    int64  `json:"size"`
}

func (r volumeRecord) clone() volumeRecord {
	r.Labels = maps.Clone(r.Labels)
	return r
}

func (p *LayerPool) key(id string) string { return p.name + "/" + id }

// load reads all records of the pool into the tree.
func (p *LayerPool) load(ctx context.Context) error {
	var volumes []volumeRecord
	var layers []layerRecord
	err := p.meta.View(ctx, func(tx MetaTx) error {
		volumes, layers = nil, nil
		err := scan(tx, bucketVolumes, p.key(""), func(id string, r volumeRecord) (int, error) {
			r.ID = VolumeID(id)
			volumes = append(volumes, r)
			return r.Version, nil
		})
		if err != nil {
			return err
		}
		return scan(tx, bucketLayers, p.key(""), func(id string, r layerRecord) (int, error) {
			r.ID = id
			layers = append(layers, r)
			return r.Version, nil
		})
	})
	if err != nil {
		return metaError("read the pool's records", err)
	}
	return p.tree.load(volumes, layers)
}

// scan decodes the records of a bucket; add returns the record's version.
func scan[R any](tx MetaTx, bucket, prefix string, add func(id string, r R) (int, error)) error {
	return tx.Scan(bucket, prefix, func(key string, value []byte) error {
		var r R
		if err := json.Unmarshal(value, &r); err != nil {
			return fmt.Errorf("record %s of %s: %w", key, bucket, err)
		}
		version, err := add(strings.TrimPrefix(key, prefix), r)
		if err == nil && version != recordVersion {
			err = fmt.Errorf("record %s of %s has format version %d, this program knows %d", key, bucket, version, recordVersion)
		}
		return err
	})
}

// store writes what the plan changes, and what the tree has where earlier plans left
// the store in doubt. On failure, sure says that nothing was
// stored; else it may be found at the next start, or not.
func (p *LayerPool) store(ctx context.Context, pl *plan) (sure bool, err error) {
	marks, err := p.nextMarks()
	if err != nil {
		return true, err
	}
	whole := pl
	if p.unsettled != nil {
		whole = p.unsettled.inverse()
		maps.Copy(whole.layers, pl.layers)
		maps.Copy(whole.volumes, pl.volumes)
	}
	written := false
	err = p.meta.Update(ctx, func(tx MetaTx) error {
		written = false
		for id, r := range whole.volumes {
			if err := put(tx, bucketVolumes, p.key(string(id)), r); err != nil {
				return err
			}
		}
		for id, r := range whole.layers {
			if err := put(tx, bucketLayers, p.key(id), r); err != nil {
				return err
			}
			if err := p.markLayer(tx, id, r != nil); err != nil {
				return err
			}
		}
		if err := marks.write(p, tx); err != nil {
			return err
		}
		written = true
		return nil
	})
	p.endMarks(marks, err == nil)
	if err == nil {
		p.unsettled = nil
	}
	return !written || isFull(err), metaError("store the pool's records", err)
}

// put stores a record, or deletes it where it is nil.
func put[R any](tx MetaTx, bucket, key string, r *R) error {
	if r == nil {
		return tx.Delete(bucket, key)
	}
	value, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return tx.Put(bucket, key, value)
}

// metaError gives an error of the store a kind. nil stays nil.
func metaError(op string, err error) error {
	if err == nil || isKinded(err) {
		return err
	}
	if isFull(err) {
		return blockdev.Wrap(blockdev.KindNoSpace, op, err)
	}
	return blockdev.Wrap(blockdev.KindInternal, op, err)
}
