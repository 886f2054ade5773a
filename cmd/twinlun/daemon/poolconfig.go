package daemon

import (
	"fmt"
	"path/filepath"
	"strings"

	"twinlun/blockdev/pool"
	"twinlun/cim/classes"
	"twinlun/cmd/twinlun/units"
)

// PoolConfig is one pool: a folder on some filesystem. Sizes are as people write them,
// such as 64MiB; what is not given has its default.
type PoolConfig struct {
	Name string `yaml:"name"`
	// Path is absolute; empty: pools/NAME in the data dir.
	Path string `yaml:"path"`
	// Checksums are made of what snapshots and clones share; default true.
	Checksums *bool `yaml:"checksums"`
	// VerifyReads compares what is read of snapshots and clones with its sums.
	VerifyReads bool `yaml:"verify_reads"`
	// DetectZeros makes writes of zeros take no space.
	DetectZeros bool `yaml:"detect_zeros"`
	// MergeRate is how much is copied in a second to give space back after a
	// delete; 0: no limit; default 256MiB.
	MergeRate string `yaml:"merge_rate"`
	// Reserve is the space that volumes leave free; default 64MiB, or 1 % of a
	// smaller filesystem.
	Reserve string `yaml:"reserve"`
	// MaxProvisioned limits the sum of the volumes' sizes; 0 and default: no limit.
	MaxProvisioned string `yaml:"max_provisioned"`
	// WarnAt and AlarmAt are how many percent of the space are used when alerts are
	// raised; default 80 and 90.
	WarnAt  *int `yaml:"warn_at"`
	AlarmAt *int `yaml:"alarm_at"`
}

// Defaults of WarnAt and AlarmAt.
const (
	defaultWarnAt  = 80
	defaultAlarmAt = 90
)

// setting names one setting of the pool at place i of the list.
func (p PoolConfig) setting(i int, key string) string { return fmt.Sprintf("pools[%d].%s", i, key) }

// check says what is wrong with the settings of the pool at place i of the list.
func (p PoolConfig) check(i int) error {
	for _, s := range []struct{ key, value string }{
		{"merge_rate", p.MergeRate}, {"reserve", p.Reserve}, {"max_provisioned", p.MaxProvisioned},
	} {
		if _, err := sizeOf(s.value); err != nil {
			return fmt.Errorf("%s: %w", p.setting(i, s.key), err)
		}
	}
	if p.VerifyReads && !p.checksums() {
		return fmt.Errorf("%s needs checksums, which are turned off", p.setting(i, "verify_reads"))
	}
	warn, alarm := p.levels()
	for key, percent := range map[string]int{"warn_at": warn, "alarm_at": alarm} {
		if percent < 1 || percent > 99 {
			return fmt.Errorf("%s: %d is not a percentage from 1 to 99", p.setting(i, key), percent)
		}
	}
	if warn >= alarm {
		return fmt.Errorf("%s: %d must be less than alarm_at, which is %d", p.setting(i, "warn_at"), warn, alarm)
	}
	return nil
}

// sizeOf reads a size; what is not given is 0, and a 0 that is given is -1.
func sizeOf(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	n, err := units.ParseSize(text)
	if n == 0 && err == nil {
		return -1, nil
	}
	return int64(n), err
}

// size is sizeOf of what check has seen.
func size(text string) int64 {
	n, _ := sizeOf(text)
	return n
}

func (p PoolConfig) checksums() bool { return p.Checksums == nil || *p.Checksums }

func (p PoolConfig) levels() (warn, alarm int) {
	warn, alarm = defaultWarnAt, defaultAlarmAt
	if p.WarnAt != nil {
		warn = *p.WarnAt
	}
	if p.AlarmAt != nil {
		alarm = *p.AlarmAt
	}
	return warn, alarm
}

// open is what the pool is opened with, without the services that it needs.
func (p PoolConfig) open() pool.Config {
	return pool.Config{
		Dir: p.Path, Name: p.Name, Checksums: p.checksums(), VerifyReads: p.VerifyReads, DetectZeros: p.DetectZeros,
		MergeRate: size(p.MergeRate), Reserve: size(p.Reserve), MaxProvisioned: max(0, size(p.MaxProvisioned)),
	}
}

// checkPools checks the list of pools and completes it.
func (c *Config) checkPools() error {
	if len(c.Pools) == 0 {
		c.Pools = []PoolConfig{{Name: "default"}}
	}
	names, paths := map[string]bool{}, map[string]bool{}
	for i := range c.Pools {
		p := &c.Pools[i]
		if pool.ValidName(p.Name) != nil || strings.ContainsAny(p.Name, "/:@") {
			return fmt.Errorf("pools[%d]: %q cannot be the name of a pool", i, p.Name)
		}
		if p.Path == "" {
			p.Path = filepath.Join(c.DataDir, "pools", p.Name)
		}
		name, path := strings.ToLower(p.Name), filepath.Clean(p.Path)
		switch {
		case !filepath.IsAbs(p.Path):
			return fmt.Errorf("pools[%d]: path %q is not absolute", i, p.Path)
		case names[name]:
			return fmt.Errorf("pools[%d]: the name %q is used twice", i, p.Name)
		case paths[path]:
			return fmt.Errorf("pools[%d]: the path %q is used twice", i, p.Path)
		}
		if err := p.check(i); err != nil {
			return err
		}
		names[name], paths[path] = true, true
	}
	return nil
}

// spaceLevels are the alarm levels of the pools.
func (c *Config) spaceLevels() map[string][]classes.SpaceLevel {
	all := map[string][]classes.SpaceLevel{}
	for _, p := range c.Pools {
		all[p.Name] = classes.SpaceLevels(p.levels())
	}
	return all
}
