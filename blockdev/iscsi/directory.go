package iscsi

import (
	"context"

	"twinlun/blockdev/iscsi/pdu"
	"twinlun/blockdev/scsi"
)

// lookup is part of directory.
func (s *Server) lookup(target, initiator string) (*node, *CHAP, pdu.LoginStatus) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.mu.nodes[fold(target)]
	switch {
	case n == nil:
		return nil, nil, pdu.LoginNotFound
	case !n.allows(fold(initiator)):
		return nil, nil, pdu.LoginForbidden
	}
	return n, cloneCHAP(n.chap), pdu.LoginOK
}

// knowsSession is part of directory.
func (s *Server) knowsSession(tsih uint16) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.mu.nodes {
		for ses := range n.sessions {
			if ses.tsih == tsih {
				return true
			}
		}
	}
	return false
}

// visible lists the names of the targets that the initiator may log in to.
func (s *Server) visible(initiator string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for _, n := range s.mu.nodes {
		if n.allows(initiator) {
			names = append(names, n.name)
		}
	}
	return names
}

// open makes the session of a login that has passed. A session that the same
// initiator port had with the target is ended first and waited for (session
// reinstatement, RFC 7143 section 6.3.5).
func (s *Server) open(ctx context.Context, c *conn) (*session, pdu.LoginStatus) {
	ses := newSession(c)
	if ses.node == nil {
		return ses, pdu.LoginOK
	}
	for {
		old, st := s.register(ses)
		if old == nil {
			if st == pdu.LoginOK {
				ses.attach()
			}
			return ses, st
		}
		old.drop("session reinstatement")
		if old.wait(ctx) != nil {
			return nil, pdu.LoginOutOfResources
		}
	}
}

// register enters a session in its target's list, or returns the one that has
// to end before. The login is judged again, as things may have changed.
func (s *Server) register(ses *session) (old *session, st pdu.LoginStatus) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := ses.node
	switch {
	case s.mu.nodes[fold(n.name)] != n:
		return nil, pdu.LoginNotFound
	case !n.allows(ses.nexus.Initiator):
		return nil, pdu.LoginForbidden
	case n.chap != nil && !sameCHAP(n.chap, ses.chap):
		return nil, pdu.LoginAuthFailed
	}
	for other := range n.sessions {
		if other.nexus == ses.nexus {
			return other, pdu.LoginOK
		}
	}
	if len(n.sessions) >= s.cfg.Limits.Sessions {
		return nil, pdu.LoginOutOfResources
	}
	n.sessions[ses] = struct{}{}
	return nil, pdu.LoginOK
}

func (s *Server) unregister(ses *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(ses.node.sessions, ses)
}

// nextTSIH gives a session handle that is not 0.
func (s *Server) nextTSIH() uint16 {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		if s.mu.tsih++; s.mu.tsih != 0 {
			return s.mu.tsih
		}
	}
}

// peers lists the sessions of a target.
func (s *Server) peers(n *node) []*session {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*session, 0, len(n.sessions))
	for ses := range n.sessions {
		all = append(all, ses)
	}
	return all
}

func nexusOf(initiator string, isid [6]byte) scsi.Nexus {
	return scsi.Nexus{Initiator: fold(initiator), ISID: isid, TPGT: portalGroup}
}
