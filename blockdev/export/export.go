// Package export keeps the list of volumes that initiators may reach over iSCSI,
// durably, and makes the targets for them: one target for each exposed volume,
// the volume as its LUN 0.
package export

import (
	"time"

	"twinlun/blockdev/pool"
)

// VolumeRef names a volume in a pool.
type VolumeRef struct {
	Pool string        `json:"pool"`
	ID   pool.VolumeID `json:"id"`
}

// Request is a wish to expose a volume. On a volume that is exposed already it
// adds initiators and replaces the credentials if it has any.
type Request struct {
	Volume VolumeRef
	// Initiators are the iSCSI names that may log in; empty means all. A
	// malformed name is KindInvalid.
	Initiators []string
	// User and Secret are the CHAP credentials that initiators must have;
	// both empty: none. A secret has 12 to 255 bytes.
	User, Secret string
	ReadOnly     bool
}

// Export describes an exposed volume. The secret is never shown.
type Export struct {
	Volume     VolumeRef
	Target     string // iSCSI name of the target
	Initiators []string
	User       string // CHAP user, or empty
	ReadOnly   bool
	Created    time.Time
	Sessions   int // that are logged in now
}
