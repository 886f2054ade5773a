package auth

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"twinlun/cim"
)

// Chain tries the scheme that a request names.
type Chain struct {
	schemes []Authenticator
}

// NewChain makes a Chain. The order is the order in which schemes are offered.
func NewChain(schemes ...Authenticator) *Chain { return &Chain{schemes: schemes} }

// Authenticate says who sent r, or fails with ErrNoCredentials or the error of
// the scheme.
func (c *Chain) Authenticate(r *http.Request) (cim.Principal, error) {
	name, _, _ := strings.Cut(strings.TrimSpace(r.Header.Get("Authorization")), " ")
	for _, s := range c.schemes {
		if strings.EqualFold(s.Scheme(), name) {
			return s.Authenticate(r)
		}
	}
	return cim.Principal{}, ErrNoCredentials
}

// Refuse answers a request that Authenticate refused with err: 401 and one
// WWW-Authenticate header for each scheme that works for it, 403 where none
// does, 429 or 503 where it should come again later. The body of r is the
// caller's to drain.
func (c *Chain) Refuse(w http.ResponseWriter, r *http.Request, err error) int {
	if late, ok := errors.AsType[*ThrottledError](err); ok {
		return refuse(w, http.StatusTooManyRequests, err.Error(), late.After)
	}
	switch {
	case errors.Is(err, ErrBusy):
		return refuse(w, http.StatusServiceUnavailable, err.Error(), time.Second)
	case errors.Is(err, ErrUnencrypted):
		return refuse(w, http.StatusForbidden, err.Error(), 0)
	case errors.Is(err, ErrDenied), errors.Is(err, ErrNoCredentials):
		return c.challenge(w, r)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return refuse(w, http.StatusServiceUnavailable, "login took too long", time.Second)
	}
	return refuse(w, http.StatusInternalServerError, "internal error", 0)
}

func (c *Chain) challenge(w http.ResponseWriter, r *http.Request) int {
	offers := 0
	for _, s := range c.schemes {
		if o := s.Offer(r); o != "" {
			w.Header().Add("WWW-Authenticate", o)
			offers++
		}
	}
	if offers == 0 {
		return refuse(w, http.StatusForbidden, ErrUnencrypted.Error(), 0)
	}
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusUnauthorized)
	return http.StatusUnauthorized
}

// refuse answers with a line of text.
func refuse(w http.ResponseWriter, status int, text string, after time.Duration) int {
	if after > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(after.Seconds()))))
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)+1))
	w.WriteHeader(status)
	// The client may be gone; there is nobody to tell.
	_, _ = w.Write([]byte(text + "\n"))
	return status
}
