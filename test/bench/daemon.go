package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"twinlun/cim"
	"twinlun/cim/mof"
	"twinlun/schemas"
	"twinlun/wsman/client"
)

// admin is the user of a new data dir.
const admin = "admin"

// namespace is where the storage classes are.
const namespace = "root/cimv2/storage/iscsitarget"

// daemon is a running twinlun with a data dir of its own.
type daemon struct {
	*process
	*client.Client
	wsman, iscsi string // HOST:PORT
	dataDir      string
	password     string        // of admin
	started      time.Duration // until it answered
}

// withDaemon runs f beside a daemon that is stopped afterwards. dir is a folder of its
// own, which is removed, and has the data dir in "data".
func (l *lab) withDaemon(ctx context.Context, parent, name string, f func(d *daemon, dir string) error) error {
	dir, err := inDir(parent, name)
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	d, err := startDaemon(ctx, l, filepath.Join(dir, "data"))
	if err != nil {
		return err
	}
	return errors.Join(f(d, dir), d.stop())
}

// served is a daemon that serves a volume.
type served struct {
	*daemon
	unit   *unit
	volume *cim.Path
	dir    string
	image  string // a file with the bytes of the volume
}

// withServed runs f beside a daemon that serves a volume of that many bytes, full of
// bytes that do not compress.
func (l *lab) withServed(ctx context.Context, parent, name string, size int64, f func(s *served) error) error {
	return l.withDaemon(ctx, parent, name, func(d *daemon, dir string) error {
		s := &served{daemon: d, dir: dir, image: filepath.Join(dir, "image")}
		err := fill(s.image, size)
		if err == nil {
			s.unit, err = d.serve(ctx, name, s.image, size)
		}
		if err != nil {
			return err
		}
		defer s.unit.disk.Close()
		if s.volume, err = d.named(ctx, name); err != nil {
			return err
		}
		return f(s)
	})
}

// startDaemon runs twinlun on a data dir and waits until it is ready.
func startDaemon(ctx context.Context, l *lab, dataDir string) (*daemon, error) {
	schema, err := mof.Load(schemas.Files())
	if err != nil {
		return nil, err
	}
	begun := time.Now()
	p, err := start(dataDir+".log", l.binary, "serve", "--data-dir", dataDir, "--log-format", "json",
		"--wsman", "127.0.0.1:0", "--wsman-tls", "off", "--iscsi", "127.0.0.1:0", "--metrics", "off")
	if err != nil {
		return nil, err
	}
	d := &daemon{process: p, dataDir: dataDir}
	if err := d.connect(ctx, dataDir, schema.Class); err != nil {
		return nil, errors.Join(err, d.stop())
	}
	d.started = time.Since(begun)
	return d, nil
}

// connect waits until the daemon answers.
func (d *daemon) connect(ctx context.Context, dataDir string, schema func(name string) *cim.Class) error {
	err := until(ctx, 2*time.Minute, d.ready)
	if err != nil {
		return err
	}
	secret, err := os.ReadFile(filepath.Join(dataDir, "initial-admin-password"))
	if err != nil {
		return err
	}
	d.password = strings.TrimSpace(string(secret))
	d.Client, err = client.New(client.Config{
		URL: d.url(), User: admin, Password: d.password, Namespace: namespace, Schema: schema,
		HTTPClient: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 32}},
	})
	if err != nil {
		return err
	}
	_, err = d.Identify(ctx)
	return err
}

func (d *daemon) url() string { return "http://" + d.wsman + "/wsman" }

// ready reads the addresses from the log until it says that the daemon serves.
func (d *daemon) ready() (bool, error) {
	text, err := os.ReadFile(d.log)
	if err != nil {
		return false, err
	}
	ready := false
	for line := range strings.Lines(string(text)) {
		var e struct{ Msg, Service, Address string }
		if json.Unmarshal([]byte(line), &e) != nil {
			continue
		}
		switch e.Service {
		case "wsman":
			d.wsman = e.Address
		case "iscsi":
			d.iscsi = e.Address
		}
		ready = ready || e.Msg == "ready"
	}
	return ready, nil
}

// invoke calls a method of the sole instance of a class and takes 0 and 4096
// for success.
func (d *daemon) invoke(ctx context.Context, class, method string, in ...cim.Arg) (*cim.Reply, error) {
	r, err := d.Invoke(ctx, &cim.Call{Path: &cim.Path{Namespace: namespace, Class: class}, Method: method, In: in})
	if err != nil {
		return nil, err
	}
	if code, ok := r.Return.(uint64); !ok || code != 0 && code != 4096 {
		return nil, fmt.Errorf("%s returned %v: %s", method, r.Return, r.Reason)
	}
	return r, nil
}

func arg(name string, v cim.Value) cim.Arg { return cim.Arg{Name: name, Value: v} }

// createVolume makes a volume of that many bytes.
func (d *daemon) createVolume(ctx context.Context, name string, size int64) (*cim.Path, error) {
	r, err := d.invoke(ctx, "CIM_StorageConfigurationService", "CreateOrModifyElementFromStoragePool",
		arg("ElementName", name), arg("ElementType", uint64(2)), arg("Size", uint64(size)))
	if err != nil {
		return nil, err
	}
	made, ok := r.Out.Get("TheElement").(*cim.Path)
	if !ok {
		return nil, fmt.Errorf("no volume came back for %s", name)
	}
	return made, nil
}

// expose lets initiators reach a volume and gives the name of its target.
func (d *daemon) expose(ctx context.Context, volume *cim.Path) (string, error) {
	r, err := d.invoke(ctx, "TWINLUN_ControllerConfigurationService", "ExposeVolume", arg("Volume", volume))
	if err != nil {
		return "", err
	}
	name, _ := r.Out.Get("TargetName").(string)
	return name, nil
}

func (d *daemon) hide(ctx context.Context, volume *cim.Path) error {
	_, err := d.invoke(ctx, "TWINLUN_ControllerConfigurationService", "HideVolume", arg("Volume", volume))
	return err
}

func (d *daemon) deleteVolume(ctx context.Context, volume *cim.Path) error {
	_, err := d.invoke(ctx, "CIM_StorageConfigurationService", "ReturnToStoragePool", arg("TheElement", volume))
	return err
}

// finish waits until a job has ended well.
func (d *daemon) finish(ctx context.Context, job *cim.Path) error {
	return until(ctx, 5*time.Minute, func() (bool, error) {
		in, err := d.Get(ctx, job)
		if err != nil {
			return false, err
		}
		state, _ := in.Get("JobState").(uint64)
		if state > 7 {
			return false, fmt.Errorf("the job ended in state %d: %v", state, in.Get("ErrorDescription"))
		}
		return state == 7, nil
	})
}
