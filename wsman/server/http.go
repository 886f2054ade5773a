package server

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"twinlun/cim"
	"twinlun/wsman"
	"twinlun/wsman/auth"
	"twinlun/wsman/soap"
)

// What is read of the requests of those who did not say who they are.
const (
	anonymousBody = 16 << 10  // and understood, to find an Identify
	drainBody     = 256 << 10 // and thrown away, to keep the connection
)

// serveSOAP takes a request from HTTP: its form, who sent it, its body.
func (s *Server) serveSOAP(w http.ResponseWriter, r *http.Request) {
	if !isSOAP(r) {
		s.refuseBody(w, r, http.StatusUnsupportedMediaType, "the content type must be application/soap+xml")
		return
	}
	who, err := s.config.Auth.Authenticate(r)
	switch {
	case err == nil:
		s.serveUser(w, r, who)
	case errors.Is(err, auth.ErrNoCredentials):
		s.serveStranger(w, r)
	default:
		s.refuseUser(w, r, err)
	}
}

// serveUser answers a request of a known user. The user's place is taken before
// the body is read, which bounds what one user's requests hold in memory.
func (s *Server) serveUser(w http.ResponseWriter, r *http.Request, who cim.Principal) {
	rq := s.newRequest(w, r, who)
	leave, ok := s.users.enter(r.Context(), who.Name)
	if !ok {
		s.metrics.refused.WithLabelValues("user").Inc()
		drain(r)
		s.sendFault(rq, wsman.QuotaLimit("more than %d requests of this user are under way", s.config.Limits.InFlightPerUser), http.StatusInternalServerError)
		return
	}
	defer leave()
	data, err := s.readBody(w, r, s.config.Limits.Body)
	if err != nil {
		s.badBody(rq, err)
		return
	}
	s.limited(rq, func() { s.handle(rq, data) })
}

func (s *Server) newRequest(w http.ResponseWriter, r *http.Request, who cim.Principal) *request {
	return &request{http: r, out: w, who: who, start: s.config.Time()}
}

// serveAnonymous answers Identify, and nothing else, to everybody.
func (s *Server) serveAnonymous(w http.ResponseWriter, r *http.Request) {
	if !isSOAP(r) {
		s.refuseBody(w, r, http.StatusUnsupportedMediaType, "the content type must be application/soap+xml")
		return
	}
	s.serveStranger(w, r)
}

// serveStranger answers an Identify without credentials and refuses all else.
func (s *Server) serveStranger(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength <= 0 || r.ContentLength > anonymousBody {
		s.refuseUser(w, r, auth.ErrNoCredentials)
		return
	}
	rq := s.newRequest(w, r, cim.Principal{})
	data, err := s.readBody(w, r, anonymousBody)
	if err != nil {
		s.badBody(rq, err)
		return
	}
	s.limited(rq, func() { s.handle(rq, data) })
}

// limited calls f when there is a place among the requests under way. Where there
// is none for a while the client shall come back.
func (s *Server) limited(rq *request, f func()) {
	if !take(rq.http.Context(), s.inFlight, s.config.Limits.Wait) {
		s.metrics.refused.WithLabelValues("in_flight").Inc()
		rq.out.Header().Set("Retry-After", "1")
		s.sendFault(rq, wsman.EndpointUnavailable("too many requests are under way"), http.StatusServiceUnavailable)
		return
	}
	defer func() { <-s.inFlight }()
	f()
}

// refuseUser answers with the authenticator's refusal. It reads what is left of
// the body first, so that the client can go on in the same connection.
func (s *Server) refuseUser(w http.ResponseWriter, r *http.Request, err error) {
	drain(r)
	s.setWriteDeadline(w)
	status := s.config.Auth.Refuse(w, r, err)
	s.metrics.authFailures.WithLabelValues(strconv.Itoa(status)).Inc()
	if !errors.Is(err, auth.ErrNoCredentials) {
		s.config.Logger.Warn("wsman: not let in", "remote", r.RemoteAddr, "status", status, "error", err)
	}
}

func (s *Server) refuseBody(w http.ResponseWriter, r *http.Request, status int, text string) {
	drain(r)
	s.sendText(w, status, text)
}

// drain throws away the body of a request. What fails here fails again for the
// server when it looks for the next request.
func drain(r *http.Request) { _, _ = io.CopyN(io.Discard, r.Body, drainBody) }

// readBody reads the whole body. Limits.Read, which http.Server sees to, bounds how
// long that takes, and nothing after it.
func (s *Server) readBody(w http.ResponseWriter, r *http.Request, limit int) ([]byte, error) {
	if r.ContentLength > int64(limit) {
		return nil, &http.MaxBytesError{Limit: int64(limit)}
	}
	return readAll(http.MaxBytesReader(w, r.Body, int64(limit)), r.ContentLength)
}

// readAll reads to the end; size is how much is expected, or negative.
func readAll(r io.Reader, size int64) ([]byte, error) {
	if size < 0 {
		return io.ReadAll(r)
	}
	data := make([]byte, size)
	if _, err := io.ReadFull(r, data); err != nil {
		return nil, err
	}
	return data, nil
}

// badBody answers a request whose body cannot be read.
func (s *Server) badBody(rq *request, err error) {
	rq.out.Header().Set("Connection", "close")
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		f := wsman.EncodingLimit(wsman.DetailServiceEnvelope, "a request may have %d bytes at most", tooLarge.Limit)
		s.sendFault(rq, f, http.StatusInternalServerError)
		return
	}
	s.sendText(rq.out, http.StatusBadRequest, "the body cannot be read")
}

func isSOAP(r *http.Request) bool {
	kind, _ := soap.MediaType(r.Header.Get("Content-Type"))
	return kind == "application/soap+xml"
}

// sendText answers with a line of text: what is not SOAP.
func (s *Server) sendText(w http.ResponseWriter, status int, text string) {
	s.send(w, status, "text/plain; charset=utf-8", []byte(text+"\n"))
}

// send writes an answer in one piece. The client may be gone; there is nobody to
// tell.
func (s *Server) send(w http.ResponseWriter, status int, contentType string, data []byte) {
	s.setWriteDeadline(w)
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(data)))
	w.WriteHeader(status)
	_, _ = w.Write(data)
}

// setWriteDeadline bounds how long the client may take for the answer. Writers
// that have no deadline are not connections.
func (s *Server) setWriteDeadline(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(s.config.Limits.Write))
}
