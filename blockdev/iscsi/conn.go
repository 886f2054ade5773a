package iscsi

import (
	"context"
	"errors"
	"io"
	"net"
	"time"

	"twinlun/blockdev/iscsi/pdu"
)

// errRefused is the end of a login that was answered with a failure.
var errRefused = errors.New("iscsi: login refused")

// conn is a connection in login phase. What it owns goes over to the session
// when login succeeds.
type conn struct {
	srv   *Server
	nc    net.Conn
	rd    *pdu.Reader
	wr    *pdu.Writer
	login login
	text  pdu.TextBuffer
	seq   pdu.Sequence // StatSN: the next to be used
}

// serveConn takes a connection through its life and closes it.
func (s *Server) serveConn(ctx context.Context, nc net.Conn) {
	defer nc.Close()
	c := &conn{
		srv: s, nc: nc,
		rd:    pdu.NewReader(nc, s.cfg.Params.MaxRecvDataSegmentLength),
		wr:    pdu.NewWriter(nc),
		login: login{dir: s, random: s.cfg.Rand, neg: newNegotiation(s.cfg.Params)},
		text:  pdu.TextBuffer{Max: s.cfg.Limits.TextBytes},
	}
	ses, err := c.establish(ctx)
	if err != nil {
		if !errors.Is(err, io.EOF) {
			s.cfg.Logger.Info("iscsi: no login", "remote", nc.RemoteAddr().String(), "err", err)
		}
		return
	}
	ses.run(ctx)
}

// establish is the login phase: at most so many requests in so much time.
func (c *conn) establish(ctx context.Context) (*session, error) {
	ctx, cancel := context.WithTimeout(ctx, c.srv.cfg.Limits.LoginTimeout)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = c.nc.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	for range c.srv.cfg.Limits.LoginRequests {
		ses, err := c.exchange(ctx)
		if err != nil || ses != nil {
			return ses, err
		}
	}
	return nil, errors.New("iscsi: login takes too many requests")
}

// exchange answers one login request; a session comes with the last.
func (c *conn) exchange(ctx context.Context) (*session, error) {
	var req pdu.LoginRequest
	keys, complete, err := c.receive(&req)
	if err != nil {
		return nil, err
	}
	if !complete {
		return nil, c.send(&req, reply{next: req.Current}, 0)
	}
	r := c.login.step(&req, keys)
	if r.status != pdu.LoginOK {
		return nil, c.refuse(&req, r.status)
	}
	if !r.transit || r.next != pdu.StageFullFeature {
		return nil, c.send(&req, r, 0)
	}
	return c.finish(ctx, &req, r)
}

// receive reads a login request. It is not complete while its text goes on.
func (c *conn) receive(req *pdu.LoginRequest) (keys pdu.Keys, complete bool, err error) {
	var h pdu.Header
	if err := c.rd.Next(&h); err != nil {
		return nil, false, err
	}
	if h.Opcode() != pdu.OpLoginReq {
		return nil, false, errors.New("iscsi: not a login request")
	}
	req.Decode(&h)
	c.seq.ExpCmdSN = req.CmdSN
	c.seq.MaxCmdSN = req.CmdSN + uint32(c.srv.cfg.Limits.Window) - 1
	if !c.text.Room(h.DataLen()) {
		return nil, false, c.refuse(req, pdu.LoginInitiatorError)
	}
	data := make([]byte, h.DataLen())
	if err := c.rd.Data(data); err != nil {
		return nil, false, err
	}
	keys, err = c.text.Add(data, req.Continue)
	if err != nil || req.Continue && req.Transit {
		return nil, false, c.refuse(req, pdu.LoginInitiatorError)
	}
	return keys, !req.Continue, nil
}

// finish makes the session and sends the last response.
func (c *conn) finish(ctx context.Context, req *pdu.LoginRequest, r reply) (*session, error) {
	ses, st := c.srv.open(ctx, c)
	if st != pdu.LoginOK {
		return nil, c.refuse(req, st)
	}
	if err := c.send(req, r, ses.tsih); err != nil {
		ses.abandon()
		return nil, err
	}
	o := ses.params
	c.rd.HeaderDigest, c.rd.DataDigest = o.headerDigest, o.dataDigest
	c.wr.HeaderDigest, c.wr.DataDigest = o.headerDigest, o.dataDigest
	ses.statSN = c.seq.StatSN
	return ses, nil
}

// refuse answers with a failure; its error is never nil.
func (c *conn) refuse(req *pdu.LoginRequest, st pdu.LoginStatus) error {
	c.srv.cfg.Logger.Warn("iscsi: login refused", "remote", c.nc.RemoteAddr().String(),
		"initiator", c.login.initiator, "status", uint16(st))
	if o := c.srv.cfg.Observer; o != nil {
		o.LoginFailed(c.nc.RemoteAddr().String(), st)
	}
	err := c.send(req, reply{status: st, next: req.Current}, 0)
	return errors.Join(errRefused, err)
}

func (c *conn) send(req *pdu.LoginRequest, r reply, tsih uint16) error {
	resp := pdu.LoginResponse{
		Transit: r.transit, Current: req.Current,
		ISID: req.ISID, TSIH: tsih, ITT: req.ITT,
		Sequence: c.seq, Status: r.status,
	}
	if r.transit {
		resp.Next = r.next
	}
	c.seq.StatSN++
	var h pdu.Header
	resp.Encode(&h)
	if err := c.wr.Write(&h, nil, r.keys.Append(nil)); err != nil {
		return err
	}
	return c.wr.Flush()
}
