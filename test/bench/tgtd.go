package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// peerTarget is the name of the target that serves the peer's file.
const peerTarget = "iqn.2026-11.bench:peer"

// tgtd is the peer: the SCSI target daemon of Linux in user space, private to
// this run, with one file as LUN 1.
type tgtd struct {
	*process
	control string // its control port: a number up to 32767 that names a socket
	portal  string
}

// startTgtd serves a file through a tgtd of its own on a free port.
func startTgtd(ctx context.Context, dir, file string) (*tgtd, error) {
	portal, err := freeAddress()
	if err != nil {
		return nil, err
	}
	t := &tgtd{control: strconv.Itoa(1 + os.Getpid()%30000), portal: portal}
	t.process, err = start(filepath.Join(dir, "tgtd.log"), "tgtd", "-f", "-C", t.control, "--iscsi", "portal="+portal)
	if err != nil {
		return nil, err
	}
	if err := t.serve(ctx, file); err != nil {
		return nil, errors.Join(err, t.stop(ctx))
	}
	return t, nil
}

// freeAddress finds a port that nobody listens on.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

func (t *tgtd) admin(ctx context.Context, args ...string) error {
	_, err := tool(ctx, "tgtadm", append([]string{"-C", t.control}, args...)...)
	return err
}

func (t *tgtd) serve(ctx context.Context, file string) error {
	err := until(ctx, 20*time.Second, func() (bool, error) {
		return t.admin(ctx, "--lld", "iscsi", "--op", "show", "--mode", "target") == nil, nil
	})
	if err != nil {
		return fmt.Errorf("tgtd does not start: %w", err)
	}
	for _, args := range [][]string{
		{"--op", "new", "--mode", "target", "--tid", "1", "-T", peerTarget},
		{"--op", "new", "--mode", "logicalunit", "--tid", "1", "--lun", "1", "-b", file},
		{"--op", "bind", "--mode", "target", "--tid", "1", "-I", "ALL"},
	} {
		if err := t.admin(ctx, append([]string{"--lld", "iscsi"}, args...)...); err != nil {
			return err
		}
	}
	return nil
}

// stop ends the daemon through its control port, because it minds no signal
// while it has a target.
func (t *tgtd) stop(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	_ = t.admin(ctx, "--op", "delete", "--mode", "system", "--force")
	return t.process.stop()
}

// url is what libiscsi and qemu reach a LUN of a target by.
func url(portal, target string, lun int) string {
	return "iscsi://" + portal + "/" + target + "/" + strconv.Itoa(lun)
}
