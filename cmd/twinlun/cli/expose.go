package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"twinlun/cim"
)

func (a *app) volumeExpose() *cobra.Command {
	var initiators []string
	var user, secretFile string
	c := &cobra.Command{
		Use: "expose NAME", Short: "Let initiators reach a volume", Args: usageArgs(cobra.ExactArgs(1)),
		Long: "Let initiators reach a volume over iSCSI, as LUN 0 of a target of its own. Without --initiator all may log in.",
	}
	c.Flags().StringArrayVar(&initiators, "initiator", nil, "iSCSI name of an initiator that may log in (can be repeated)")
	c.Flags().StringVar(&user, "chap", "", "user that initiators must log in as")
	c.Flags().StringVar(&secretFile, "chap-secret-file", "", "file that holds that user's secret, 12 to 255 bytes")
	c.RunE = a.with(func(ctx context.Context, s *session, args []string) error {
		if (user == "") != (secretFile == "") {
			return usageError{fmt.Errorf("--chap and --chap-secret-file go together")}
		}
		var secret string
		if secretFile != "" {
			var err error
			if secret, err = readSecret(secretFile); err != nil {
				return usageError{fmt.Errorf("--chap-secret-file: %w", err)}
			}
		}
		v, err := s.volume(ctx, args[0])
		if err != nil {
			return err
		}
		return s.expose(ctx, v.Path, initiators, user, secret)
	})
	return c
}

// expose lets initiators reach a volume and prints the target's name.
func (s *session) expose(ctx context.Context, volume *cim.Path, initiators []string, user, secret string) error {
	target, err := s.exposeAs(ctx, volume, initiators, user, secret)
	if err != nil {
		return err
	}
	t := newTable("TARGET", "LUN")
	t.row(target, 0)
	return s.app.print(t)
}

// exposeAs lets initiators reach a volume and returns the target's name.
func (s *session) exposeAs(ctx context.Context, volume *cim.Path, initiators []string, user, secret string) (string, error) {
	in := []cim.Arg{arg("Volume", volume)}
	if len(initiators) > 0 {
		in = append(in, arg("InitiatorPortIDs", initiators))
	}
	if user != "" {
		in = append(in, arg("ChapUser", user), arg("ChapSecret", secret))
	}
	reply, err := s.invoke(ctx, service(classExposureConf), "ExposeVolume", in...)
	if err != nil {
		return "", err
	}
	target, _ := reply.Out.Get("TargetName").(string)
	return target, nil
}

func (a *app) volumeHide() *cobra.Command {
	var initiators []string
	c := &cobra.Command{
		Use: "hide NAME", Short: "Take a volume away from initiators", Args: usageArgs(cobra.ExactArgs(1)),
		Long: "Take a volume away from the initiators named, or without --initiator from all.",
	}
	c.Flags().StringArrayVar(&initiators, "initiator", nil, "iSCSI name of an initiator that may no longer log in (can be repeated)")
	c.RunE = a.with(func(ctx context.Context, s *session, args []string) error {
		v, err := s.volume(ctx, args[0])
		if err != nil {
			return err
		}
		return s.hide(ctx, v.Path, initiators)
	})
	return c
}

func (s *session) hide(ctx context.Context, volume *cim.Path, initiators []string) error {
	in := []cim.Arg{arg("Volume", volume)}
	if len(initiators) > 0 {
		in = append(in, arg("InitiatorPortIDs", initiators))
	}
	_, err := s.invoke(ctx, service(classExposureConf), "HideVolume", in...)
	return err
}
