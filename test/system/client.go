package system

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev/iscsi/initiator"
	"twinlun/cim"
	"twinlun/cim/mof"
	"twinlun/schemas"
	"twinlun/wsman/client"
)

// Namespace is where the storage classes are.
const Namespace = "root/cimv2/storage/iscsitarget"

var schema = sync.OnceValues(func() (*cim.Schema, error) { return mof.Load(schemas.Files()) })

// Schema is the schema that is served.
func Schema(t testing.TB) *cim.Schema {
	t.Helper()
	s, err := schema()
	require.NoError(t, err)
	return s
}

// Client is a WS-Man client of the daemon, as the user admin.
func (d *Daemon) Client() *client.Client {
	d.t.Helper()
	c, err := client.New(client.Config{
		URL: d.URL(), User: "admin", Password: d.Password(), Namespace: Namespace, Schema: Schema(d.t).Class,
	})
	require.NoError(d.t, err)
	d.t.Cleanup(c.Close)
	return c
}

// Invoke calls a method of the one instance of a class.
func (d *Daemon) Invoke(ctx context.Context, c *client.Client, class, method string, in ...cim.Arg) (*cim.Reply, error) {
	return c.Invoke(ctx, &cim.Call{Path: &cim.Path{Namespace: Namespace, Class: class}, Method: method, In: in})
}

// Arg is one argument of Invoke.
func Arg(name string, v cim.Value) cim.Arg { return cim.Arg{Name: name, Value: v} }

// List reads all instances of a class.
func List(ctx context.Context, c *client.Client, class string) ([]*cim.Instance, error) {
	var all []*cim.Instance
	err := c.Enumerate(ctx, Namespace, class, func(in *cim.Instance) error {
		all = append(all, in)
		return nil
	})
	return all, err
}

// Volumes maps the names of all volumes to their paths.
func Volumes(ctx context.Context, c *client.Client) (map[string]*cim.Path, error) {
	all, err := List(ctx, c, "CIM_StorageVolume")
	paths := map[string]*cim.Path{}
	for _, in := range all {
		name, _ := in.Get("ElementName").(string)
		paths[name] = in.Path
	}
	return paths, err
}

// Disk logs in to the target of a volume.
func (d *Daemon) Disk(ctx context.Context, volume string) (*initiator.Disk, error) {
	return initiator.Dial(ctx, d.ISCSI, IQN(volume), initiator.Options{})
}
