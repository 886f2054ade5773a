package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"twinlun/cim"
)

func (a *app) volumeCommand() *cobra.Command {
	return a.remote(parent("volume", "Volumes, and who may reach them",
		a.volumeCreate(), a.volumeList(), a.volumeShow(), a.volumeResize(), a.volumeDelete(),
		a.volumeImport(), a.volumeExport(), a.volumeExpose(), a.volumeHide()))
}

func (a *app) volumeCreate() *cobra.Command {
	var sizeText, pool string
	var export bool
	c := &cobra.Command{Use: "create NAME --size SIZE", Short: "Create a volume", Args: usageArgs(cobra.ExactArgs(1))}
	c.Flags().StringVar(&sizeText, "size", "", "size, such as 10GiB")
	c.Flags().StringVar(&pool, "pool", "", "pool to take the space from")
	c.Flags().BoolVar(&export, "export", false, "let all initiators reach it")
	c.RunE = a.with(func(ctx context.Context, s *session, args []string) error {
		v, err := s.createVolume(ctx, args[0], sizeText, pool)
		if err != nil {
			return err
		}
		if export {
			if _, err := s.exposeAs(ctx, v, nil, "", ""); err != nil {
				return fmt.Errorf("the volume was made, but initiators do not reach it: %w", err)
			}
		}
		return s.showVolume(ctx, v)
	})
	return c
}

// sizeFlag is the value of --size.
func sizeFlag(text string) (uint64, error) {
	if text == "" {
		return 0, usageError{errors.New("--size is needed")}
	}
	n, err := parseSize(text)
	if err != nil {
		return 0, usageError{fmt.Errorf("--size: %w", err)}
	}
	return n, nil
}

// createVolume makes a volume.
func (s *session) createVolume(ctx context.Context, name, sizeText, pool string) (*cim.Path, error) {
	n, err := sizeFlag(sizeText)
	if err != nil {
		return nil, err
	}
	in := []cim.Arg{arg("ElementName", name), arg("ElementType", 2), arg("Size", n)}
	if pool != "" {
		p, err := s.pool(ctx, pool)
		if err != nil {
			return nil, err
		}
		in = append(in, arg("InPool", p.Path))
	}
	reply, err := s.invoke(ctx, service(classStorageConf), "CreateOrModifyElementFromStoragePool", in...)
	if err != nil {
		return nil, err
	}
	made, ok := reply.Out.Get("TheElement").(*cim.Path)
	if !ok {
		return nil, errors.New("the server does not name the volume that it made")
	}
	return made, nil
}

// showVolume prints one volume.
func (s *session) showVolume(ctx context.Context, p *cim.Path) error {
	in, err := s.Get(ctx, p)
	if err != nil {
		return err
	}
	t := volumeTable()
	t.single = true
	volumeRow(t, in)
	return s.app.print(t)
}

func volumeTable() *table {
	return newTable("NAME", "SIZE", "ALLOCATED", "SHARED", "POOL", "TARGET", "HEALTH", "ID")
}

func volumeRow(t *table, in *cim.Instance) {
	bytes := num(in, "BlockSize") * num(in, "NumberOfBlocks")
	t.row(str(in, "ElementName"), size(bytes), size(num(in, "AllocatedSpace")), size(num(in, "SharedSpace")),
		str(in, "PoolName"), str(in, "TargetName"), named(in, "HealthState"), str(in, "DeviceID"))
}

func (a *app) volumeList() *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List volumes", Args: usageArgs(cobra.NoArgs)}
	c.RunE = a.with(func(ctx context.Context, s *session, _ []string) error {
		all, err := s.list(ctx, classVolume)
		if err != nil {
			return err
		}
		slices.SortFunc(all, byName("ElementName"))
		t := volumeTable()
		for _, in := range all {
			volumeRow(t, in)
		}
		return a.print(t)
	})
	return c
}

func (a *app) volumeShow() *cobra.Command {
	c := &cobra.Command{Use: "show NAME", Short: "Show a volume", Args: usageArgs(cobra.ExactArgs(1))}
	c.RunE = a.with(func(ctx context.Context, s *session, args []string) error {
		in, err := s.volume(ctx, args[0])
		if err != nil {
			return err
		}
		return s.showVolume(ctx, in.Path)
	})
	return c
}

func (a *app) volumeResize() *cobra.Command {
	var sizeText string
	var force bool
	c := &cobra.Command{
		Use: "resize NAME --size SIZE", Short: "Make a volume larger or smaller", Args: usageArgs(cobra.ExactArgs(1)),
		Long: "Make a volume larger, also while it is in use, or smaller, while it is in no relationship and not exposed.\n" +
			"Where a smaller size would take data away it is refused, and the message says where the data is. Shrink the filesystem first:\n" +
			"what lies beyond the new size is gone for good with --force, and reads as zeros if the volume grows again.",
	}
	c.Flags().StringVar(&sizeText, "size", "", "new size, such as 20GiB")
	c.Flags().BoolVar(&force, "force", false, "also where data is lost")
	c.RunE = a.with(func(ctx context.Context, s *session, args []string) error {
		n, err := sizeFlag(sizeText)
		if err != nil {
			return err
		}
		in, err := s.volume(ctx, args[0])
		if err != nil {
			return err
		}
		if force {
			_, err = s.invoke(ctx, service(classOwnStorageConf), "ResizeVolume", arg("TheElement", in.Path), arg("Size", n), arg("Force", true))
			return err
		}
		_, err = s.invoke(ctx, service(classStorageConf), "CreateOrModifyElementFromStoragePool", arg("TheElement", in.Path), arg("Size", n))
		return err
	})
	return c
}

func (a *app) volumeDelete() *cobra.Command {
	c := &cobra.Command{Use: "delete NAME...", Short: "Delete volumes and what is on them", Args: usageArgs(cobra.MinimumNArgs(1))}
	c.RunE = a.with(func(ctx context.Context, s *session, args []string) error {
		paths, err := s.volumes(ctx, args)
		if err != nil {
			return err
		}
		for i, p := range paths {
			if _, err := s.invoke(ctx, service(classStorageConf), "ReturnToStoragePool", arg("TheElement", p)); err != nil {
				return fmt.Errorf("%s: %w", args[i], err)
			}
		}
		return nil
	})
	return c
}
