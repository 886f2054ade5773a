package iscsi

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net"
	"slices"
	"sync"
	"syscall"
	"time"

	"twinlun/blockdev"
)

// portalGroup is the one portal group tag that there is.
const portalGroup = 1

// Server serves iSCSI targets on any number of listeners. Its methods may be
// called at the same time.
type Server struct {
	cfg  Config
	bufs *buffers

	mu struct {
		sync.Mutex
		nodes map[string]*node // by folded name
		conns int
		tsih  uint16
	}
}

// New makes a server without targets. It starts nothing; Serve does.
func New(cfg Config) *Server {
	s := &Server{cfg: cfg.withDefaults(), bufs: newBuffers()}
	s.mu.nodes = map[string]*node{}
	return s
}

// Serve takes connections from l until ctx ends or l fails. Then it closes l and
// the connections that came from it and returns when all that it started has
// ended: nil if ctx has ended, else the listener's error.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	defer l.Close()
	for {
		nc, err := l.Accept()
		switch {
		case err == nil:
			s.start(ctx, &wg, nc)
		case ctx.Err() != nil:
			return nil
		case !retryable(err):
			return blockdev.Wrap(blockdev.KindIO, "accept", err)
		default:
			s.cfg.Logger.Warn("iscsi: accept", "err", err)
			pause(ctx, acceptPause)
		}
	}
}

// acceptPause is how long Serve waits when there are no more file descriptors.
const acceptPause = 100 * time.Millisecond

// retryable says whether a failure to accept may pass: too many files, no memory,
// a peer that went away at once.
func retryable(err error) bool {
	for _, e := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// start serves one connection in a goroutine that wg waits for, or refuses it
// when there are too many.
func (s *Server) start(ctx context.Context, wg *sync.WaitGroup, nc net.Conn) {
	if !s.admit() {
		s.cfg.Logger.Warn("iscsi: too many connections", "remote", nc.RemoteAddr().String())
		_ = nc.Close()
		return
	}
	wg.Go(func() {
		defer s.release()
		s.serveConn(ctx, nc)
	})
}

func (s *Server) admit() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.conns >= s.cfg.Limits.Connections {
		return false
	}
	s.mu.conns++
	return true
}

func (s *Server) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.conns--
}

// AddTarget serves t from now on; KindExists if its name is taken, KindInvalid
// if a name, a LUN or a secret is not what it must be.
func (s *Server) AddTarget(t Target) error {
	if err := checkTarget(t); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.nodes[fold(t.Name)] != nil {
		return blockdev.Errorf(blockdev.KindExists, "add target", "%s", t.Name)
	}
	s.mu.nodes[fold(t.Name)] = newNode(t)
	return nil
}

// SetAccess replaces who may log in to a target and with what credentials.
// Sessions that could not log in again are closed, not waited for. KindNotFound
// and KindInvalid as in AddTarget.
func (s *Server) SetAccess(name string, initiators []string, chap *CHAP) error {
	if err := checkAccess("set access", initiators, chap); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.mu.nodes[fold(name)]
	if n == nil {
		return blockdev.Errorf(blockdev.KindNotFound, "set access", "target %s", name)
	}
	n.initiators, n.chap = foldAll(initiators), cloneCHAP(chap)
	for ses := range n.sessions {
		if !n.allows(ses.nexus.Initiator) || chap != nil && !sameCHAP(chap, ses.chap) {
			ses.drop("access withdrawn")
		}
	}
	return nil
}

// RemoveTarget ends a target: no one can log in any more, its sessions are told
// so and closed, their commands are cancelled. It returns when no command runs
// in its units, or ctx's error when ctx ends before that; the target is gone
// nevertheless. KindNotFound if there is none of that name.
func (s *Server) RemoveTarget(ctx context.Context, name string) error {
	s.mu.Lock()
	n := s.mu.nodes[fold(name)]
	delete(s.mu.nodes, fold(name))
	var open []*session
	if n != nil {
		open = slices.Collect(maps.Keys(n.sessions))
	}
	s.mu.Unlock()
	if n == nil {
		return blockdev.Errorf(blockdev.KindNotFound, "remove target", "%s", name)
	}
	for _, ses := range open {
		ses.drop("target removed")
	}
	for _, ses := range open {
		if err := ses.wait(ctx); err != nil {
			return blockdev.Wrap(blockdev.KindBusy, "remove target "+name, err)
		}
	}
	return nil
}

// Sessions lists the sessions that are logged in to targets, ordered by target,
// initiator and ISID. Discovery sessions are not listed.
func (s *Server) Sessions() []SessionInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []SessionInfo
	for _, n := range s.mu.nodes {
		for ses := range n.sessions {
			all = append(all, ses.info)
		}
	}
	slices.SortFunc(all, func(a, b SessionInfo) int {
		return cmp.Or(cmp.Compare(a.Target, b.Target), cmp.Compare(a.Initiator, b.Initiator),
			slices.Compare(a.Nexus.ISID[:], b.Nexus.ISID[:]))
	})
	return all
}
