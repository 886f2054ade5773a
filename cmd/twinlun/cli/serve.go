package cli

import (
	"context"
	"errors"
	"os"

	"github.com/spf13/cobra"

	"twinlun/cmd/twinlun/daemon"
)

func (a *app) serveCommand() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use: "serve", Short: "Run the daemon", Args: usageArgs(cobra.NoArgs),
		Long: "Run the daemon. A setting comes from its flag, else from its variable (--data-dir is TWINLUN_DATA_DIR), else from the file.\nAn address of \"off\" turns a listener off.",
	}
	flags := c.Flags()
	flags.StringVar(&file, "config", "", "YAML file of settings (default "+daemon.DefaultConfigFile+" if it is there)")
	usage := map[string]string{
		"data-dir": "folder that everything is kept in", "wsman": "HOST:PORT of WS-Man over HTTP",
		"wsman-tls": "HOST:PORT of WS-Man over HTTPS", "iscsi": "HOST:PORT of the iSCSI portal",
		"metrics": "HOST:PORT of /metrics, /healthz and /readyz", "iqn-prefix": "start of the name of every target",
		"allow-unencrypted": "accept passwords without TLS from other machines too (true or false)",
		"tls-cert":          "PEM file of the certificate (default: self-signed, in the data dir)", "tls-key": "PEM file of its key",
		"log-level": "debug, info, warn or error", "log-format": "text, json, or auto (text on a terminal)",
	}
	for _, name := range daemon.SettingNames() {
		flags.String(name, "", usage[name])
	}
	flags.Lookup("allow-unencrypted").NoOptDefVal = "true"
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := loadConfig(cmd, file)
		if err != nil {
			return usageError{err}
		}
		return a.serve(cmd.Context(), cfg)
	}
	return c
}

// loadConfig reads the file, then the variables, then the flags.
func loadConfig(cmd *cobra.Command, file string) (daemon.Config, error) {
	cfg := daemon.Defaults()
	if err := cfg.LoadFile(file); err != nil {
		return cfg, err
	}
	if err := cfg.LoadEnv(os.LookupEnv); err != nil {
		return cfg, err
	}
	for _, name := range daemon.SettingNames() {
		if f := cmd.Flags().Lookup(name); f.Changed {
			if err := cfg.Set(name, f.Value.String()); err != nil {
				return cfg, err
			}
		}
	}
	return cfg, cfg.Check()
}

func (a *app) serve(ctx context.Context, cfg daemon.Config) error {
	log, audit, err := daemon.NewLoggers(a.Err, cfg.LogLevel, cfg.LogFormat)
	if err != nil {
		return usageError{err}
	}
	d, err := daemon.Open(ctx, cfg, daemon.Options{Version: a.version, Log: log, Audit: audit, Notices: a.Err, Users: a.hash})
	if err != nil {
		return err
	}
	err = d.Serve(ctx)
	return errors.Join(err, d.Close())
}
