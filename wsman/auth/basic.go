package auth

import (
	"context"
	"net"
	"net/http"

	"twinlun/cim"
)

// Authenticator is one HTTP authentication scheme (RFC 9110 section 11). It is
// safe for concurrent use.
type Authenticator interface {
	// Scheme is its name in the Authorization header.
	Scheme() string
	// Offer is its WWW-Authenticate value for requests like r, or "" where
	// the scheme cannot be used with them.
	Offer(r *http.Request) string
	// Authenticate says who sent r, whose Authorization header has this
	// scheme. It does not touch the body.
	Authenticate(r *http.Request) (cim.Principal, error)
}

// Verifier checks passwords. *Users is one.
type Verifier interface {
	// Verify fails with ErrDenied where the password is not the user's.
	Verify(ctx context.Context, name, password, remote string) (cim.Principal, error)
}

// Basic is HTTP Basic authentication (RFC 7617). Without TLS it is there for
// clients on this machine only.
type Basic struct {
	Users Verifier
	// AllowUnencrypted accepts it without TLS from everywhere.
	AllowUnencrypted bool
}

// Scheme is "Basic".
func (b *Basic) Scheme() string { return "Basic" }

// Offer is the challenge that WS-Management clients know.
func (b *Basic) Offer(r *http.Request) string {
	if !b.safe(r) {
		return ""
	}
	return `Basic realm="WSMAN"`
}

// Authenticate checks the user and password of the header. Those that came in
// clear text over a network are refused, right or wrong: ErrUnencrypted.
func (b *Basic) Authenticate(r *http.Request) (cim.Principal, error) {
	if !b.safe(r) {
		return cim.Principal{}, ErrUnencrypted
	}
	name, password, ok := r.BasicAuth()
	if !ok {
		return cim.Principal{}, ErrDenied
	}
	return b.Users.Verify(r.Context(), trimLocal(name), password, r.RemoteAddr)
}

func (b *Basic) safe(r *http.Request) bool {
	return b.AllowUnencrypted || r.TLS != nil || isLoopback(r.RemoteAddr)
}

func isLoopback(remote string) bool {
	ip := net.ParseIP(hostOf(remote))
	return ip != nil && ip.IsLoopback()
}
