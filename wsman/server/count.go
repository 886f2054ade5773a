package server

import (
	"context"
	"strconv"

	"twinlun/wsman"
	"twinlun/wsman/soap"
)

// estimate writes the header that says how many items an enumeration has in all,
// if the client wants to know (DSP0226 section 8.2.2). It is NULL where nobody can
// tell without making them.
func (s *Server) estimate(ctx context.Context, rq *request, of *source) func(*soap.Writer) {
	if soap.Child(rq.msg.Header, wsman.NSWSMan, "RequestTotalItemsCountEstimate") == nil {
		return nil
	}
	n, known := 0, false
	if of.count != nil {
		n, known = of.count(ctx)
	}
	return func(w *soap.Writer) {
		if known {
			w.Element("w", "TotalItemsCountEstimate", strconv.Itoa(n))
		} else {
			w.Nil("w", "TotalItemsCountEstimate")
		}
	}
}
