package server

import (
	"context"
	"net/http"
)

// handleEnd answers the messages that Windows clients send after an exchange in
// full duplex mode. This service is never in that mode, but a client that believes
// so must not fail.
func (s *Server) handleEnd(context.Context, *request) (*answer, error) {
	return &answer{status: http.StatusNoContent}, nil
}
