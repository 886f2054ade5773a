// Package daemon wires the parts of Twinlun together and runs them.
package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// DefaultConfigFile is read when it is there and no other file is named.
const DefaultConfigFile = "/etc/twinlun/twinlun.yaml"

// Off as a listening address turns the listener off.
const Off = "off"

// Config is everything that an administrator can set. A value comes from its
// flag, else from its TWINLUN_ variable, else from the file, else the default.
type Config struct {
	DataDir  string `yaml:"data_dir"`  // where everything is kept
	WSMan    string `yaml:"wsman"`     // HOST:PORT of WS-Man over HTTP
	WSManTLS string `yaml:"wsman_tls"` // HOST:PORT of WS-Man over HTTPS
	ISCSI    string `yaml:"iscsi"`     // HOST:PORT of the iSCSI portal
	Metrics  string `yaml:"metrics"`   // HOST:PORT of /metrics, /healthz, /readyz
	// IQNPrefix starts the name of every target, without the colon.
	IQNPrefix string `yaml:"iqn_prefix"`
	// AllowUnencrypted accepts Basic without TLS from other machines too.
	AllowUnencrypted bool `yaml:"allow_unencrypted"`
	// TLSCert and TLSKey are PEM files; empty: the self-signed certificate
	// in the data dir.
	TLSCert string `yaml:"tls_cert"`
	TLSKey  string `yaml:"tls_key"`
	// LogLevel is debug, info, warn or error; LogFormat text, json or auto
	// (text on a terminal).
	LogLevel  string `yaml:"log_level"`
	LogFormat string `yaml:"log_format"`
	// Pools are the places that hold volumes; the first is the default. None:
	// one named "default" in the data dir.
	Pools []PoolConfig `yaml:"pools"`
}

// PoolConfig is one pool: a folder on some filesystem.
type PoolConfig struct {
	Name string `yaml:"name"`
	Path string `yaml:"path"`
}

// Defaults is the configuration of a daemon that was told nothing.
func Defaults() Config {
	return Config{
		DataDir: "/var/lib/twinlun", WSMan: ":5985", WSManTLS: ":5986", ISCSI: ":3260", Metrics: "127.0.0.1:9985",
		IQNPrefix: "iqn.2026-11.dev.twinlun", LogLevel: "info", LogFormat: "auto",
	}
}

// LoadFile reads a YAML file over c. A key that is not known is an error that
// names its line. Without a name the default file is read if it is there.
func (c *Config) LoadFile(name string) error {
	optional := name == ""
	if optional {
		name = DefaultConfigFile
	}
	f, err := os.Open(name)
	if optional && errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	dec := yaml.NewDecoder(f)
	dec.KnownFields(true)
	if err := dec.Decode(c); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// settings are the scalar values by the name that flags and variables give them.
func (c *Config) settings() map[string]*string {
	return map[string]*string{
		"data-dir": &c.DataDir, "wsman": &c.WSMan, "wsman-tls": &c.WSManTLS, "iscsi": &c.ISCSI, "metrics": &c.Metrics,
		"iqn-prefix": &c.IQNPrefix, "tls-cert": &c.TLSCert, "tls-key": &c.TLSKey, "log-level": &c.LogLevel, "log-format": &c.LogFormat,
	}
}

// Set gives a setting its value by the name of its flag.
func (c *Config) Set(name, value string) error {
	if name == "allow-unencrypted" {
		b, err := strconv.ParseBool(value)
		if err != nil {
			return fmt.Errorf("%s: %q is neither true nor false", name, value)
		}
		c.AllowUnencrypted = b
		return nil
	}
	p := c.settings()[name]
	if p == nil {
		return fmt.Errorf("there is no setting %q", name)
	}
	*p = value
	return nil
}

// SettingNames lists what Set understands, as flags are written.
func SettingNames() []string {
	return []string{
		"data-dir", "wsman", "wsman-tls", "iscsi", "metrics", "iqn-prefix", "allow-unencrypted",
		"tls-cert", "tls-key", "log-level", "log-format",
	}
}

// LoadEnv takes the values of TWINLUN_ variables over c.
func (c *Config) LoadEnv(lookup func(string) (string, bool)) error {
	for _, name := range SettingNames() {
		variable := "TWINLUN_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
		v, ok := lookup(variable)
		if !ok {
			continue
		}
		if err := c.Set(name, v); err != nil {
			return fmt.Errorf("%s: %w", variable, err)
		}
	}
	return nil
}

// Check says what is wrong with c, by the name of the setting, and completes it.
func (c *Config) Check() error {
	for name, addr := range map[string]string{"wsman": c.WSMan, "wsman_tls": c.WSManTLS, "iscsi": c.ISCSI, "metrics": c.Metrics} {
		if addr == Off {
			continue
		}
		if _, _, err := net.SplitHostPort(addr); err != nil {
			return fmt.Errorf("%s: %q is not HOST:PORT and not %q", name, addr, Off)
		}
	}
	if c.DataDir == "" {
		return errors.New("data_dir is empty")
	}
	if !strings.HasPrefix(c.IQNPrefix, "iqn.") || c.IQNPrefix != strings.ToLower(c.IQNPrefix) || strings.ContainsAny(c.IQNPrefix, ": ") {
		return fmt.Errorf("iqn_prefix: %q is not of the form iqn.YYYY-MM.reversed.domain", c.IQNPrefix)
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return errors.New("tls_cert and tls_key go together")
	}
	return c.checkPools()
}

func (c *Config) checkPools() error {
	if len(c.Pools) == 0 {
		c.Pools = []PoolConfig{{Name: "default", Path: filepath.Join(c.DataDir, "pools", "default")}}
	}
	names, paths := map[string]bool{}, map[string]bool{}
	for i, p := range c.Pools {
		name, path := strings.ToLower(p.Name), filepath.Clean(p.Path)
		switch {
		case p.Name == "" || strings.ContainsAny(p.Name, "/ :"):
			return fmt.Errorf("pools[%d]: %q cannot be the name of a pool", i, p.Name)
		case !filepath.IsAbs(p.Path):
			return fmt.Errorf("pools[%d]: path %q is not absolute", i, p.Path)
		case names[name] || paths[path]:
			return fmt.Errorf("pools[%d]: name %q or path %q is used twice", i, p.Name, p.Path)
		}
		names[name], paths[path] = true, true
	}
	return nil
}
