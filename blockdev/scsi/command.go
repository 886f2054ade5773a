// Package scsi is a SCSI device server (SPC-5, SBC-4) for block devices: a table
// of operation codes, the data they return, and the translation of failures into
// sense data. It knows no transport.
package scsi

import "context"

// Nexus names one I_T nexus (SAM-5): an initiator port's session with a target
// port. It is comparable.
type Nexus struct {
	Initiator string // iSCSI name of the initiator
	ISID      [6]byte
	TPGT      uint16
}

// Command is one SCSI command with all of its Data-Out.
type Command struct {
	CDB   []byte // 6 to 16 bytes
	Nexus Nexus
	// DataOut holds what the initiator sent, complete. The transport owns it
	// and may use it again when Execute has returned.
	DataOut []byte
	// Expected is the most Data-In that the transport can deliver, in bytes.
	Expected int
	// Alloc gives a buffer of n bytes for Data-In, content undefined; nil
	// means make. What it gave is handed back as Result.DataIn.
	Alloc func(n int) []byte
}

// Status is a SCSI status code (SAM-5 section 5.3.1).
type Status byte

// The status codes that the device server returns.
const (
	StatusGood                Status = 0x00
	StatusCheckCondition      Status = 0x02
	StatusBusy                Status = 0x08
	StatusReservationConflict Status = 0x18
	StatusTaskSetFull         Status = 0x28
	StatusTaskAborted         Status = 0x40
)

// Result is the answer to a Command.
type Result struct {
	Status Status
	// Sense is fixed-format sense data (SPC-5 section 4.5.3), nil if Status
	// is not StatusCheckCondition.
	Sense []byte
	// DataIn is what the command returns, at most Command.Expected bytes and
	// cut to the CDB's allocation length.
	DataIn []byte
	// Transfer is the full length in bytes that the command itself would
	// have moved in its direction (CDB transfer or allocation length
	// resolved), from which the transport computes residuals.
	Transfer int
}

// Unit executes commands: what a transport needs of a logical unit.
type Unit interface {
	// Execute runs one command to its end. Many may run at once; order
	// between them is the transport's. Failures are in the Result. A ctx
	// that ends makes it return early with StatusTaskAborted where it can.
	Execute(ctx context.Context, c *Command) Result
	// AttachNexus begins and DetachNexus ends what the unit remembers of an
	// initiator, such as unit attentions (SPC-5 section 5.14).
	AttachNexus(n Nexus)
	DetachNexus(n Nexus)
	// Reset is a logical unit reset (SAM-5 section 6.3.3): unit attention
	// for every nexus.
	Reset()
}
