package server

import (
	"context"

	"twinlun/wsman"
)

// handleDelete deletes an instance (DSP0226 section 7.5). Its keys are needed, also
// where there is only one: what is gone by mistake does not come back.
func (s *Server) handleDelete(ctx context.Context, rq *request) (*answer, error) {
	f, err := readFragment(rq)
	if err != nil {
		return nil, err
	}
	if f != nil {
		return s.deleteFragment(ctx, rq, f)
	}
	path, class, err := s.target(rq)
	if err != nil {
		return nil, err
	}
	rq.objects = []string{path.String()}
	if len(path.Keys) == 0 {
		return nil, wsman.InvalidSelectors(wsman.DetailInsufficientSelectors, "selectors are needed to tell which instance of %s is to be deleted", class.Name)
	}
	if err := s.config.Broker.Delete(ctx, path); err != nil {
		return nil, err
	}
	return &answer{code: resultOK, gone: true}, nil
}
