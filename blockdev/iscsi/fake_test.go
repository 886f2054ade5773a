package iscsi

import (
	"context"
	"encoding/binary"
	"sync"

	"twinlun/blockdev/scsi"
)

// fakeUnit is a small disk of 512-byte blocks in memory whose commands can be
// held up.
type fakeUnit struct {
	mu       sync.Mutex
	data     []byte
	attached map[scsi.Nexus]int
	resets   int
	running  int
	order    []byte // the lowest byte of the LBAs, as executed

	// hold, if not nil, is called at the start of each command with its CDB.
	hold func(ctx context.Context, cdb []byte) error
}

func newFakeUnit(blocks int) *fakeUnit {
	return &fakeUnit{data: make([]byte, blocks*512), attached: map[scsi.Nexus]int{}}
}

func (u *fakeUnit) Execute(ctx context.Context, c *scsi.Command) scsi.Result {
	u.mu.Lock()
	u.running++
	hold := u.hold
	u.mu.Unlock()
	defer func() {
		u.mu.Lock()
		u.running--
		u.mu.Unlock()
	}()
	if hold != nil && hold(ctx, c.CDB) != nil {
		return scsi.Result{Status: scsi.StatusTaskAborted}
	}
	switch c.CDB[0] {
	case 0x00, 0x35, 0x91:
		return scsi.Result{}
	case 0x28, 0x2a:
		return u.transfer(c, int(binary.BigEndian.Uint32(c.CDB[2:])), int(binary.BigEndian.Uint16(c.CDB[7:])))
	case 0x88, 0x8a:
		return u.transfer(c, int(binary.BigEndian.Uint64(c.CDB[2:])), int(binary.BigEndian.Uint32(c.CDB[10:])))
	case 0x9e:
		b := c.Alloc(32)
		clear(b)
		binary.BigEndian.PutUint64(b, uint64(len(u.data)/512-1))
		binary.BigEndian.PutUint32(b[8:], 512)
		return scsi.Result{DataIn: b[:min(32, c.Expected)], Transfer: 32}
	}
	return *illegal(ascInvalidOpcode)
}

func (u *fakeUnit) transfer(c *scsi.Command, lba, blocks int) scsi.Result {
	n, off := blocks*512, lba*512
	if off+n > len(u.data) {
		return *illegal(0x2100)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.order = append(u.order, byte(lba))
	if c.CDB[0]&0x0f == 0x0a {
		copy(u.data[off:off+n], c.DataOut)
		return scsi.Result{Transfer: n}
	}
	b := c.Alloc(min(n, c.Expected))
	copy(b, u.data[off:])
	return scsi.Result{DataIn: b, Transfer: n}
}

func (u *fakeUnit) AttachNexus(n scsi.Nexus) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.attached[n]++
}

func (u *fakeUnit) DetachNexus(n scsi.Nexus) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.attached[n]--; u.attached[n] == 0 {
		delete(u.attached, n)
	}
}

func (u *fakeUnit) Reset() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.resets++
}

func (u *fakeUnit) setHold(f func(ctx context.Context, cdb []byte) error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.hold = f
}

func (u *fakeUnit) count() (running, attached, resets int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.running, len(u.attached), u.resets
}

func (u *fakeUnit) executed() []byte {
	u.mu.Lock()
	defer u.mu.Unlock()
	return append([]byte(nil), u.order...)
}
