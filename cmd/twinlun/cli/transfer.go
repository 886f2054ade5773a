package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"twinlun/blockdev"
	"twinlun/blockdev/iscsi/initiator"
	"twinlun/cim"
)

// transferChunk is how much is read or written at once, in bytes.
const transferChunk = 1 << 20

func (a *app) volumeImport() *cobra.Command {
	var pool string
	c := &cobra.Command{
		Use: "import FILE NAME", Short: "Make a volume of a raw image", Args: usageArgs(cobra.ExactArgs(2)),
		Long: "Make a volume of a raw image. The orders go over WS-Man and the data over iSCSI, so that it works from another machine.",
	}
	c.Flags().StringVar(&pool, "pool", "", "pool to take the space from")
	c.RunE = a.with(func(ctx context.Context, s *session, args []string) error {
		return s.importFile(ctx, args[0], args[1], pool)
	})
	return c
}

func (a *app) volumeExport() *cobra.Command {
	return &cobra.Command{
		Use: "export NAME FILE", Short: "Write a volume to a raw image", Args: usageArgs(cobra.ExactArgs(2)),
		Long: "Write a volume to a new raw image: its content at one instant, from a snapshot that is removed afterwards.",
		RunE: a.with(func(ctx context.Context, s *session, args []string) error { return s.exportFile(ctx, args[0], args[1]) }),
	}
}

// importFile makes a volume with the content of a file; on a failure it is
// removed again.
func (s *session) importFile(ctx context.Context, file, name, pool string) (err error) {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	volume, err := s.createVolume(ctx, name, fmt.Sprint(max(info.Size(), 1)), pool)
	if err != nil {
		return err
	}
	if err := s.withDisk(ctx, volume, func(d *initiator.Disk) error { return s.upload(ctx, f, info.Size(), d) }); err != nil {
		_, gone := s.invoke(context.WithoutCancel(ctx), service(classStorageConf), "ReturnToStoragePool", arg("TheElement", volume))
		return errors.Join(err, gone)
	}
	return nil
}

// exportFile writes what a volume holds at one instant to a new file.
func (s *session) exportFile(ctx context.Context, name, file string) error {
	v, err := s.volume(ctx, name)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = s.withSnapshot(ctx, v.Path, func(snapshot *cim.Path) error {
		return s.withDisk(ctx, snapshot, func(d *initiator.Disk) error { return s.download(ctx, d, f) })
	})
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(file))
	}
	return nil
}

// withSnapshot runs f with a snapshot of a volume and removes it afterwards.
func (s *session) withSnapshot(ctx context.Context, volume *cim.Path, f func(*cim.Path) error) error {
	reply, err := s.invoke(ctx, service(classReplication), "CreateElementReplica", arg("SyncType", 7), arg("SourceElement", volume))
	if err != nil {
		return err
	}
	snapshot, _ := reply.Out.Get("TargetElement").(*cim.Path)
	sync, _ := reply.Out.Get("Synchronization").(*cim.Path)
	err = f(snapshot)
	_, gone := s.invoke(context.WithoutCancel(ctx), service(classReplication), "ModifyReplicaSynchronization", arg("Operation", 19), arg("Synchronization", sync))
	return errors.Join(err, gone)
}

// withDisk exposes a volume to a new initiator with a new secret, logs in, runs
// f, and hides the volume again.
func (s *session) withDisk(ctx context.Context, volume *cim.Path, f func(*initiator.Disk) error) error {
	o := initiator.Options{
		Name: "iqn.2026-11.dev.twinlun:transfer-" + strings.ToLower(rand.Text()),
		User: "transfer", Secret: rand.Text(),
	}
	target, err := s.exposeAs(ctx, volume, []string{o.Name}, o.User, o.Secret)
	if err != nil {
		return err
	}
	err = s.login(ctx, target, o, f)
	return errors.Join(err, s.hide(context.WithoutCancel(ctx), volume, nil))
}

func (s *session) login(ctx context.Context, target string, o initiator.Options, f func(*initiator.Disk) error) error {
	portal, err := s.portal(ctx)
	if err != nil {
		return err
	}
	d, err := initiator.Dial(ctx, portal, target, o)
	if err != nil {
		return err
	}
	return errors.Join(f(d), d.Close())
}

// portal is the address of the iSCSI portal: where it listens, on the host of
// the server where it listens on all addresses.
func (s *session) portal(ctx context.Context) (string, error) {
	all, err := s.list(ctx, classEndpoint)
	if err != nil {
		return "", err
	}
	for _, in := range all {
		list, _ := in.Get("PortalAddresses").([]cim.Value)
		if len(list) > 0 {
			addr, _ := list[0].(string)
			return s.reachable(addr)
		}
	}
	return "", errors.New("the server has no iSCSI portal")
}

func (s *session) reachable(addr string) (string, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", err
	}
	if ip := net.ParseIP(host); host != "" && (ip == nil || !ip.IsUnspecified()) {
		return addr, nil
	}
	u, err := url.Parse(s.url)
	if err != nil {
		return "", err
	}
	return net.JoinHostPort(u.Hostname(), port), nil
}

// upload writes a file to a disk and leaves out what is zero.
func (s *session) upload(ctx context.Context, f *os.File, n int64, d *initiator.Disk) error {
	buf := make([]byte, transferChunk)
	p := s.app.newProgress("import")
	defer p.end()
	for off := int64(0); off < n; off += transferChunk {
		part := buf[:min(n-off, transferChunk)]
		if _, err := f.ReadAt(part, off); err != nil {
			return err
		}
		part = padded(part)
		if !isZero(part) {
			if err := d.WriteAt(ctx, part, off); err != nil {
				return err
			}
		}
		p.show(uint64(min(off+transferChunk, n) * 100 / n))
	}
	return d.Flush(ctx)
}

// padded fills the last sector with zeros; part has room for it.
func padded(part []byte) []byte {
	n := len(part)
	whole := (n + blockdev.SectorSize - 1) / blockdev.SectorSize * blockdev.SectorSize
	part = part[:whole]
	clear(part[n:])
	return part
}

// download writes a disk to a file and leaves holes where it is zero.
func (s *session) download(ctx context.Context, d *initiator.Disk, f *os.File) error {
	buf := make([]byte, transferChunk)
	p := s.app.newProgress("export")
	defer p.end()
	for off := int64(0); off < d.Size(); off += transferChunk {
		part := buf[:min(d.Size()-off, transferChunk)]
		if err := d.ReadAt(ctx, part, off); err != nil {
			return err
		}
		if !isZero(part) {
			if _, err := f.WriteAt(part, off); err != nil {
				return err
			}
		}
		p.show(uint64(min(off+transferChunk, d.Size()) * 100 / d.Size()))
	}
	return errors.Join(f.Truncate(d.Size()), f.Sync())
}

func isZero(p []byte) bool {
	for _, b := range p {
		if b != 0 {
			return false
		}
	}
	return true
}
