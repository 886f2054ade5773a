// Twinlun is a storage replication endpoint: it serves block volumes over iSCSI
// and replicates them on the orders of WS-Management clients. This binary is the
// daemon and its command line.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"twinlun/cmd/twinlun/cli"
)

// version is set by the build.
var version = "dev"

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second signal ends the process at once.
	defer context.AfterFunc(ctx, stop)()
	return cli.Execute(ctx, cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}, version, os.Args[1:])
}
