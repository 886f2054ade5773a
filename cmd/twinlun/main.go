// Twinlun is a storage replication endpoint: it serves block volumes over iSCSI
// and replicates them on the orders of WS-Management clients. This binary is the
// daemon and its command line.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"twinlun/cmd/twinlun/cli"
)

// version is set by the build.
var version = "dev"

func main() { os.Exit(run()) }

// heapFloor keeps the garbage collector from running all the time while little
// is in memory: it is counted as live, but never touched, so that it takes
// address space only.
const heapFloor = 32 << 20

func run() int {
	floor := make([]byte, heapFloor)
	defer runtime.KeepAlive(floor)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second signal ends the process at once.
	defer context.AfterFunc(ctx, stop)()
	return cli.Execute(ctx, cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}, version, os.Args[1:])
}
