package scsi

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/faultdev"
	"twinlun/blockdev/memdev"
)

const (
	testID   = "602544c0123456789abcdef012345678"
	testSize = 8 << 20
)

// rig is a unit on a device in memory that can be made to fail.
type rig struct {
	*LogicalUnit
	t    testing.TB
	mem  *memdev.Device
	plan *faultdev.Plan
	log  *bytes.Buffer
}

// nexusA and nexusB are two initiators.
var (
	nexusA = Nexus{Initiator: "iqn.1994-05.test:a", ISID: [6]byte{1}, TPGT: 1}
	nexusB = Nexus{Initiator: "iqn.1994-05.test:b", ISID: [6]byte{2}, TPGT: 1}
)

// newRig makes a unit; change may alter its configuration.
func newRig(t testing.TB, change ...func(*Config)) *rig {
	r := &rig{t: t, mem: memdev.New(testSize), log: &bytes.Buffer{}}
	dev, plan := faultdev.Wrap(r.mem)
	r.plan = plan
	c := Config{Device: dev, ID: testID, Logger: slog.New(slog.NewTextHandler(r.log, nil))}
	for _, f := range change {
		f(&c)
	}
	u, err := NewUnit(c)
	require.NoError(t, err)
	r.LogicalUnit = u
	return r
}

// do executes a CDB with room for a mebibyte of Data-In.
func (r *rig) do(cdb string, out ...byte) Result {
	r.t.Helper()
	return r.exec(&Command{CDB: []byte(cdb), DataOut: out, Expected: 1 << 20})
}

// exec executes a command and checks what is true of all results.
func (r *rig) exec(c *Command) Result {
	r.t.Helper()
	res := r.Execute(context.Background(), c)
	require.LessOrEqual(r.t, len(res.DataIn), max(c.Expected, 0))
	require.Equal(r.t, res.Status == StatusCheckCondition, res.Sense != nil)
	return res
}

// good checks that a command succeeded and gives its data.
func (r *rig) good(cdb string, out ...byte) []byte {
	r.t.Helper()
	res := r.do(cdb, out...)
	require.Equal(r.t, StatusGood, res.Status, "% X -> sense % X", cdb, res.Sense)
	return res.DataIn
}

// bad checks that a command failed with a condition and gives the sense data.
func (r *rig) bad(want condition, cdb string, out ...byte) []byte {
	r.t.Helper()
	res := r.do(cdb, out...)
	requireSense(r.t, want, res)
	return res.Sense
}

// requireSense checks the condition of a result.
func requireSense(t testing.TB, want condition, res Result) {
	t.Helper()
	require.Equal(t, StatusCheckCondition, res.Status)
	require.Len(t, res.Sense, senseLength)
	got := condition(res.Sense[2])<<16 | condition(res.Sense[12])<<8 | condition(res.Sense[13])
	require.Equal(t, want.Error(), got.Error())
	require.EqualValues(t, 0x70, res.Sense[0]&0x7F)
	require.EqualValues(t, senseLength-8, res.Sense[7])
	require.Empty(t, res.DataIn)
}

// medium is what the device holds.
func (r *rig) medium(off int64, n int) []byte {
	r.t.Helper()
	b := make([]byte, n)
	require.NoError(r.t, r.mem.ReadAt(context.Background(), b, off))
	return b
}

// put writes to the device past the unit.
func (r *rig) put(off int64, data []byte) {
	r.t.Helper()
	require.NoError(r.t, r.mem.WriteAt(context.Background(), data, off))
}

// sectors is n sectors full of b.
func sectors(b byte, n int) []byte { return bytes.Repeat([]byte{b}, n*blockdev.SectorSize) }

func TestNewUnitRefuses(t *testing.T) {
	good := Config{Device: memdev.New(4096), ID: testID}
	for name, change := range map[string]func(*Config){
		"no device":       func(c *Config) { c.Device = nil },
		"empty device":    func(c *Config) { c.Device = memdev.New(0) },
		"no id":           func(c *Config) { c.ID = "" },
		"short id":        func(c *Config) { c.ID = testID[2:] },
		"not NAA 6":       func(c *Config) { c.ID = "5" + testID[1:] },
		"not hexadecimal": func(c *Config) { c.ID = testID[:31] + "x" },
		"long vendor":     func(c *Config) { c.Vendor = "NINECHARS" },
		"long product":    func(c *Config) { c.Product = "SEVENTEEN LETTERS" },
		"long revision":   func(c *Config) { c.Revision = "12345" },
		"control char":    func(c *Config) { c.Serial = "a\nb" },
		"not ASCII":       func(c *Config) { c.Product = "Bänd" },
		"long serial":     func(c *Config) { c.Serial = string(make([]byte, maxSerial+1)) },
	} {
		c := good
		change(&c)
		_, err := NewUnit(c)
		require.True(t, blockdev.Is(err, blockdev.KindInvalid), "%s: %v", name, err)
	}
	_, err := NewUnit(good)
	require.NoError(t, err)
}

func TestTableIsSound(t *testing.T) {
	seen := map[[2]int]string{}
	for _, r := range rows() {
		wantLength := map[byte]int{0: 6, 1: 10, 2: 10, 4: 16, 5: 12}[r.opcode()>>5]
		require.Len(t, r.usage, wantLength, r.name)
		require.NotNil(t, r.run, r.name)
		require.Zero(t, r.usage[len(r.usage)-1], "%s: no control bits are supported", r.name)
		k := [2]int{int(r.opcode()), -1}
		if r.is(actions) {
			k[1] = int(r.action())
		}
		require.Empty(t, seen[k], "%s is there twice", r.name)
		seen[k] = r.name
	}
	for k := range seen {
		require.False(t, k[1] >= 0 && seen[[2]int{k[0], -1}] != "", "opcode %X is with and without actions", k[0])
	}
}

func TestUnknownCommands(t *testing.T) {
	r := newRig(t)
	known := map[byte]bool{}
	for _, row := range rows() {
		known[row.opcode()] = true
	}
	for op := range 256 {
		cdb := make([]byte, 16)
		cdb[0] = byte(op)
		if !known[byte(op)] {
			r.bad(invalidOpcode, string(cdb))
		}
	}
	r.bad(invalidOpcode, "")
	r.bad(invalidOpcode, "\x00\x00\x00")
	r.bad(invalidFieldInCDB, "\x28\x00\x00\x00\x00\x00\x00\x00\x01") // one byte short
	sense := r.bad(invalidFieldInCDB, "\x9e\x11\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x20\x00\x00")
	require.Equal(t, []byte{0xCC, 0, 1}, sense[15:18], "an unknown service action is a bad field")
	require.NotContains(t, r.log.String(), "level=ERROR")
}

// TestReservedBits sets every bit of every CDB that the table does not know.
func TestReservedBits(t *testing.T) {
	r := newRig(t)
	for _, row := range rows() {
		for i := 1; i < len(row.usage); i++ {
			for bit := range 8 {
				mask := byte(1) << bit
				if row.usage[i]&mask != 0 || i == 1 && row.is(actions) && mask&actionMask != 0 {
					continue
				}
				cdb := make([]byte, len(row.usage))
				cdb[0] = row.opcode()
				if row.is(actions) {
					cdb[1] = row.action()
				}
				cdb[i] |= mask
				sense := r.bad(invalidFieldInCDB, string(cdb))
				require.Equal(t, []byte{0xC8 | byte(bit), 0, byte(i)}, sense[15:18], "%s byte %d bit %d", row.name, i, bit)
			}
		}
	}
}

func TestPaddingIsIgnored(t *testing.T) {
	r := newRig(t)
	r.good("\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")
}

func TestFieldPointers(t *testing.T) {
	require.Equal(t, fieldPointer{0xC0, 0x01, 0x02}, pointer(0x40, 258, 0xFF))
	require.Equal(t, fieldPointer{0x80, 0, 3}, pointer(0, 3, 0))
	require.Equal(t, fieldPointer{0xCD, 0, 1}, pointer(0x40, 1, 0x20))
	require.Equal(t, fieldPointer{0xCC, 0, 1}, pointer(0x40, 1, 0x1F))
	require.Equal(t, fieldPointer{0xC8, 0, 1}, pointer(0x40, 1, 0x01))
}

func TestCanceled(t *testing.T) {
	r := newRig(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, cdb := range []string{"\x28\x00\x00\x00\x00\x00\x00\x00\x01\x00", "\x00\x00\x00\x00\x00\x00"} {
		res := r.Execute(ctx, &Command{CDB: []byte(cdb), Expected: 512})
		require.Equal(t, StatusTaskAborted, res.Status)
		require.Nil(t, res.Sense)
	}
	require.Zero(t, r.plan.Count())
}

func TestCanceledOnTheWay(t *testing.T) {
	r := newRig(t)
	ctx, cancel := context.WithCancel(context.Background())
	r.plan.Inject(faultdev.Fault{Ops: []faultdev.Op{faultdev.OpWrite}, After: 1, Gate: func(ctx context.Context) error {
		cancel()
		<-ctx.Done()
		return errors.New("gave up")
	}})
	cdb := "\x41\x00\x00\x00\x00\x00\x00\x40\x00\x00" // WRITE SAME of 8 MiB
	res := r.Execute(ctx, &Command{CDB: []byte(cdb), DataOut: sectors(7, 1)})
	require.Equal(t, StatusTaskAborted, res.Status)
	require.Equal(t, 2, r.plan.Count(faultdev.OpWrite), "the rest is not written")
	require.Empty(t, r.log.String())
}

func TestReadOnly(t *testing.T) {
	r := newRig(t, func(c *Config) { c.ReadOnly = true })
	r.put(0, sectors(5, 1))
	for _, row := range rows() {
		if !row.is(writes) {
			continue
		}
		cdb := make([]byte, len(row.usage))
		cdb[0] = row.opcode()
		r.bad(writeProtected, string(cdb), sectors(1, 1)...)
	}
	require.Equal(t, sectors(5, 1), r.good("\x28\x08\x00\x00\x00\x00\x00\x00\x01\x00"))
	require.EqualValues(t, 0x90, r.good("\x1a\x00\x08\x00\xff\x00")[2])
	require.Zero(t, r.plan.Count(faultdev.OpWrite, faultdev.OpFUA, faultdev.OpZero))
}
