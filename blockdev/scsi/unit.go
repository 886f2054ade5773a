package scsi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"twinlun/blockdev"
)

// MaxTransfer is the most that one command moves in either direction, in bytes;
// it is what VPD page 0xB0 says. Commands that ask for more are refused.
const MaxTransfer = 8 << 20

// Config says what a logical unit is made of.
type Config struct {
	// Device holds the blocks; its size must be positive. The unit does not
	// close it. If it is a blockdev.Revisioner, initiators are told when its
	// content was replaced (MEDIUM MAY HAVE CHANGED).
	Device blockdev.Device
	// ID is the unit's identity, 32 hexadecimal digits of an NAA 6
	// designator (SPC-5 section 7.7.6.6.5).
	ID string
	// Vendor (at most 8 characters), Product (16) and Revision (4) are the
	// identification of the standard INQUIRY data, printable ASCII; empty
	// ones are chosen by the package.
	Vendor, Product, Revision string
	// Serial is the unit serial number; empty means ID.
	Serial string
	// ReadOnly makes every write fail with WRITE PROTECTED.
	ReadOnly bool
	// Logger gets what sense data cannot say; nil means none.
	Logger *slog.Logger
}

// LogicalUnit is the device server of one direct access block device with
// logical blocks of 512 bytes. It is a Unit.
type LogicalUnit struct {
	dev      blockdev.Device
	replaced blockdev.Revisioner // dev; nil: it is none
	id       [16]byte
	vendor   string
	product  string
	revision string
	serial   string
	readOnly bool
	log      *slog.Logger

	table   *table
	nexuses nexusTable
	ranges  rangeLock
	scratch sync.Pool // of *[scratchSize]byte
}

var _ Unit = (*LogicalUnit)(nil)

// NewUnit makes the unit that c describes; a description that cannot be is
// KindInvalid.
func NewUnit(c Config) (*LogicalUnit, error) {
	if err := c.check(); err != nil {
		return nil, blockdev.Wrap(blockdev.KindInvalid, "new logical unit "+c.ID, err)
	}
	id, err := parseNAA(c.ID)
	if err != nil {
		return nil, blockdev.Wrap(blockdev.KindInvalid, "new logical unit", err)
	}
	replaced, _ := c.Device.(blockdev.Revisioner)
	return &LogicalUnit{
		dev:      c.Device,
		replaced: replaced,
		id:       id,
		vendor:   or(c.Vendor, "TWINLUN"),
		product:  or(c.Product, "Volume"),
		revision: or(c.Revision, "1"),
		serial:   or(c.Serial, c.ID),
		readOnly: c.ReadOnly,
		log:      logger(c.Logger),
		table:    newTable(),
		scratch:  sync.Pool{New: func() any { return new([scratchSize]byte) }},
	}, nil
}

// check says what is wrong with the configuration, apart from the ID.
func (c *Config) check() error {
	if c.Device == nil {
		return errors.New("no device")
	}
	if size := c.Device.Size(); size <= 0 || size%blockdev.SectorSize != 0 {
		return fmt.Errorf("device of %d bytes", size)
	}
	for _, f := range []struct {
		name, value string
		max         int
	}{
		{"vendor", c.Vendor, 8}, {"product", c.Product, 16},
		{"revision", c.Revision, 4}, {"serial number", c.Serial, maxSerial},
	} {
		if len(f.value) > f.max || !printable(f.value) {
			return fmt.Errorf("%s %q is not at most %d printable characters", f.name, f.value, f.max)
		}
	}
	return nil
}

// Execute runs one command; see Unit.
func (u *LogicalUnit) Execute(ctx context.Context, c *Command) Result {
	row, err := u.table.lookup(c.CDB)
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = u.admit(row, c)
	}
	var r Result
	if err == nil {
		r, err = row.run(ctx, u, c)
	}
	if err != nil {
		return u.fail(ctx, row, c, r, err)
	}
	return r
}

// admit decides whether a command may run now. The order is that of SAM-5: unit
// attentions first, then reservations, then the command's own fields.
func (u *LogicalUnit) admit(row *row, c *Command) error {
	nexus := u.nexuses.get(c.Nexus)
	if nexus != nil && !row.is(always) {
		if a := nexus.take(u.dev.Size(), u.contentRevision()); a != nil {
			return a
		}
	}
	if !row.is(always|shared) && u.nexuses.reservedAgainst(c.Nexus) {
		return errReserved
	}
	if err := row.checkCDB(c.CDB); err != nil {
		return err
	}
	if u.readOnly && row.is(writes) {
		return writeProtected
	}
	return nil
}

// AttachNexus begins what the unit remembers of n; its first command finds the
// POWER ON unit attention. Attached twice, it must be detached twice.
func (u *LogicalUnit) AttachNexus(n Nexus) { u.nexuses.attach(n, u.dev.Size(), u.contentRevision()) }

// contentRevision is that of the device, 0 for one whose content is never replaced.
func (u *LogicalUnit) contentRevision() uint64 {
	if u.replaced == nil {
		return 0
	}
	return u.replaced.Revision()
}

// DetachNexus forgets n and ends a reservation that it holds.
func (u *LogicalUnit) DetachNexus(n Nexus) { u.nexuses.detach(n) }

// Reset ends a reservation and tells every nexus with a unit attention. Commands
// that are running are the transport's to end.
func (u *LogicalUnit) Reset() { u.nexuses.reset() }

// or is s, or def where s is empty.
func or(s, def string) string {
	if s == "" {
		return def
	}
	return s
}

// printable says whether s is ASCII that INQUIRY data may hold (SPC-5 section
// 4.3.1).
func printable(s string) bool {
	for _, c := range []byte(s) {
		if c < 0x20 || c > 0x7e {
			return false
		}
	}
	return true
}

// logger is l, or one that drops everything where l is nil.
func logger(l *slog.Logger) *slog.Logger {
	if l == nil {
		return slog.New(slog.DiscardHandler)
	}
	return l
}
