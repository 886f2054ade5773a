package iscsi

import (
	"twinlun/blockdev/iscsi/pdu"
)

// collector gathers the Data-Out of one task (RFC 7143 sections 4.2.5.2 and
// 11.7): immediate data, an unsolicited burst, then bursts asked for by R2T. It
// does no I/O. Only the reader uses it.
type collector struct {
	buf      buffer
	received int
	// unsolicited is how far data may come unasked for; 0 when none may.
	unsolicited int
	dataSN      uint32 // of the unsolicited burst: what is next
	bursts      []burst
	asked       int // up to where data was asked for or has come
	r2tSN       uint32
	maxBurst    int
	maxR2T      int
}

// burst is a sequence of Data-Out PDUs that was asked for.
type burst struct {
	ttt       uint32
	next, end int // offsets in the transfer
	dataSN    uint32
}

// fault is what is wrong with a PDU of data.
type fault uint8

const (
	faultNone       fault = iota
	faultUnexpected       // unsolicited where none may be
	faultAmount           // more or less than announced
	faultSequence         // out of order
)

// immediate makes room for the n bytes that come with the command. more says
// that unsolicited Data-Out PDUs follow.
func (c *collector) immediate(n int, more bool, o *outcome) ([]byte, fault) {
	c.maxBurst, c.maxR2T = o.maxBurst, o.maxR2T
	limit := min(o.firstBurst, len(c.buf.p))
	switch {
	case n > 0 && !o.immediateData, more && o.initialR2T:
		return nil, faultUnexpected
	case n > limit:
		return nil, faultAmount
	}
	c.received, c.asked = n, n
	if more && n < limit {
		c.unsolicited = limit
	}
	return c.buf.p[:n], faultNone
}

// accept judges a Data-Out PDU with n bytes and gives the place for them.
func (c *collector) accept(d *pdu.DataOut, n int) ([]byte, fault) {
	if d.TTT == pdu.NoTag {
		return c.acceptUnsolicited(d, n)
	}
	for i := range c.bursts {
		if b := &c.bursts[i]; b.ttt == d.TTT {
			return c.acceptBurst(b, d, n)
		}
	}
	return nil, faultUnexpected
}

func (c *collector) acceptUnsolicited(d *pdu.DataOut, n int) ([]byte, fault) {
	off := int(d.Offset)
	switch {
	case c.unsolicited == 0:
		return nil, faultUnexpected
	case d.DataSN != c.dataSN || off != c.received:
		return nil, faultSequence
	case n > c.unsolicited-off:
		return nil, faultAmount
	}
	c.dataSN++
	c.received += n
	c.asked = c.received
	if d.Final || c.received == c.unsolicited {
		c.unsolicited = 0
	}
	return c.buf.p[off : off+n], faultNone
}

func (c *collector) acceptBurst(b *burst, d *pdu.DataOut, n int) ([]byte, fault) {
	off := int(d.Offset)
	switch {
	case d.DataSN != b.dataSN || off != b.next:
		return nil, faultSequence
	case n > b.end-off, d.Final && off+n != b.end:
		return nil, faultAmount
	}
	b.dataSN++
	b.next += n
	c.received += n
	if b.next == b.end {
		c.forgetBurst(b.ttt)
	}
	return c.buf.p[off : off+n], faultNone
}

func (c *collector) forgetBurst(ttt uint32) {
	kept := c.bursts[:0]
	for _, b := range c.bursts {
		if b.ttt != ttt {
			kept = append(kept, b)
		}
	}
	c.bursts = kept
}

// complete says whether all data is there.
func (c *collector) complete() bool { return c.unsolicited == 0 && c.received == len(c.buf.p) }

// ask gives the next part to ask for, if one may be outstanding in addition.
// Its target task tag is the caller's choice.
func (c *collector) ask(ttt uint32) (b burst, sn uint32, ok bool) {
	if c.unsolicited > 0 || c.asked == len(c.buf.p) || len(c.bursts) >= c.maxR2T {
		return burst{}, 0, false
	}
	b = burst{ttt: ttt, next: c.asked, end: min(c.asked+c.maxBurst, len(c.buf.p))}
	c.asked = b.end
	c.bursts = append(c.bursts, b)
	c.r2tSN++
	return b, c.r2tSN - 1, true
}
