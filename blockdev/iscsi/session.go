package iscsi

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"twinlun/blockdev/iscsi/pdu"
	"twinlun/blockdev/scsi"
)

// session is one I_T nexus, or a discovery session, in full feature phase on its
// one connection. Its goroutines are: the reader (run), the sender, the keeper,
// the workers that execute commands, and one for each task management request
// that waits.
type session struct {
	srv    *Server
	node   *node // nil in a discovery session
	params outcome
	nc     net.Conn
	rd     *pdu.Reader
	out    *outbox
	log    *slog.Logger
	nexus  scsi.Nexus
	chap   *CHAP // what the initiator has shown
	info   SessionInfo
	tsih   uint16
	cid    uint16

	work     sync.WaitGroup // commands and requests that run
	done     chan struct{}  // closed when nothing of the session is left
	stopped  chan struct{}  // closed by the first drop
	stopOnce sync.Once
	reason   string // of the end; set before stopped is closed

	received atomic.Uint64 // PDUs
	expCmdSN atomic.Uint32 // written by the reader
	maxCmdSN atomic.Uint32
	statSN   uint32 // the sender's

	held    map[uint32]delivery // the reader's: came before its turn
	text    textExchange        // the reader's
	nextTTT uint32              // the reader's: of R2Ts
	leaving bool                // the reader's: a logout is under way

	mu struct {
		sync.Mutex
		tasks     map[uint32]*task
		order     order
		idle      []worker
		closing   bool
		bytes     int // reserved by tasks
		immediate int // tasks that were marked immediate
		managing  int // task management requests that wait
	}
}

// newSession takes over what the connection c has come to.
func newSession(c *conn) *session {
	l := &c.login
	s := &session{
		srv: c.srv, node: l.node, params: l.neg.result(), nc: c.nc, rd: c.rd,
		nexus: nexusOf(l.initiator, l.isid), chap: l.creds, cid: l.cid, tsih: c.srv.nextTSIH(),
		done: make(chan struct{}), stopped: make(chan struct{}),
		held: map[uint32]delivery{},
		text: textExchange{in: pdu.TextBuffer{Max: c.srv.cfg.Limits.TextBytes}},
	}
	s.out = newOutbox(c.wr)
	s.mu.tasks = map[uint32]*task{}
	s.expCmdSN.Store(c.seq.ExpCmdSN)
	s.maxCmdSN.Store(c.seq.MaxCmdSN)
	s.info = SessionInfo{
		Initiator: l.initiator, Nexus: s.nexus, Since: c.srv.cfg.Time(),
		Remote: c.nc.RemoteAddr().String(), Local: c.nc.LocalAddr().String(),
	}
	if s.node != nil {
		s.info.Target = s.node.name
	}
	s.log = c.srv.cfg.Logger.With("target", s.info.Target, "initiator", l.initiator, "remote", s.info.Remote)
	return s
}

// attach and detach tell the units of the nexus.
func (s *session) attach() {
	for _, lun := range s.node.luns {
		s.node.units[lun].AttachNexus(s.nexus)
	}
}

func (s *session) detach() {
	for _, lun := range s.node.luns {
		s.node.units[lun].DetachNexus(s.nexus)
	}
}

// abandon ends a session that has never run.
func (s *session) abandon() {
	if s.node != nil {
		s.detach()
		s.srv.unregister(s)
	}
	close(s.done)
}

// run serves the session until it ends; then nothing of it is left but the
// connection, which is the caller's to close.
func (s *session) run(ctx context.Context) {
	s.log.Info("iscsi: session opened")
	s.observe(Observer.SessionOpened)
	var own sync.WaitGroup
	own.Go(s.send)
	own.Go(s.keep)
	stop := context.AfterFunc(ctx, func() { s.drop("server stops") })
	if err := s.read(); err != nil {
		s.stop(err.Error())
	}
	stop()
	s.close()
	own.Wait()
	s.work.Wait()
	s.log.Info("iscsi: session closed", "reason", s.reason)
	s.observe(Observer.SessionClosed)
	s.abandon()
}

func (s *session) observe(f func(Observer, SessionInfo)) {
	if o := s.srv.cfg.Observer; o != nil && s.node != nil {
		f(o, s.info)
	}
}

// read takes PDUs until the connection fails or the session is stopped.
func (s *session) read() error {
	_ = s.nc.SetDeadline(time.Time{})
	var h pdu.Header
	for !s.stopping() {
		if err := s.rd.Next(&h); err != nil {
			return err
		}
		s.received.Add(1)
		if err := s.handle(&h); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) stopping() bool {
	select {
	case <-s.stopped:
		return true
	default:
		return false
	}
}

// close cancels what runs, lets the sender send what it has, within lastWords,
// and cuts the connection.
func (s *session) close() {
	s.mu.Lock()
	s.mu.closing = true
	s.abortLocked(func(*task) bool { return true }, nil)
	for _, w := range s.mu.idle {
		close(w)
	}
	s.mu.idle = nil
	s.mu.Unlock()
	_ = s.nc.SetWriteDeadline(time.Now().Add(lastWords))
	s.out.close()
	<-s.out.drained
	_ = s.nc.Close()
}

// lastWords is how long a session that ends waits for its peer to take what is
// on the way.
const lastWords = time.Second

// stop makes the reader return. It does not wait.
func (s *session) stop(reason string) {
	s.stopOnce.Do(func() {
		s.reason = reason
		close(s.stopped)
	})
	_ = s.nc.SetReadDeadline(time.Unix(1, 0))
	_ = s.nc.SetWriteDeadline(time.Now().Add(lastWords))
}

// drop tells the initiator that the session will be gone and ends it. It does
// not wait; wait does.
func (s *session) drop(reason string) {
	if !s.stopping() {
		s.out.push(asyncNotice{event: pdu.AsyncDropSession})
	}
	s.stop(reason)
}

// wait returns when the session has ended or ctx has.
func (s *session) wait(ctx context.Context) error {
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// keep pings an initiator that is silent and drops one that stays so.
func (s *session) keep() {
	tick := time.NewTicker(s.srv.cfg.Limits.PingInterval)
	defer tick.Stop()
	var last uint64
	pinged := false
	for {
		select {
		case <-s.stopped:
			return
		case <-tick.C:
		}
		switch n := s.received.Load(); {
		case n != last:
			last, pinged = n, false
		case pinged:
			s.stop("initiator is silent")
			return
		default:
			pinged = true
			s.out.push(ping{})
		}
	}
}
