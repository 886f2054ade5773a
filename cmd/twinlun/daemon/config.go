// Package daemon wires the parts of Twinlun together and runs them.
package daemon

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
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
	// EventDestinations are the hosts that events may be sent to: names, addresses
	// and prefixes such as 10.0.0.0/8. None: all, for those who are operators.
	EventDestinations []string `yaml:"event_destinations"`
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
	if err := c.decode(f); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// maxConfigFile bounds the configuration file, in bytes.
const maxConfigFile = 1 << 20

// decode reads one YAML document over c; an empty one changes nothing.
func (c *Config) decode(r io.Reader) error {
	data, err := io.ReadAll(io.LimitReader(r, maxConfigFile+1))
	if err != nil {
		return err
	}
	if len(data) > maxConfigFile {
		return fmt.Errorf("larger than %d bytes", maxConfigFile)
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	err = dec.Decode(c)
	if e, ok := errors.AsType[*yaml.TypeError](err); ok {
		return errors.New(strings.Join(e.Errors, "; "))
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if err := dec.Decode(&struct{}{}); !errors.Is(err, io.EOF) {
		return errors.New("more than one YAML document")
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
