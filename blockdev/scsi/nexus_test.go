package scsi

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
)

const (
	ready  = "\x00\x00\x00\x00\x00\x00"
	sense  = "\x03\x00\x00\x00\xff\x00"
	resv   = "\x16\x00\x00\x00\x00\x00"
	rels   = "\x17\x00\x00\x00\x00\x00"
	luns   = "\xa0\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00"
	inq    = "\x12\x00\x00\x00\xff\x00"
	rdcap  = "\x25\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	writ10 = "\x2a\x00\x00\x00\x00\x00\x00\x00\x01\x00"
)

// from executes a command of one initiator.
func (r *rig) from(n Nexus, cdb string, out ...byte) Result {
	r.t.Helper()
	return r.exec(&Command{CDB: []byte(cdb), Nexus: n, DataOut: out, Expected: 1024})
}

// attached is a rig with both initiators past their first unit attention.
func attached(t *testing.T) *rig {
	r := newRig(t)
	for _, n := range []Nexus{nexusA, nexusB} {
		r.AttachNexus(n)
		requireSense(t, powerOn, r.from(n, ready))
	}
	return r
}

func TestPowerOnAttention(t *testing.T) {
	r := newRig(t)
	r.AttachNexus(nexusA)
	require.Equal(t, StatusGood, r.from(nexusA, inq).Status)
	require.Equal(t, StatusGood, r.from(nexusA, luns).Status)
	require.Equal(t, StatusGood, r.from(nexusB, ready).Status, "others have none")
	requireSense(t, powerOn, r.from(nexusA, writ10, sectors(1, 1)...))
	require.Equal(t, sectors(0, 1), r.medium(0, 512), "the command was not carried out")
	require.Equal(t, StatusGood, r.from(nexusA, writ10, sectors(1, 1)...).Status)
}

func TestRequestSenseTakesAttention(t *testing.T) {
	r := newRig(t)
	r.AttachNexus(nexusA)
	data := r.from(nexusA, sense).DataIn
	require.Equal(t, []byte{0x70, 0, 6}, data[:3])
	require.Equal(t, []byte{0x29, 0}, data[12:14])
	require.Len(t, data, senseLength)
	require.Equal(t, StatusGood, r.from(nexusA, ready).Status)
	require.Equal(t, append([]byte{0x70, 0, 0, 0, 0, 0, 0, 10}, make([]byte, 10)...), r.from(nexusA, sense).DataIn)
	require.Len(t, r.from(nexusA, "\x03\x00\x00\x00\x04\x00").DataIn, 4)
}

func TestUnknownCommandReportsNoAttention(t *testing.T) {
	r := newRig(t)
	r.AttachNexus(nexusA)
	requireSense(t, invalidOpcode, r.from(nexusA, "\xff\x00\x00\x00\x00\x00"))
	requireSense(t, powerOn, r.from(nexusA, ready))
}

func TestResetAttention(t *testing.T) {
	r := attached(t)
	r.Reset()
	r.Reset()
	for _, n := range []Nexus{nexusA, nexusB} {
		requireSense(t, resetOccurred, r.from(n, ready))
		require.Equal(t, StatusGood, r.from(n, ready).Status, "conditions do not pile up")
	}
}

func TestCapacityAttention(t *testing.T) {
	r := attached(t)
	r.mem.Grow(testSize + 4096)
	require.Equal(t, StatusGood, r.from(nexusA, inq).Status)
	requireSense(t, capacityChanged, r.from(nexusA, rdcap))
	require.Equal(t, StatusGood, r.from(nexusA, rdcap).Status)
	requireSense(t, capacityChanged, r.from(nexusB, ready))
	require.Equal(t, StatusGood, r.from(nexusB, ready).Status)

	r.mem.Grow(testSize + 8192)
	require.Equal(t, []byte{0x2A, 0x09}, r.from(nexusA, sense).DataIn[12:14])
	r.DetachNexus(nexusB)
	r.AttachNexus(nexusB)
	requireSense(t, powerOn, r.from(nexusB, ready))
	require.Equal(t, StatusGood, r.from(nexusB, ready).Status, "who comes later knows the size")
}

// revisedDevice is a device whose content is replaced now and then.
type revisedDevice struct {
	blockdev.Device
	revision atomic.Uint64
}

func (d *revisedDevice) Revision() uint64 { return d.revision.Load() }

func TestContentAttention(t *testing.T) {
	d := &revisedDevice{}
	d.revision.Store(7)
	r := newRig(t, func(c *Config) { d.Device, c.Device = c.Device, d })
	for _, n := range []Nexus{nexusA, nexusB} {
		r.AttachNexus(n)
		requireSense(t, powerOn, r.from(n, ready))
	}
	require.Equal(t, StatusGood, r.from(nexusA, ready).Status, "nothing was replaced since it came")
	d.revision.Add(2)
	require.Equal(t, StatusGood, r.from(nexusA, inq).Status)
	requireSense(t, mediumMayHaveChanged, r.from(nexusA, writ10, sectors(1, 1)...))
	require.Equal(t, sectors(0, 1), r.medium(0, 512), "the command was not carried out")
	require.Equal(t, StatusGood, r.from(nexusA, writ10, sectors(1, 1)...).Status)
	require.Equal(t, []byte{0x28, 0x00}, r.from(nexusB, sense).DataIn[12:14])
	require.Equal(t, StatusGood, r.from(nexusB, ready).Status)
	d.revision.Add(1)
	r.Reset()
	requireSense(t, resetOccurred, r.from(nexusA, ready))
	requireSense(t, mediumMayHaveChanged, r.from(nexusA, ready))
	require.Equal(t, StatusGood, r.from(nexusA, ready).Status)
}

func TestOrderOfAttentions(t *testing.T) {
	r := newRig(t)
	r.AttachNexus(nexusA)
	r.mem.Grow(testSize * 2)
	r.Reset()
	requireSense(t, powerOn, r.from(nexusA, ready))
	requireSense(t, resetOccurred, r.from(nexusA, ready))
	requireSense(t, capacityChanged, r.from(nexusA, ready))
	require.Equal(t, StatusGood, r.from(nexusA, ready).Status)
}

func TestAttachTwice(t *testing.T) {
	r := newRig(t)
	r.AttachNexus(nexusA)
	r.AttachNexus(nexusA) // a session replaces another before that is gone
	r.DetachNexus(nexusA)
	requireSense(t, powerOn, r.from(nexusA, ready))
	r.Reset()
	requireSense(t, resetOccurred, r.from(nexusA, ready))
	r.DetachNexus(nexusA)
	r.DetachNexus(nexusA)
	r.Reset()
	require.Equal(t, StatusGood, r.from(nexusA, ready).Status, "forgotten")
}

func TestReserve(t *testing.T) {
	r := attached(t)
	require.Equal(t, StatusGood, r.from(nexusA, resv).Status)
	require.Equal(t, StatusGood, r.from(nexusA, resv).Status)
	for _, cdb := range []string{ready, resv, rdcap, writ10} {
		require.Equal(t, StatusReservationConflict, r.from(nexusB, cdb, sectors(1, 1)...).Status, "% X", cdb)
		require.Equal(t, StatusGood, r.from(nexusA, cdb, sectors(2, 1)...).Status, "% X", cdb)
	}
	require.Equal(t, sectors(2, 1), r.medium(0, 512))
	for _, cdb := range []string{inq, luns, sense, rels} {
		require.Equal(t, StatusGood, r.from(nexusB, cdb).Status, "% X", cdb)
	}
	require.Equal(t, StatusReservationConflict, r.from(nexusB, ready).Status, "only the holder releases")
	require.Equal(t, StatusGood, r.from(nexusA, rels).Status)
	require.Equal(t, StatusGood, r.from(nexusB, ready).Status)
}

func TestReservationEnds(t *testing.T) {
	r := attached(t)
	require.Equal(t, StatusGood, r.from(nexusA, resv).Status)
	r.DetachNexus(nexusB)
	r.AttachNexus(nexusB)
	requireSense(t, powerOn, r.from(nexusB, ready))
	require.Equal(t, StatusReservationConflict, r.from(nexusB, ready).Status)
	r.DetachNexus(nexusA)
	require.Equal(t, StatusGood, r.from(nexusB, resv).Status, "a lost nexus reserves nothing")
	r.Reset()
	requireSense(t, resetOccurred, r.from(nexusB, ready))
	r.AttachNexus(nexusA)
	requireSense(t, powerOn, r.from(nexusA, ready))
	require.Equal(t, StatusGood, r.from(nexusA, resv).Status, "a reset ends the reservation")
	r.DetachNexus(nexusA)
	require.Equal(t, StatusReservationConflict, r.from(nexusA, resv).Status, "who is not attached could never lose it")
	require.Equal(t, StatusGood, r.from(nexusB, ready).Status)
}

func TestNexusesInParallel(t *testing.T) {
	r := newRig(t)
	var wg sync.WaitGroup
	for i := range 8 {
		n := Nexus{Initiator: "iqn.test", ISID: [6]byte{byte(i)}}
		wg.Go(func() {
			for range 50 {
				r.AttachNexus(n)
				if s := r.from(n, ready).Status; s != StatusCheckCondition {
					t.Errorf("status %#x, want the power on attention", s)
				}
				for range 4 {
					r.from(n, ready)
				}
				r.from(n, resv)
				r.DetachNexus(n)
			}
		})
		wg.Go(func() {
			for range 20 {
				r.Reset()
			}
		})
	}
	wg.Wait()
	require.Empty(t, *r.nexuses.list.Load())
	require.Nil(t, r.nexuses.holder.Load())
}
