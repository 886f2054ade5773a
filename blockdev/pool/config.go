package pool

import (
	"io"
	"log/slog"
	"time"

	"twinlun/blockdev/vfs"
)

// Config says where a pool lives and what it works with. Dir or FS, Name and Meta
// must be given; the rest has defaults.
type Config struct {
	// Dir is the folder of the layer files. It is made (0700) if it is not
	// there, and locked: a second Open of it fails with KindBusy.
	Dir string
	// Name is the pool's name: valid (ValidName), without '/'.
	Name string
	// Meta keeps the pool's records, under keys that begin with Name.
	Meta Meta
	// Logger gets what an operator should know; default: nothing is logged.
	Logger *slog.Logger
	// Time is the clock of Volume.Created; default time.Now.
	Time func() time.Time
	// Rand is where identifiers come from, safe for concurrent use; default crypto/rand.
	Rand io.Reader
	// Checksums has the blocks of frozen layers summed in the background, so that
	// Scrub can find what a disk has changed.
	Checksums bool
	// VerifyReads compares what is read of frozen layers with their sums; a block
	// that differs fails the read with KindIO.
	VerifyReads bool
	// Damaged, if it is set, is told of damage that a read or a scrub finds and that
	// was not known; otherwise it is logged. It must return quickly and not call the
	// pool.
	Damaged func(Damage)
	// FS replaces the folder Dir, for tests. It is not locked.
	FS vfs.FS
	// MergeRate bounds the copying that gives space back after a delete, in
	// bytes a second; default 256 MiB. Negative means no limit.
	MergeRate int64
	// SumRate bounds the reading for checksums, in bytes a second; default
	// 64 MiB. Negative means no limit.
	SumRate int64
	// Reserve is the space in bytes that volumes leave free, for what makes
	// them durable and what gives space back; default 64 MiB or 1 % of what
	// the folder's filesystem can hold, if that is less. Negative means none.
	Reserve int64
	// MaxProvisioned limits the sum of the volumes' sizes, in bytes: what
	// would go beyond fails with KindNoSpace. 0 means no limit. Volumes that
	// are there already stay.
	MaxProvisioned int64
	// DetectZeros makes writes of nothing but zeros, of whole blocks, take no
	// space.
	DetectZeros bool
}
