package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
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
func (s *session) importFile(ctx context.Context, file, name, pool string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	n, err := contentSize(f)
	if err != nil {
		return err
	}
	volume, err := s.createVolume(ctx, name, strconv.FormatInt(n, 10), pool)
	if err != nil {
		return err
	}
	if err := s.withDisk(ctx, volume, func(d disk) error { return s.upload(ctx, f, n, d) }); err != nil {
		_, gone := s.invoke(context.WithoutCancel(ctx), service(classStorageConf), "ReturnToStoragePool", arg("TheElement", volume))
		return errors.Join(err, gone)
	}
	return s.showVolume(ctx, volume)
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
		return s.withDisk(ctx, snapshot, func(d disk) error { return s.download(ctx, d, f) })
	})
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(file))
	}
	return nil
}

// operationReturn is the Operation Return To ResourcePool of
// ModifyReplicaSynchronization (CIM 2.49).
const operationReturn = 19

// withSnapshot runs f with a snapshot of a volume and removes it afterwards.
func (s *session) withSnapshot(ctx context.Context, volume *cim.Path, f func(*cim.Path) error) error {
	reply, err := s.invoke(ctx, service(classReplication), "CreateElementReplica", arg("SyncType", 7), arg("SourceElement", volume))
	if err != nil {
		return err
	}
	snapshot, made := reply.Out.Get("TargetElement").(*cim.Path)
	sync, formed := reply.Out.Get("Synchronization").(*cim.Path)
	if !made || !formed {
		return errors.New("the server does not name the snapshot that it made")
	}
	err = f(snapshot)
	_, gone := s.invoke(context.WithoutCancel(ctx), service(classReplication), "ModifyReplicaSynchronization",
		arg("Operation", operationReturn), arg("Synchronization", sync))
	return errors.Join(err, gone)
}

// disk is a volume over iSCSI. *initiator.Disk is one.
type disk interface {
	ReadAt(ctx context.Context, p []byte, off int64) error
	WriteAt(ctx context.Context, p []byte, off int64) error
	Flush(ctx context.Context) error
	Size() int64
}

// withDisk exposes a volume to a new initiator with a new secret, logs in, runs
// f, and hides the volume again.
func (s *session) withDisk(ctx context.Context, volume *cim.Path, f func(disk) error) error {
	o := initiator.Options{
		Name: "iqn.2026-11.dev.twinlun:transfer-" + strings.ToLower(rand.Text()),
		User: "transfer", Secret: rand.Text(),
	}
	target, err := s.exposeAs(ctx, volume, []string{o.Name}, o.User, o.Secret)
	if err != nil {
		return err
	}
	d, err := s.login(ctx, target, o)
	if err == nil {
		err = errors.Join(f(d), d.Close())
	}
	return errors.Join(err, s.hide(context.WithoutCancel(ctx), volume, nil))
}

// login tries the portals one after the other.
func (s *session) login(ctx context.Context, target string, o initiator.Options) (*initiator.Disk, error) {
	portals, err := s.portals(ctx)
	if err != nil {
		return nil, err
	}
	var failures []error
	for _, p := range portals {
		d, err := initiator.Dial(ctx, p, target, o)
		if err == nil {
			return d, nil
		}
		failures = append(failures, fmt.Errorf("portal %s: %w", p, err))
		if ctx.Err() != nil {
			break
		}
	}
	return nil, errors.Join(failures...)
}

// portals are the addresses where the server may be reached over iSCSI, the most
// likely ones first.
func (s *session) portals(ctx context.Context) ([]string, error) {
	all, err := s.list(ctx, classEndpoint)
	if err != nil {
		return nil, err
	}
	var known []string
	for _, in := range all {
		list, _ := in.Get("PortalAddresses").([]cim.Value)
		for _, v := range list {
			if addr, ok := v.(string); ok {
				known = append(known, addr)
			}
		}
	}
	if len(known) == 0 {
		return nil, errors.New("the server has no iSCSI portal")
	}
	return orderPortals(known, s.host), nil
}

// orderPortals puts those on the host that the server is reached by first and adds
// that host with their ports at the end: the server may not know all of its
// addresses.
func orderPortals(known []string, host string) []string {
	var same, others, guessed []string
	for _, addr := range known {
		h, port, err := net.SplitHostPort(addr)
		switch guess := net.JoinHostPort(host, port); {
		case err != nil:
		case h == host:
			same = append(same, addr)
		default:
			others, guessed = append(others, addr), append(guessed, guess)
		}
	}
	list := slices.Concat(same, others)
	for _, g := range guessed {
		if !slices.Contains(list, g) {
			list = append(list, g)
		}
	}
	return list
}

// upload writes the first n bytes of a file to a disk and leaves out what is
// zero: a new volume reads as zeros.
func (s *session) upload(ctx context.Context, f *os.File, n int64, d disk) error {
	buf := make([]byte, transferChunk)
	p := s.app.newProgress()
	defer p.end()
	for off := int64(0); off < n; {
		part := buf[:min(n-off, transferChunk)]
		if _, err := f.ReadAt(part, off); err != nil {
			return fmt.Errorf("%s at %d: %w", f.Name(), off, err)
		}
		for at, run := range runs(padded(part)) {
			if err := d.WriteAt(ctx, run, off+int64(at)); err != nil {
				return err
			}
		}
		next, err := nextData(f, min(off+transferChunk, n), n, transferChunk)
		if err != nil {
			return err
		}
		off = next
		p.show("import", percentOf(off, n))
	}
	// What a file no longer has looks like a hole.
	if now, err := contentSize(f); err != nil || now != n {
		return errors.Join(fmt.Errorf("%s changed while it was read", f.Name()), err)
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
func (s *session) download(ctx context.Context, d disk, f *os.File) error {
	buf := make([]byte, transferChunk)
	p := s.app.newProgress()
	defer p.end()
	for off := int64(0); off < d.Size(); off += transferChunk {
		part := buf[:min(d.Size()-off, transferChunk)]
		if err := d.ReadAt(ctx, part, off); err != nil {
			return err
		}
		for at, run := range runs(part) {
			if _, err := f.WriteAt(run, off+int64(at)); err != nil {
				return err
			}
		}
		p.show("export", percentOf(min(off+transferChunk, d.Size()), d.Size()))
	}
	return errors.Join(f.Truncate(d.Size()), f.Sync())
}

// percentOf is how much done is of total, which is not 0.
func percentOf(done, total int64) uint64 { return uint64(float64(done) / float64(total) * 100) }
