package initiator

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"twinlun/blockdev"
	"twinlun/blockdev/iscsi/pdu"
)

// SCSI operation codes and statuses that a Disk needs (SBC-4, SPC-5).
const (
	opTestUnitReady    = 0x00
	opRead16           = 0x88
	opWrite16          = 0x8a
	opSyncCache16      = 0x91
	opServiceIn16      = 0x9e
	saReadCapacity16   = 0x10
	saLBAStatus        = 0x12
	statusGood         = 0x00
	statusCheck        = 0x02
	statusBusy         = 0x08
	statusTaskSetFull  = 0x28
	senseUnitAttention = 0x06
	senseDataProtect   = 0x07
	senseIllegal       = 0x05
)

// maxTransfer is the most that one command moves.
const maxTransfer = 1 << 20

// attempts bounds how often a command is sent while the target is busy or has
// unit attentions to tell.
const attempts = 16

// Disk is a logical unit. It is a blockdev.Device whose ranges must be multiples
// of its block size. When the context of a call ends before the target has
// answered, the whole session is cut.
type Disk struct {
	c         *conn
	blockSize int64
	size      int64
	thin      bool        // what is not mapped reads as zeros
	unmapped  atomic.Bool // the target does not say what is mapped
	life      struct {
		sync.RWMutex // read: a call runs
		closed       bool
	}
}

var _ blockdev.Device = (*Disk)(nil)

// Dial connects to the portal addr (host:port), logs in to target and opens the
// logical unit. A login that is refused fails with a *LoginError.
func Dial(ctx context.Context, addr, target string, o Options) (*Disk, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	nc, h, err := connect(ctx, addr, target, o)
	if err != nil {
		return nil, err
	}
	d := &Disk{c: newConn(nc, h, encodeLUN(o.LUN))}
	if err := d.open(ctx); err != nil {
		_ = d.Close()
		return nil, err
	}
	return d, nil
}

func encodeLUN(lun uint64) uint64 {
	if lun < 256 {
		return lun << 48
	}
	return 1<<62 | lun<<48
}

// open reads the capacity.
func (d *Disk) open(ctx context.Context) error {
	if err := d.must(ctx, []byte{opTestUnitReady, 0, 0, 0, 0, 0}, nil, nil); err != nil {
		return err
	}
	var cdb [16]byte
	cdb[0], cdb[1], cdb[13] = opServiceIn16, saReadCapacity16, 32
	var b [32]byte
	if err := d.must(ctx, cdb[:], b[:], nil); err != nil {
		return err
	}
	d.blockSize = int64(binary.BigEndian.Uint32(b[8:]))
	last := binary.BigEndian.Uint64(b[:])
	if d.blockSize == 0 || last >= 1<<62/uint64(d.blockSize) {
		return fmt.Errorf("%w: capacity", errProtocol)
	}
	d.size = int64(last+1) * d.blockSize
	const managed, zeros = 0x80, 0x40 // LBPME and LBPRZ (SBC-4 section 5.20)
	d.thin = b[14]&managed != 0 && b[14]&zeros != 0
	return nil
}

// Command sends one SCSI command; at most one of in and out has bytes. The
// error is about the transport; what the unit says is in the Result.
func (d *Disk) Command(ctx context.Context, cdb, in, out []byte) (Result, error) {
	d.life.RLock()
	defer d.life.RUnlock()
	if d.life.closed {
		return Result{}, errClosed("command")
	}
	return d.c.command(ctx, cdb, in, out)
}

// ReadAt is part of blockdev.Device.
func (d *Disk) ReadAt(ctx context.Context, p []byte, off int64) error {
	return d.transfer(ctx, "read", opRead16, p, off, func(cdb, part []byte) error { return d.must(ctx, cdb, part, nil) })
}

// WriteAt is part of blockdev.Device.
func (d *Disk) WriteAt(ctx context.Context, p []byte, off int64) error {
	return d.transfer(ctx, "write", opWrite16, p, off, func(cdb, part []byte) error { return d.must(ctx, cdb, nil, part) })
}

func (d *Disk) transfer(ctx context.Context, op string, opcode byte, p []byte, off int64, do func(cdb, part []byte) error) error {
	d.life.RLock()
	defer d.life.RUnlock()
	if d.life.closed {
		return errClosed(op)
	}
	if err := d.checkAligned(op, off, int64(len(p))); err != nil {
		return err
	}
	for len(p) > 0 {
		part := p[:min(len(p), maxTransfer)]
		var cdb [16]byte
		cdb[0] = opcode
		binary.BigEndian.PutUint64(cdb[2:], uint64(off/d.blockSize))
		binary.BigEndian.PutUint32(cdb[10:], uint32(int64(len(part))/d.blockSize))
		if err := do(cdb[:], part); err != nil {
			return err
		}
		p, off = p[len(part):], off+int64(len(part))
	}
	return ctx.Err()
}

// checkAligned refuses ranges that are not whole blocks of the unit.
func (d *Disk) checkAligned(op string, off, n int64) error {
	if err := blockdev.CheckRange(op, off, n, d.size); err != nil {
		return err
	}
	if off%d.blockSize != 0 || n%d.blockSize != 0 {
		return blockdev.Errorf(blockdev.KindInvalid, op, "%d+%d is not a multiple of %d", off, n, d.blockSize)
	}
	return nil
}

// Flush is part of blockdev.Device: SYNCHRONIZE CACHE of the whole unit.
func (d *Disk) Flush(ctx context.Context) error {
	d.life.RLock()
	defer d.life.RUnlock()
	if d.life.closed {
		return errClosed("flush")
	}
	var cdb [16]byte
	cdb[0] = opSyncCache16
	return d.must(ctx, cdb[:], nil, nil)
}

// Size is part of blockdev.Device. It is what the unit had when it was opened.
func (d *Disk) Size() int64 { return d.size }

// Close is part of blockdev.Device. It logs out and ends the session.
func (d *Disk) Close() error {
	d.life.Lock()
	defer d.life.Unlock()
	if !d.life.closed {
		d.life.closed = true
		d.c.logout()
	}
	return nil
}

func errClosed(op string) error {
	return blockdev.Errorf(blockdev.KindClosed, op, "iscsi session")
}

// must runs a command that has to succeed. Unit attentions are what every new
// session is told; they and a busy target are met by trying again.
func (d *Disk) must(ctx context.Context, cdb, in, out []byte) error {
	r, err := d.try(ctx, cdb, in, out)
	if err == nil && r.Status != statusGood {
		err = r.asError()
	}
	return err
}

// try runs a command until it has succeeded or failed for good.
func (d *Disk) try(ctx context.Context, cdb, in, out []byte) (r Result, err error) {
	for n := range attempts {
		if r, err = d.c.command(ctx, cdb, in, out); err != nil {
			return r, err
		}
		switch {
		case r.Status == statusBusy || r.Status == statusTaskSetFull:
			if err := rest(ctx, time.Duration(n+1)*10*time.Millisecond); err != nil {
				return r, err
			}
		case r.senseKey() != senseUnitAttention:
			return r, nil
		}
	}
	return r, nil
}

func rest(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

func (r *Result) senseKey() byte {
	if r.Status != statusCheck || len(r.Sense) < 14 {
		return 0
	}
	return r.Sense[2] & 0x0f
}

func (r *Result) asError() error {
	const op = "iscsi command"
	if r.senseKey() == 0 {
		return blockdev.Errorf(blockdev.KindIO, op, "status %#02x", r.Status)
	}
	kind := blockdev.KindIO
	switch {
	case r.senseKey() == senseDataProtect && r.Sense[12] == 0x27 && r.Sense[13] == 0x07:
		kind = blockdev.KindNoSpace
	case r.senseKey() == senseDataProtect:
		kind = blockdev.KindReadOnly
	case r.senseKey() == senseIllegal:
		kind = blockdev.KindInvalid
	}
	return blockdev.Errorf(kind, op, "sense %02x/%02x/%02x", r.senseKey(), r.Sense[12], r.Sense[13])
}

// logoutTimeout bounds the wait for the answer to a logout.
const logoutTimeout = 2 * time.Second

// logout says goodbye if it can, and ends the connection.
func (c *conn) logout() {
	_ = c.nc.SetDeadline(time.Now().Add(logoutTimeout))
	k, err := c.submit(nil, func(tag tags) error {
		return c.sendLocked(&pdu.LogoutRequest{ITT: tag.itt, CmdSN: tag.cmdSN, ExpStatSN: tag.expStatSN}, nil)
	})
	if err == nil {
		<-k.events // the receiver ends by the deadline at the latest
	}
	c.fail(net.ErrClosed)
	<-c.done
}
