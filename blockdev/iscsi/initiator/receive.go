package initiator

import (
	"fmt"

	"twinlun/blockdev/iscsi/pdu"
)

// receive is the receiver: it hands what comes to the calls until the
// connection ends.
func (c *conn) receive() {
	defer close(c.done)
	defer c.failAll()
	var h pdu.Header
	for {
		err := c.rd.Next(&h)
		if err == nil {
			err = c.handle(&h)
		}
		if err != nil {
			c.fail(err)
			return
		}
	}
}

// handlers is what a target may send in full feature phase.
var handlers = map[pdu.Opcode]func(*conn, *pdu.Header) error{
	pdu.OpDataIn:     (*conn).onDataIn,
	pdu.OpResponse:   (*conn).onResponse,
	pdu.OpR2T:        (*conn).onR2T,
	pdu.OpNopIn:      (*conn).onNopIn,
	pdu.OpTextResp:   (*conn).onText,
	pdu.OpLogoutResp: (*conn).onLogout,
	pdu.OpAsync:      (*conn).onAsync,
}

func (c *conn) handle(h *pdu.Header) error {
	f, ok := handlers[h.Opcode()]
	if !ok {
		return fmt.Errorf("%w: opcode %#x", errProtocol, byte(h.Opcode()))
	}
	return f(c, h)
}

// note keeps the target's sequence numbers. status: the PDU has one of its own.
func (c *conn) note(q pdu.Sequence, status bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if status {
		c.mu.expStatSN = q.StatSN + 1
	}
	if pdu.Before(c.mu.maxCmdSN, q.MaxCmdSN) {
		c.mu.maxCmdSN = q.MaxCmdSN
		c.mu.window.Broadcast()
	}
}

// lookup finds the call of a tag; with end, it is over.
func (c *conn) lookup(itt uint32, end bool) (*call, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.mu.calls[itt]
	if k == nil {
		return nil, fmt.Errorf("%w: tag %#x", errProtocol, itt)
	}
	if end {
		delete(c.mu.calls, itt)
	}
	return k, nil
}

// tell hands e to a call, which takes fewer than a target may cause.
func (k *call) tell(e event) error {
	select {
	case k.events <- &e:
		return nil
	default:
		return fmt.Errorf("%w: too many R2Ts", errProtocol)
	}
}

func (c *conn) onDataIn(h *pdu.Header) error {
	var d pdu.DataIn
	d.Decode(h)
	k, err := c.lookup(d.ITT, d.HasStatus)
	if err != nil {
		return err
	}
	end := int(d.Offset) + h.DataLen()
	if end > len(k.in) {
		err = fmt.Errorf("%w: more data than asked for", errProtocol)
	} else {
		err = c.rd.Data(k.in[d.Offset:end])
	}
	c.note(d.Sequence, d.HasStatus)
	if d.HasStatus {
		return k.tell(event{result: Result{Status: d.Status, Residual: d.Residual}, err: err})
	}
	return err
}

func (c *conn) onResponse(h *pdu.Header) error {
	var r pdu.Response
	r.Decode(h)
	data, err := c.data(h)
	if err != nil {
		return err
	}
	k, err := c.lookup(r.ITT, true)
	if err != nil {
		return err
	}
	c.note(r.Sequence, true)
	e := event{result: Result{Status: r.Status, Residual: r.Residual}}
	if len(data) > 2 {
		n := int(data[0])<<8 | int(data[1])
		e.result.Sense = data[2:min(2+n, len(data))]
	}
	if r.Response != 0 {
		e.err = fmt.Errorf("initiator: target failure %#x", r.Response)
	}
	return k.tell(e)
}

func (c *conn) onR2T(h *pdu.Header) error {
	var r pdu.R2T
	r.Decode(h)
	k, err := c.lookup(r.ITT, false)
	if err != nil {
		return err
	}
	c.note(r.Sequence, false)
	return k.tell(event{r2t: &r})
}

// onNopIn answers pings.
func (c *conn) onNopIn(h *pdu.Header) error {
	var n pdu.NopIn
	n.Decode(h)
	c.note(n.Sequence, n.ITT != pdu.NoTag)
	if n.TTT == pdu.NoTag {
		return nil
	}
	c.out.Lock()
	defer c.out.Unlock()
	c.mu.Lock()
	p := pdu.NopOut{Immediate: true, LUN: n.LUN, ITT: pdu.NoTag, TTT: n.TTT, CmdSN: c.mu.cmdSN, ExpStatSN: c.mu.expStatSN}
	c.mu.Unlock()
	if err := c.sendLocked(&p, nil); err != nil {
		return err
	}
	return c.out.w.Flush()
}

func (c *conn) onText(h *pdu.Header) error {
	var t pdu.Text
	t.Decode(h)
	data, err := c.data(h)
	if err != nil {
		return err
	}
	k, err := c.lookup(t.ITT, true)
	if err != nil {
		return err
	}
	c.note(t.Sequence, true)
	return k.tell(event{text: &t, data: data})
}

func (c *conn) onLogout(h *pdu.Header) error {
	k, err := c.lookup(h.ITT(), true)
	if err != nil {
		return err
	}
	return k.tell(event{})
}

// onAsync takes an asynchronous message: what matters follows as the end of the
// connection.
func (c *conn) onAsync(h *pdu.Header) error {
	var a pdu.Async
	a.Decode(h)
	c.note(a.Sequence, true)
	return nil
}

func (c *conn) data(h *pdu.Header) ([]byte, error) {
	p := make([]byte, h.DataLen())
	return p, c.rd.Data(p)
}
