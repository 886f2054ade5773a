// Package iscsi is an iSCSI target (RFC 7143) in process: portals, login with
// CHAP, discovery, sessions at error recovery level 0 and task management. It
// carries commands to scsi.Units and knows nothing of what they do.
package iscsi

import (
	"time"

	"twinlun/blockdev/scsi"
)

// Target is one iSCSI target node with its logical units.
type Target struct {
	// Name is the iSCSI name (RFC 3720 section 3.2.6); names are compared
	// regardless of case.
	Name  string
	Alias string
	// Units are the logical units by LUN. The server does not close them.
	Units map[uint64]scsi.Unit
	// Initiators may log in and see the target; empty means all.
	Initiators []string
	// CHAP must be passed to log in; nil means none is asked for.
	CHAP *CHAP
}

// CHAP holds the credentials of RFC 7143 section 12.1.3 for one target.
type CHAP struct {
	User, Secret             string // of the initiator; the secret has 12 to 255 bytes
	MutualUser, MutualSecret string // of the target; empty: mutual CHAP is refused
}

// SessionInfo describes a session that is in full feature phase.
type SessionInfo struct {
	Target, Initiator string
	Nexus             scsi.Nexus
	Remote, Local     string // addresses, host:port
	Since             time.Time
}
