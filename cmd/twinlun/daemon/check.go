package daemon

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"regexp"
	"strconv"
)

// Check says what is wrong with c, by the name of the setting in the file, and
// completes it: the data dir becomes absolute, and there is at least one pool.
func (c *Config) Check() error {
	if c.DataDir == "" {
		return errors.New("data_dir is empty")
	}
	dir, err := filepath.Abs(c.DataDir)
	if err != nil {
		return fmt.Errorf("data_dir: %w", err)
	}
	c.DataDir = dir
	for _, check := range []func() error{c.checkAddresses, c.checkIQN, c.checkTLS, c.checkLog, c.checkPools, destinations(c.EventDestinations).check} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (c *Config) checkAddresses() error {
	for _, s := range c.services() {
		if s.addr == Off {
			continue
		}
		_, port, err := net.SplitHostPort(s.addr)
		if err != nil {
			return fmt.Errorf("%s: %q is not HOST:PORT and not %q", s.setting, s.addr, Off)
		}
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return fmt.Errorf("%s: %q: the port is not a number from 0 to 65535", s.setting, s.addr)
		}
	}
	return nil
}

// iqnPrefix is the naming authority of an iSCSI name (RFC 7143 section 4.2.7.4).
const iqnPrefix = `^iqn\.[0-9]{4}-(0[1-9]|1[0-2])\.[a-z0-9]([a-z0-9.-]*[a-z0-9])?$`

// maxIQNPrefix leaves room for the names of volumes.
const maxIQNPrefix = 150

func (c *Config) checkIQN() error {
	if ok, err := regexp.MatchString(iqnPrefix, c.IQNPrefix); err != nil || !ok || len(c.IQNPrefix) > maxIQNPrefix {
		return fmt.Errorf("iqn_prefix: %q is not of the form iqn.YYYY-MM.reversed.domain", c.IQNPrefix)
	}
	return nil
}

func (c *Config) checkTLS() error {
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return errors.New("tls_cert and tls_key go together")
	}
	return nil
}

func (c *Config) checkLog() error {
	if _, err := logLevel(c.LogLevel); err != nil {
		return err
	}
	return checkLogFormat(c.LogFormat)
}
