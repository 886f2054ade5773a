package scsi

import "context"

// flags say how a command is treated before it runs.
type flags uint8

const (
	always  flags = 1 << iota // no unit attention or reservation stops it (SPC-5 section 5.14)
	shared                    // a reservation of another nexus does not stop it
	writes                    // it changes the medium
	flushes                   // it waits for what was written
	actions                   // the opcode has service actions
)

// handler carries out a command whose CDB the table has checked. An error is a
// condition, *senseError, statusError or a failure of the device; the Result's
// Transfer and DataIn count also with one.
type handler func(ctx context.Context, u *LogicalUnit, c *Command) (Result, error)

// row is one command that the unit knows.
type row struct {
	name  string
	flags flags
	// usage is the CDB usage data of REPORT SUPPORTED OPERATION CODES: the
	// opcode, the service action where there is one, and the bits that the
	// handler reads. A CDB with any other bit is refused. Its length is that
	// of the CDB.
	usage string
	run   handler
}

// rows lists all commands. A new one is a row here and a handler.
func rows() []row {
	return []row{
		{"TEST UNIT READY", 0, "\x00\x00\x00\x00\x00\x00", testUnitReady},
		{"REQUEST SENSE", always, "\x03\x00\x00\x00\xff\x00", requestSense},
		{"READ(6)", 0, "\x08\x1f\xff\xff\xff\x00", read},
		{"WRITE(6)", writes, "\x0a\x1f\xff\xff\xff\x00", write},
		{"INQUIRY", always, "\x12\x01\xff\xff\xff\x00", inquiry},
		{"MODE SELECT(6)", 0, "\x15\x11\x00\x00\xff\x00", modeSelect},
		{"RESERVE(6)", 0, "\x16\x00\x00\x00\x00\x00", reserve},
		{"RELEASE(6)", shared, "\x17\x00\x00\x00\x00\x00", release},
		{"MODE SENSE(6)", 0, "\x1a\x08\xff\xff\xff\x00", modeSense},
		{"START STOP UNIT", flushes, "\x1b\x01\x00\x00\x05\x00", startStopUnit},
		{"PREVENT ALLOW MEDIUM REMOVAL", 0, "\x1e\x00\x00\x00\x03\x00", preventAllow},

		{"READ CAPACITY(10)", 0, "\x25\x00\x00\x00\x00\x00\x00\x00\x00\x00", readCapacity10},
		{"READ(10)", 0, "\x28\x1a\xff\xff\xff\xff\x3f\xff\xff\x00", read},
		{"WRITE(10)", writes, "\x2a\x1a\xff\xff\xff\xff\x3f\xff\xff\x00", write},
		{"WRITE AND VERIFY(10)", writes, "\x2e\x16\xff\xff\xff\xff\x3f\xff\xff\x00", writeAndVerify},
		{"VERIFY(10)", 0, "\x2f\x16\xff\xff\xff\xff\x3f\xff\xff\x00", verify},
		{"SYNCHRONIZE CACHE(10)", flushes, "\x35\x06\xff\xff\xff\xff\x3f\xff\xff\x00", synchronizeCache},
		{"WRITE SAME(10)", writes, "\x41\x08\xff\xff\xff\xff\x3f\xff\xff\x00", writeSame},
		{"UNMAP", writes, "\x42\x00\x00\x00\x00\x00\x3f\xff\xff\x00", unmap},
		{"MODE SELECT(10)", 0, "\x55\x11\x00\x00\x00\x00\x00\xff\xff\x00", modeSelect},
		{"MODE SENSE(10)", 0, "\x5a\x18\xff\xff\x00\x00\x00\xff\xff\x00", modeSense},

		{"READ(16)", 0, "\x88\x1a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x3f\x00", read},
		{"COMPARE AND WRITE", writes, "\x89\x1a\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\xff\x3f\x00", compareAndWrite},
		{"WRITE(16)", writes, "\x8a\x1a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x3f\x00", write},
		{"WRITE AND VERIFY(16)", writes, "\x8e\x16\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x3f\x00", writeAndVerify},
		{"VERIFY(16)", 0, "\x8f\x16\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x3f\x00", verify},
		{"SYNCHRONIZE CACHE(16)", flushes, "\x91\x06\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x3f\x00", synchronizeCache},
		{"WRITE SAME(16)", writes, "\x93\x09\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x3f\x00", writeSame},
		{"READ CAPACITY(16)", actions, "\x9e\x10\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff\x00\x00", readCapacity16},
		{"GET LBA STATUS(16)", actions, "\x9e\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00", getLBAStatus},

		{"REPORT LUNS", always, "\xa0\x00\xff\x00\x00\x00\xff\xff\xff\xff\x00\x00", reportLUNs},
		{"REPORT SUPPORTED OPERATION CODES", actions, "\xa3\x0c\x87\xff\xff\xff\xff\xff\xff\xff\x00\x00", reportOpcodes},
		{"READ(12)", 0, "\xa8\x1a\xff\xff\xff\xff\xff\xff\xff\xff\x3f\x00", read},
		{"WRITE(12)", writes, "\xaa\x1a\xff\xff\xff\xff\xff\xff\xff\xff\x3f\x00", write},
		{"WRITE AND VERIFY(12)", writes, "\xae\x16\xff\xff\xff\xff\xff\xff\xff\xff\x3f\x00", writeAndVerify},
		{"VERIFY(12)", 0, "\xaf\x16\xff\xff\xff\xff\xff\xff\xff\xff\x3f\x00", verify},
	}
}

// is says whether the row has any of the flags.
func (r *row) is(f flags) bool { return r.flags&f != 0 }

// opcode is the first byte of the row's CDBs.
func (r *row) opcode() byte { return r.usage[0] }

// action is the row's service action; meaningless without the flag actions.
func (r *row) action() byte { return r.usage[1] & actionMask }

// actionMask covers the SERVICE ACTION field in byte 1 of a CDB.
const actionMask = 0x1F

// checkCDB refuses a CDB that is too short or has bits that the row does not
// know. Bytes past the row's length are padding of the transport.
func (r *row) checkCDB(cdb []byte) error {
	if len(cdb) < len(r.usage) {
		return invalidFieldInCDB
	}
	for i := 1; i < len(r.usage); i++ {
		known := r.usage[i]
		if i == 1 && r.is(actions) {
			known |= actionMask
		}
		if bad := cdb[i] &^ known; bad != 0 {
			return cdbField(i, bad)
		}
	}
	return nil
}

// table finds rows by opcode.
type table struct {
	rows  []row
	first [256]*row    // of opcodes without service actions, or the first of those with
	more  map[int]*row // by opcode<<8 | service action
}

// newTable indexes all rows.
func newTable() *table {
	t := &table{rows: rows(), more: make(map[int]*row)}
	for i := range t.rows {
		r := &t.rows[i]
		if t.first[r.opcode()] == nil {
			t.first[r.opcode()] = r
		}
		if r.is(actions) {
			t.more[int(r.opcode())<<8|int(r.action())] = r
		}
	}
	return t
}

// unknown stands for commands that have no row.
func unknown() *row { return &row{name: "unknown command"} }

// lookup finds the row of a CDB. There is always a row, also with an error.
func (t *table) lookup(cdb []byte) (*row, error) {
	if len(cdb) < 6 {
		return unknown(), invalidOpcode
	}
	r := t.first[cdb[0]]
	if r == nil {
		return unknown(), invalidOpcode
	}
	if !r.is(actions) {
		return r, nil
	}
	if r = t.more[int(cdb[0])<<8|int(cdb[1]&actionMask)]; r == nil {
		return unknown(), cdbField(1, actionMask)
	}
	return r, nil
}
