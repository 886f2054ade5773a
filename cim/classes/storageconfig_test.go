package classes

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev/pool"
	"twinlun/cim"
	"twinlun/replication"
)

const createOrModifyName = "CreateOrModifyElementFromStoragePool"

func TestCreateVolume(t *testing.T) {
	s := newSystem(t)
	r := s.invoke(classStorageConfigSvc, createOrModifyName, arg("ElementName", "new"), arg("ElementType", 5), arg("Size", 1<<20+1),
		arg("InPool", poolPath("slow")), arg("Goal", byInstanceID(classStorageSetting, "TWINLUN:setting:thin")))
	require.Equal(t, uint64(0), r.Return, r.Reason)
	require.Equal(t, uint64(1<<20+512), r.Out.Get("Size"), "rounded up")
	in, err := s.Get(admin(), r.Out.Get("TheElement").(*cim.Path))
	require.NoError(t, err)
	require.Equal(t, "slow", in.Get("PoolName"))
	made := s.volumes[len(s.volumes)-1]
	require.Equal(t, map[string]string{"setting": "thin"}, made.Labels)
	require.Equal(t, "new", made.Name)

	for _, want := range []string{"volume-1", "volume-2"} {
		s.invoke(classStorageConfigSvc, createOrModifyName, arg("Size", 512))
		made = s.volumes[len(s.volumes)-1]
		require.Equal(t, want, made.Name, "a name of the system's")
		require.Equal(t, "fast", made.Pool, "the default pool")
	}
}

// rival takes each made-up name before it can be used, a few times.
type rival struct {
	*fake
	left int
}

func (r *rival) CreateVolume(ctx context.Context, in string, s pool.Spec) (pool.Volume, error) {
	if r.left--; r.left >= 0 {
		if _, err := r.fake.CreateVolume(ctx, in, s); err != nil {
			return pool.Volume{}, err
		}
	}
	return r.fake.CreateVolume(ctx, in, s)
}

func TestCreateVolumeWithARival(t *testing.T) {
	for left, code := range map[int]uint64{3: 0, 100: 5} {
		s := newSystem(t)
		c := testConfig(t, s.fake)
		c.Volumes = &rival{s.fake, left}
		s.Broker = brokerOf(t, c)
		require.Equal(t, code, s.invoke(classStorageConfigSvc, createOrModifyName, arg("Size", 512)).Return)
	}
}

func TestModifyVolume(t *testing.T) {
	s := newSystem(t)
	r := s.invoke(classStorageConfigSvc, createOrModifyName, arg("TheElement", s.vol(1)), arg("Size", 2<<30), arg("ElementName", "bigger"),
		arg("InPool", poolPath("fast")), arg("Goal", byInstanceID(classStorageSetting, "TWINLUN:setting:thin")))
	require.Equal(t, uint64(0), r.Return, r.Reason)
	require.Equal(t, uint64(2<<30), r.Out.Get("Size"))
	require.True(t, cim.Equal(s.vol(1), r.Out.Get("TheElement")))
	require.Equal(t, "bigger", s.volumes[0].Name)
	require.Equal(t, map[string]string{"setting": "thin"}, s.volumes[0].Labels)

	r = s.invoke(classStorageConfigSvc, createOrModifyName, arg("TheElement", s.vol(6)))
	require.Equal(t, uint64(0), r.Return)
	require.Equal(t, newFake().volumes[5], s.volumes[5], "nothing was asked for")
}

func TestVolumeMethodsRefuse(t *testing.T) {
	good := []cim.Arg{arg("ElementName", "new"), arg("Size", 4096)}
	refuses(t, classStorageConfigSvc, createOrModifyName, good, []refusal{
		{"no size", []cim.Arg{arg("Size", nil)}, 5, "Size: "},
		{"size 0", []cim.Arg{arg("Size", 0)}, 5, "Size: "},
		{"size beyond all", []cim.Arg{arg("Size", uint64(1)<<63)}, 5, "Size: "},
		{"type unknown", []cim.Arg{arg("ElementType", 0)}, 5, "ElementType: "},
		{"type reserved", []cim.Arg{arg("ElementType", 9)}, 5, "ElementType: "},
		{"type logical disk", []cim.Arg{arg("ElementType", 4)}, 1, "ElementType: "},
		{"type full volume", []cim.Arg{arg("ElementType", 7)}, 1, "ElementType: "},
		{"type of a vendor", []cim.Arg{arg("ElementType", 0x8000)}, 1, "ElementType: "},
		{"unknown pool", []cim.Arg{arg("InPool", poolPath("x"))}, 5, "InPool: "},
		{"unknown goal", []cim.Arg{arg("Goal", poolPath("fast"))}, 5, "Goal: "},
		{"name in use", []cim.Arg{arg("ElementName", "DB")}, 5, "ElementName: "},
	}, "UpdateVolume")
	refuses(t, classStorageConfigSvc, createOrModifyName, []cim.Arg{arg("TheElement", plainVol(1))}, []refusal{
		{"unknown", []cim.Arg{arg("TheElement", plainVol(77))}, 5, "TheElement: "},
		{"not a volume", []cim.Arg{arg("TheElement", poolPath("fast"))}, 5, "TheElement: "},
		{"to size 0", []cim.Arg{arg("Size", 0)}, 5, "Size: "},
		{"to another pool", []cim.Arg{arg("InPool", poolPath("slow"))}, 5, "InPool: "},
		{"to less", []cim.Arg{arg("Size", 512)}, 5, "Size: "},
	}, "CreateVolume")
	refuses(t, classStorageConfigSvc, "ReturnToStoragePool", []cim.Arg{arg("TheElement", plainVol(1))}, []refusal{
		{"nothing", []cim.Arg{arg("TheElement", nil)}, 5, "TheElement: "},
		{"unknown", []cim.Arg{arg("TheElement", plainVol(77))}, 5, "TheElement: "},
	}, "DeleteVolume")
}

func TestReturnToStoragePool(t *testing.T) {
	s := newSystem(t)
	s.fails = map[string]error{"DeleteVolume": replication.Errorf(replication.KindInUse, "TheElement", "exposed")}
	r := s.invoke(classStorageConfigSvc, "ReturnToStoragePool", arg("TheElement", s.vol(1)))
	require.Equal(t, &cim.Reply{Return: uint64(6), Out: cim.Args{}, Reason: "TheElement: exposed"}, r)
	s.fails = nil
	require.Equal(t, uint64(0), s.invoke(classStorageConfigSvc, "ReturnToStoragePool", arg("TheElement", s.vol(1))).Return)
	require.Len(t, s.volumes, 5)
}
