package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"

	"github.com/spf13/cobra"

	"twinlun/cim"
	"twinlun/wsman/client"
)

// Exit codes.
const (
	exitFailed   = 1
	exitUsage    = 2
	exitNotFound = 3
	exitDenied   = 4
)

// usageError is a command line that makes no sense.
type usageError struct{ error }

// notFoundError says that there is no object with the name given.
type notFoundError struct{ what, name string }

func (e notFoundError) Error() string { return fmt.Sprintf("there is no %s %q", e.what, e.name) }

// returnError is a method that returned another code than 0 and 4096.
type returnError struct {
	method          string
	code            uint64
	meaning, reason string
}

// Error names the method, the code with its meaning, and the reason given.
func (e returnError) Error() string {
	s := fmt.Sprintf("%s returned %d", e.method, e.code)
	if e.meaning != "" {
		s += " (" + e.meaning + ")"
	}
	if e.reason != "" {
		s += ": " + e.reason
	}
	return s
}

// usageArgs makes the failure of an argument check a usage error.
func usageArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usageError{fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())}
		}
		return nil
	}
}

// exitCode is the exit code that an error means.
func exitCode(err error) int {
	if err == nil {
		return 0
	}
	if _, ok := errors.AsType[usageError](err); ok {
		return exitUsage
	}
	if _, ok := errors.AsType[notFoundError](err); ok {
		return exitNotFound
	}
	if isDenied(err) {
		return exitDenied
	}
	return statusCode(cim.StatusOf(err))
}

// isDenied says whether the server or this machine refuses the user.
func isDenied(err error) bool {
	h, ok := errors.AsType[*client.HTTPError](err)
	return errors.Is(err, client.ErrUnauthorized) || ok && h.Status == http.StatusForbidden || errors.Is(err, fs.ErrPermission)
}

func statusCode(s cim.Status) int {
	switch s {
	case cim.StatusNotFound, cim.StatusInvalidClass, cim.StatusInvalidNamespace, cim.StatusMethodNotFound:
		return exitNotFound
	case cim.StatusAccessDenied:
		return exitDenied
	}
	return exitFailed
}

// message is what the user reads of an error.
func message(err error) string {
	if errors.Is(err, client.ErrUnauthorized) {
		return "the server did not accept the user or the password (see --user, --password-file, TWINLUN_USER and TWINLUN_PASSWORD)"
	}
	h, ok := errors.AsType[*client.HTTPError](err)
	switch {
	case ok && h.Status == http.StatusForbidden:
		return "the server takes passwords over TLS only: use an https URL (or allow_unencrypted in the server's configuration)"
	case ok && h.Status == http.StatusTooManyRequests:
		return "the server refuses logins for a while, because too many have failed"
	case errors.Is(err, context.Canceled):
		return "interrupted; what the server has begun may go on: " + err.Error()
	}
	return err.Error()
}
