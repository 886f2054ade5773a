package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// withXFS runs f in a folder on XFS of so many bytes, which is in a file on disk, if this
// machine lets us mount it; else it says why not. It is taken down in every case.
func (l *lab) withXFS(ctx context.Context, size int64, f func(dir string) error) error {
	dir, err := inDir(l.disk, "mounted")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	mounted, unmount, err := mountXFS(ctx, dir, size)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		fmt.Fprintf(l.out, "\nskipped: clones on XFS, where blocks are shared: %v\n", err)
		return nil
	}
	return errors.Join(f(mounted), unmount())
}

// mountXFS makes a sparse file in dir, XFS in it, and mounts it below dir. unmount does
// not mind that ctx has ended.
func mountXFS(ctx context.Context, dir string, size int64) (mounted string, unmount func() error, err error) {
	if os.Getuid() != 0 {
		return "", nil, errors.New("only root can mount")
	}
	if room(dir) < size {
		return "", nil, fmt.Errorf("there is no room for %d MiB in %s", size/mib, dir)
	}
	image := filepath.Join(dir, "xfs")
	if mounted, err = inDir(dir, "mnt"); err != nil {
		return "", nil, err
	}
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		return "", nil, err
	}
	if err := os.Truncate(image, size); err != nil {
		return "", nil, err
	}
	if _, err := tool(ctx, "mkfs.xfs", "-q", "-m", "reflink=1", image); err != nil {
		return "", nil, err
	}
	unmount = func() error {
		_, err := tool(context.WithoutCancel(ctx), "umount", mounted)
		return err
	}
	if _, err := tool(ctx, "mount", "-o", "loop", image, mounted); err != nil {
		if ctx.Err() != nil { // it may have been in time
			_ = unmount()
		}
		return "", nil, err
	}
	return mounted, unmount, nil
}
