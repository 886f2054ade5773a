package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"twinlun/cim"
	"twinlun/wsman"
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
	if errors.Is(err, client.ErrUnauthorized) {
		return exitDenied
	}
	if f, ok := errors.AsType[*wsman.Fault](err); ok && f.CIM != nil {
		return statusCode(f.CIM.Status)
	}
	return exitFailed
}

func statusCode(s cim.Status) int {
	switch s {
	case cim.StatusNotFound:
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
	if f, ok := errors.AsType[*wsman.Fault](err); ok && f.CIM != nil && f.CIM.Msg != "" {
		return f.CIM.Msg
	}
	return err.Error()
}
