package initiator

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"

	"twinlun/blockdev"
	"twinlun/blockdev/iscsi/pdu"
)

// Result is how the target answered a command.
type Result struct {
	Status byte // SCSI status
	Sense  []byte
	pdu.Residual
}

// conn is a session in full feature phase: callers send, one goroutine receives.
type conn struct {
	nc   net.Conn
	rd   *pdu.Reader
	got  agreed
	lun  uint64
	done chan struct{} // the receiver has ended

	// turn is held from taking a CmdSN until out is held, so that commands
	// are sent in the order of their CmdSN while data goes on being sent.
	turn sync.Mutex
	out  struct {
		sync.Mutex
		w *pdu.Writer
	}
	mu struct {
		sync.Mutex
		calls     map[uint32]*call
		nextITT   uint32
		cmdSN     uint32
		maxCmdSN  uint32
		expStatSN uint32
		window    *sync.Cond // cmdSN may be in the window now, or err is set
		err       error      // why nothing goes any more
	}
}

// call is a request that waits for its answer.
type call struct {
	in     []byte
	events chan *event
}

// event is what the receiver tells a caller: an R2T, or the end.
type event struct {
	r2t    *pdu.R2T
	result Result
	text   *pdu.Text
	data   []byte
	err    error
}

// maxEvents is more than a target may have outstanding for one command.
const maxEvents = 16

func newConn(nc net.Conn, h *handshake, lun uint64) *conn {
	c := &conn{nc: nc, rd: h.rd, got: h.got, lun: lun, done: make(chan struct{})}
	c.out.w = h.wr
	c.mu.calls = map[uint32]*call{}
	c.mu.nextITT = 1
	c.mu.cmdSN, c.mu.maxCmdSN = h.req.CmdSN, h.last.MaxCmdSN
	c.mu.expStatSN = h.last.StatSN + 1
	c.mu.window = sync.NewCond(&c.mu)
	go c.receive()
	return c
}

// tags are the numbers of one request.
type tags struct{ itt, cmdSN, expStatSN uint32 }

// begin enters a call and takes a CmdSN for it when the window lets it.
func (c *conn) begin(in []byte) (*call, tags, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.mu.err == nil && pdu.Before(c.mu.maxCmdSN, c.mu.cmdSN) {
		c.mu.window.Wait()
	}
	if c.mu.err != nil {
		return nil, tags{}, c.mu.err
	}
	k := &call{in: in, events: make(chan *event, maxEvents)}
	tag := tags{itt: c.mu.nextITT, cmdSN: c.mu.cmdSN, expStatSN: c.mu.expStatSN}
	if c.mu.nextITT++; c.mu.nextITT == pdu.NoTag {
		c.mu.nextITT = 1
	}
	c.mu.calls[tag.itt] = k
	c.mu.cmdSN++
	return k, tag, nil
}

// command sends a SCSI command and waits for its end. Exactly one of in and out
// may have data. When ctx ends, the connection is cut: only then nobody uses the
// buffers any more.
func (c *conn) command(ctx context.Context, cdb, in, out []byte) (Result, error) {
	p := pdu.Command{Read: len(in) > 0, Write: len(out) > 0, Attr: pdu.Simple, LUN: c.lun,
		Expected: uint32(len(in) + len(out))}
	copy(p.CDB[:], cdb)
	k, err := c.submit(in, func(tag tags) error {
		p.ITT, p.CmdSN, p.ExpStatSN = tag.itt, tag.cmdSN, tag.expStatSN
		return c.sendCommandLocked(&p, out)
	})
	if err != nil {
		return Result{}, err
	}
	return c.finish(ctx, k, &p, out)
}

// submit enters a call and sends it when the window lets it. A failure to send
// ends the connection, which the call is then told.
func (c *conn) submit(in []byte, sendLocked func(tags) error) (*call, error) {
	c.turn.Lock()
	k, tag, err := c.begin(in)
	if err != nil {
		c.turn.Unlock()
		return nil, err
	}
	c.out.Lock()
	c.turn.Unlock()
	err = sendLocked(tag)
	if err == nil {
		err = c.out.w.Flush()
	}
	c.out.Unlock()
	if err != nil {
		c.fail(err)
	}
	return k, nil
}

// sendLocked sends one PDU. The caller holds out.
func (c *conn) sendLocked(p interface{ Encode(*pdu.Header) }, data []byte) error {
	var h pdu.Header
	p.Encode(&h)
	return c.out.w.Write(&h, nil, data)
}

// sendCommandLocked sends the command with its immediate data and, if it may,
// the rest of the first burst.
func (c *conn) sendCommandLocked(p *pdu.Command, out []byte) error {
	first := min(len(out), c.got.firstBurst)
	n := 0
	if c.got.immediateData {
		n = min(first, c.got.sendSegment)
	}
	p.Final = c.got.initialR2T || n == first
	if err := c.sendLocked(p, out[:n]); err != nil || p.Final {
		return err
	}
	return c.sendDataLocked(p, pdu.NoTag, out, n, first)
}

// sendDataLocked sends out[off:end] as one sequence of Data-Out PDUs.
func (c *conn) sendDataLocked(p *pdu.Command, ttt uint32, out []byte, off, end int) error {
	d := pdu.DataOut{LUN: p.LUN, ITT: p.ITT, TTT: ttt, ExpStatSN: p.ExpStatSN}
	for ; off < end; d.DataSN++ {
		n := min(end-off, c.got.sendSegment)
		d.Offset, d.Final = uint32(off), off+n == end
		if err := c.sendLocked(&d, out[off:off+n]); err != nil {
			return err
		}
		off += n
	}
	return nil
}

// finish serves R2Ts until the call ends.
func (c *conn) finish(ctx context.Context, k *call, p *pdu.Command, out []byte) (Result, error) {
	for {
		select {
		case <-ctx.Done():
			c.fail(ctx.Err())
			<-c.done
			return Result{}, ctx.Err()
		case e, ok := <-k.events:
			if !ok {
				return Result{}, c.reason()
			}
			if e.r2t == nil {
				return e.result, e.err
			}
			if err := c.answerR2T(p, e.r2t, out); err != nil {
				c.fail(err)
			}
		}
	}
}

func (c *conn) answerR2T(p *pdu.Command, r *pdu.R2T, out []byte) error {
	off, end := int(r.Offset), int(r.Offset)+int(r.Length)
	if end > len(out) {
		return fmt.Errorf("%w: R2T outside of the data", errProtocol)
	}
	c.out.Lock()
	defer c.out.Unlock()
	if err := c.sendDataLocked(p, r.TTT, out, off, end); err != nil {
		return err
	}
	return c.out.w.Flush()
}

// fail ends the connection; the first reason stays.
func (c *conn) fail(err error) {
	c.mu.Lock()
	if c.mu.err == nil {
		c.mu.err = blockdev.Wrap(blockdev.KindIO, "iscsi", err)
		if errors.Is(err, net.ErrClosed) {
			c.mu.err = blockdev.Wrap(blockdev.KindClosed, "iscsi", err)
		}
	}
	c.mu.window.Broadcast()
	c.mu.Unlock()
	_ = c.nc.Close()
}

// reason is why the connection has ended.
func (c *conn) reason() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.err
}

// failAll ends all calls when the receiver has; they find reason.
func (c *conn) failAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for itt, k := range c.mu.calls {
		delete(c.mu.calls, itt)
		close(k.events)
	}
}
