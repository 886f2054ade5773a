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

	"twinlun/blockdev/iscsi/initiator"
	"twinlun/cim"
)

func (a *app) volumeImport() *cobra.Command {
	var pool string
	c := &cobra.Command{
		Use: "import FILE NAME", Short: "Make a volume of a raw image", Args: usageArgs(cobra.ExactArgs(2)),
		Long: "Make a volume of a raw image. The orders go over WS-Man and the data over iSCSI, so that it works from another machine. " +
			"An image that does not end with a whole sector of 512 bytes is filled up with zeros. If it fails, or is interrupted, there is no volume.",
	}
	c.Flags().StringVar(&pool, "pool", "", "pool to take the space from")
	c.RunE = a.with(func(ctx context.Context, s *session, args []string) error {
		return s.importFile(ctx, args[0], args[1], pool)
	})
	return c
}

func (a *app) volumeExport() *cobra.Command {
	var force bool
	c := &cobra.Command{
		Use: "export NAME FILE", Short: "Write a volume to a raw image", Args: usageArgs(cobra.ExactArgs(2)),
		Long: "Write a volume to a new raw image: its content at one instant, from a snapshot that is removed afterwards. " +
			"If it fails, or is interrupted, there is no file, or the one that was there is as it was.",
	}
	c.Flags().BoolVar(&force, "force", false, "replace a file that is there")
	c.RunE = a.with(func(ctx context.Context, s *session, args []string) error {
		return s.exportFile(ctx, args[0], args[1], force)
	})
	return c
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
		_, stays := s.invoke(context.WithoutCancel(ctx), service(classStorageConf), "ReturnToStoragePool", arg("TheElement", volume))
		if stays != nil {
			return errors.Join(err, fmt.Errorf("volume %q is incomplete and could not be removed: %w", name, stays))
		}
		return interrupted(ctx, fmt.Errorf("%w (volume %q was removed again)", err, name), fmt.Sprintf("volume %q was removed again", name))
	}
	return s.showVolume(ctx, volume)
}

// exportFile writes what a volume holds at one instant to a new file.
func (s *session) exportFile(ctx context.Context, name, file string, force bool) error {
	v, err := s.volume(ctx, name)
	if err != nil {
		return err
	}
	f, err := createImage(file, force)
	if err != nil {
		return err
	}
	err = s.withSnapshot(ctx, v.Path, func(snapshot *cim.Path) error {
		return s.withDisk(ctx, snapshot, func(d disk) error { return s.download(ctx, d, f.File) })
	})
	if err != nil {
		return errors.Join(f.named(err), f.discard())
	}
	return f.keep()
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
	_, stays := s.invoke(context.WithoutCancel(ctx), service(classReplication), "ModifyReplicaSynchronization",
		arg("Operation", operationReturn), arg("Synchronization", sync))
	if stays != nil {
		return errors.Join(err, fmt.Errorf("snapshot %s could not be removed: %w", snapshot, stays))
	}
	return interrupted(ctx, err, "the snapshot was removed again")
}

// interrupted is err, but for a user who has interrupted what leaves nothing on the
// server: that is said instead.
func interrupted(ctx context.Context, err error, undone string) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return errors.New("interrupted; " + undone)
	}
	return err
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
		_ = s.hide(context.WithoutCancel(ctx), volume, nil) // it may have been done all the same
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
