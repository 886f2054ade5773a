package export

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"twinlun/blockdev"
	"twinlun/blockdev/iscsi"
	"twinlun/blockdev/pool"
)

// bucket holds one record for each export.
const bucket = "exports"

// record is what is stored of an export. It holds the secret in clear, because
// CHAP needs it so; nothing but the store and the target server gets it.
type record struct {
	Volume     VolumeRef `json:"volume"`
	Target     string    `json:"target"`
	Alias      string    `json:"alias"`
	Initiators []string  `json:"initiators,omitempty"` // lower case, sorted; empty: all
	User       string    `json:"user,omitempty"`
	Secret     string    `json:"secret,omitempty"`
	ReadOnly   bool      `json:"readOnly,omitempty"`
	Created    time.Time `json:"created"`
}

// key is where the record of a volume is stored. An ID has no slash.
func key(v VolumeRef) string { return string(v.ID) + "/" + v.Pool }

// chap is the record's credentials for the target server.
func (r *record) chap() *iscsi.CHAP {
	if r.User == "" {
		return nil
	}
	return &iscsi.CHAP{User: r.User, Secret: r.Secret}
}

// describe is what may be shown of the record.
func (r *record) describe(sessions int) Export {
	return Export{
		Volume: r.Volume, Target: r.Target, Initiators: slices.Clone(r.Initiators),
		User: r.User, ReadOnly: r.ReadOnly, Created: r.Created, Sessions: sessions,
	}
}

// put stores a record.
func (x *Exports) put(ctx context.Context, op string, r *record) error {
	data, err := json.Marshal(r)
	if err != nil {
		return blockdev.Wrap(blockdev.KindInternal, op, err)
	}
	return stored(op, x.cfg.Meta.Update(ctx, func(tx pool.MetaTx) error {
		return tx.Put(bucket, key(r.Volume), data)
	}))
}

// drop removes the record of a volume.
func (x *Exports) drop(ctx context.Context, op string, v VolumeRef) error {
	return stored(op, x.cfg.Meta.Update(ctx, func(tx pool.MetaTx) error {
		return tx.Delete(bucket, key(v))
	}))
}

// load reads all records. One that cannot be read is logged and left alone.
func (x *Exports) load(ctx context.Context) (list []*record, err error) {
	err = x.cfg.Meta.View(ctx, func(tx pool.MetaTx) error {
		return tx.Scan(bucket, "", func(k string, value []byte) error {
			r := &record{}
			if err := json.Unmarshal(value, r); err != nil || key(r.Volume) != k {
				x.cfg.Logger.Error("record of an export is damaged", "key", k, "err", err)
				return nil
			}
			list = append(list, r)
			return nil
		})
	})
	return list, stored("load exports", err)
}

// stored makes failures of the store errors of this package.
func stored(op string, err error) error {
	return blockdev.Wrap(blockdev.KindOf(err), op, err)
}
