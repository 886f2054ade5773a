package iscsi

import (
	"context"
	"net"

	"twinlun/blockdev/scsi"
)

// session is one I_T nexus in full feature phase.
type session struct {
	nexus scsi.Nexus
	chap  *CHAP
	info  SessionInfo
	nc    net.Conn
	done  chan struct{}
}

func (s *session) drop(string) { _ = s.nc.Close() }

// wait returns when the session has ended or ctx has.
func (s *session) wait(ctx context.Context) error {
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Server) serveConn(_ context.Context, nc net.Conn) { _ = nc.Close() }
