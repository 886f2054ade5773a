// Package cli is the command line of Twinlun. Every command but serve, user,
// version and completion is a WS-Management client and nothing else: what it can
// do, any other client can do.
package cli

import (
	"context"
	"fmt"
	"io"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"twinlun/cim"
	"twinlun/cim/mof"
	"twinlun/schemas"
	"twinlun/wsman/auth"
)

// Streams are where a command reads and writes.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// Execute runs one command line and returns the exit code: 0, 1 failed, 2 usage,
// 3 no such object, 4 not allowed. ctx ends when the user interrupts.
func Execute(ctx context.Context, s Streams, version string, args []string) int {
	return execute(ctx, &app{Streams: s, version: version, loadSchema: loadSchema}, args)
}

func execute(ctx context.Context, a *app, args []string) int {
	root := newRoot(a)
	root.SetArgs(args)
	root.SetIn(a.In)
	root.SetOut(a.Out)
	root.SetErr(a.Err)
	err := root.ExecuteContext(ctx)
	if err != nil {
		fmt.Fprintln(a.Err, "twinlun:", strings.ReplaceAll(message(err), "\n", "; "))
	}
	return exitCode(err)
}

func loadSchema() (*cim.Schema, error) { return mof.Load(schemas.Files()) }

// app is what all commands share.
type app struct {
	Streams
	version string
	conn    connection
	output  string          // table, json or yaml
	hash    auth.HashParams // of the passwords of users; zero is right for service
	// loadSchema reads the schema that types what is sent.
	loadSchema func() (*cim.Schema, error)
}

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use: "twinlun", Short: "A storage replication endpoint for WS-Management clients",
		SilenceErrors: true, SilenceUsage: true,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(
		a.serveCommand(), a.userCommand(), a.versionCommand(), a.completionCommand(),
		a.volumeCommand(), a.replicaCommand(), a.groupCommand(), a.jobCommand(), a.poolCommand(), a.watchCommand(),
		a.getCommand(), a.enumerateCommand(), a.setCommand(), a.createCommand(), a.deleteCommand(), a.invokeCommand(), a.classCommand(),
	)
	return root
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: usageArgs(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			goVersion := "unknown"
			if info, ok := debug.ReadBuildInfo(); ok {
				goVersion = info.GoVersion
			}
			_, err := fmt.Fprintf(a.Out, "twinlun %s (%s)\n", a.version, goVersion)
			return err
		},
	}
}

// parent is a command that has only subcommands.
func parent(use, short string, children ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{
		Use: use, Short: short, Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usageError{fmt.Errorf("%s needs a subcommand; see %s --help", cmd.CommandPath(), cmd.CommandPath())}
		},
	}
	c.AddCommand(children...)
	return c
}
