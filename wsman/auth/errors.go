package auth

import (
	"errors"
	"fmt"
	"time"
)

// What can go wrong with users and with credentials. The texts are for the
// person who asked; none of them says whether a user exists.
var (
	ErrUserExists      = errors.New("there is such a user already")
	ErrNoUser          = errors.New("there is no such user")
	ErrInvalidName     = errors.New("a user name has 1 to 64 letters, digits and . _ - @, and begins with a letter or digit")
	ErrInvalidPassword = fmt.Errorf("a password has 1 to %d bytes and no control characters", maxPassword)
	ErrInvalidRole     = errors.New("a role is one of monitor, operator, admin")
	// ErrNoCredentials: the request names no scheme that is served.
	ErrNoCredentials = errors.New("no credentials")
	// ErrDenied: wrong user or wrong password.
	ErrDenied = errors.New("wrong user or password")
	// ErrBusy: too many passwords are being checked already.
	ErrBusy = errors.New("too many logins at once")
	// ErrUnencrypted: credentials would pass, or have passed, in clear text.
	ErrUnencrypted = errors.New("Basic authentication without TLS is accepted from this machine only; use https, or allow_unencrypted in the server's configuration")
)

// ThrottledError refuses an attempt without looking at the password, because too
// many before it failed.
type ThrottledError struct {
	After time.Duration // until the next attempt is looked at
}

// Error is the text for the client.
func (e *ThrottledError) Error() string {
	return fmt.Sprintf("too many failed logins; try again in %s", e.After.Round(time.Second))
}
