package classes

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/export"
	"twinlun/cim"
)

func TestExposeAndHideVolume(t *testing.T) {
	s := newSystem(t)
	r := s.invoke(classControllerConfSvc, "ExposeVolume", arg("Volume", s.vol(3)), arg("InitiatorPortIDs", []string{"iqn.a:1", "iqn.b:2"}),
		arg("ChapUser", "hans"), arg("ChapSecret", "twelve bytes"), arg("ReadOnly", true))
	require.Equal(t, uint64(0), r.Return, r.Reason)
	want := export.Request{Volume: exportRef(volRef("fast", 3)), Initiators: []string{"iqn.a:1", "iqn.b:2"}, User: "hans", Secret: "twelve bytes", ReadOnly: true}
	require.Equal(t, []export.Request{want}, s.exposed)
	in, err := s.Get(admin(), r.Out.Get("ProtocolController").(*cim.Path))
	require.NoError(t, err)
	require.Equal(t, r.Out.Get("TargetName"), in.Get("TargetName"))
	for _, other := range s.instances("CIM_ManagedElement") {
		for _, p := range other.Class.Properties {
			require.NotEqual(t, "twelve bytes", other.At(p.Index), "the secret is never shown")
		}
	}
	require.Equal(t, uint64(0), s.invoke(classControllerConfSvc, "HideVolume", arg("Volume", s.vol(3)), arg("InitiatorPortIDs", "iqn.a:1")).Return)
	require.Equal(t, []string{"iqn.b:2"}, s.exports[2].Initiators)
	require.Equal(t, uint64(0), s.invoke(classControllerConfSvc, "HideVolume", arg("Volume", s.vol(3))).Return)
	require.Len(t, s.exports, 2)

	unknown := []refusal{
		{"nothing", []cim.Arg{arg("Volume", nil)}, 5, "Volume: "},
		{"unknown", []cim.Arg{arg("Volume", plainVol(77))}, 5, "Volume: "},
	}
	refuses(t, classControllerConfSvc, "ExposeVolume", nil, unknown, "Expose")
	refuses(t, classControllerConfSvc, "HideVolume", []cim.Arg{arg("Volume", plainVol(5))},
		append(unknown, refusal{"not exposed", nil, 5, "hide: not found"}), "Expose")

	s.fails = map[string]error{"Expose": blockdev.Wrap(blockdev.KindNoSpace, "expose", errSecret)}
	r = s.invoke(classControllerConfSvc, "ExposeVolume", arg("Volume", s.vol(3)))
	require.Equal(t, &cim.Reply{Return: uint64(4), Out: cim.Args{}, Reason: "expose: no space"}, r)
}

func names(n ...int) (list []string) {
	for _, i := range n {
		list = append(list, naaName(volumeIDOf(i)))
	}
	return list
}

func TestExposePaths(t *testing.T) {
	s := newSystem(t)
	lun := names(3)
	lun = append(lun, strings.ToLower(names(6)[0])) // in any case
	r := s.invoke(classControllerConfSvc, "ExposePaths", arg("LUNames", lun), arg("InitiatorPortIDs", "iqn.a:1"),
		arg("DeviceNumbers", []string{"0", ""}), arg("DeviceAccesses", []uint16{2, 3}))
	require.Equal(t, uint64(0), r.Return, r.Reason)
	require.Equal(t, []export.Request{
		{Volume: exportRef(volRef("fast", 3)), Initiators: []string{"iqn.a:1"}},
		{Volume: exportRef(volRef("slow", 6)), Initiators: []string{"iqn.a:1"}, ReadOnly: true},
	}, s.exposed)
	made := r.Out.Get("ProtocolControllers").([]cim.Value)
	require.Len(t, made, 2)
	units := s.associated(cim.AssociationQuery{Object: made[1].(*cim.Path), AssociationClass: "CIM_ProtocolControllerForUnit"})
	require.Equal(t, []string{s.vol(6).String()}, pathsOf(units))

	controller := s.m.controllerPath(exportRef(volRef("fast", 1)))
	r = s.invoke(classControllerConfSvc, "ExposePaths", arg("ProtocolControllers", controller), arg("InitiatorPortIDs", "iqn.c:3"),
		arg("TargetPortIDs", "iqn.2026-11.dev.twinlun:db,t,0x0001"))
	require.Equal(t, uint64(0), r.Return, r.Reason)
	require.Equal(t, exportRef(volRef("fast", 1)), s.exposed[2].Volume, "initiators for a controller that is there")
}

// When one cannot be exposed, those before it that were not are hidden again.
func TestExposePathsIsUndone(t *testing.T) {
	s := newSystem(t)
	s.fails = map[string]error{"Expose " + string(volumeIDOf(4)): blockdev.Errorf(blockdev.KindBusy, "expose", "in use")}
	r := s.invoke(classControllerConfSvc, "ExposePaths", arg("LUNames", names(1, 3, 4)))
	require.Equal(t, uint64(6), r.Return)
	var left []export.VolumeRef
	for _, e := range s.exports {
		left = append(left, e.Volume)
	}
	require.ElementsMatch(t, []export.VolumeRef{exportRef(volRef("fast", 1)), exportRef(volRef("fast", 2))}, left)
}

func TestHidePaths(t *testing.T) {
	s := newSystem(t)
	db, log := s.m.controllerPath(exportRef(volRef("fast", 1))), s.m.controllerPath(exportRef(volRef("fast", 2)))
	both := arg("ProtocolControllers", []*cim.Path{db, log})
	r := s.invoke(classControllerConfSvc, "HidePaths", arg("ProtocolControllers", db), arg("InitiatorPortIDs", "iqn.1991-05.com.microsoft:a"))
	require.Equal(t, uint64(0), r.Return, r.Reason)
	require.Equal(t, []cim.Value{db}, r.Out.Get("ProtocolControllers"))
	require.Equal(t, []string{"iqn.1991-05.com.microsoft:b"}, s.exports[0].Initiators)

	r = s.invoke(classControllerConfSvc, "HidePaths", both, arg("LUNames", names(2)))
	require.Equal(t, []cim.Value{db}, r.Out.Get("ProtocolControllers"), "those that still stand")
	r = s.invoke(classControllerConfSvc, "HidePaths", arg("ProtocolControllers", db))
	require.Equal(t, []cim.Value{}, r.Out.Get("ProtocolControllers"))
	require.Empty(t, s.exports)

	s = newSystem(t)
	s.fails = map[string]error{"Hide": blockdev.Errorf(blockdev.KindBusy, "hide", "x")}
	require.Equal(t, uint64(6), s.invoke(classControllerConfSvc, "HidePaths", both).Return)
}

func TestPathMethodsRefuse(t *testing.T) {
	m := &model{Config: Config{System: "host1"}}
	db, gone := m.controllerPath(exportRef(volRef("fast", 1))), m.controllerPath(exportRef(volRef("fast", 5)))
	refuses(t, classControllerConfSvc, "ExposePaths", []cim.Arg{arg("LUNames", names(3))}, []refusal{
		{"nothing", []cim.Arg{arg("LUNames", nil)}, invalidLogicalUnit, "LUNames: "},
		{"unknown volume", []cim.Arg{arg("LUNames", append(names(3), "X"))}, invalidLogicalUnit, "LUNames[1]: "},
		{"controller of another volume", []cim.Arg{arg("ProtocolControllers", db)}, 1, "ProtocolControllers: "},
		{"controller that is not there", []cim.Arg{arg("LUNames", nil), arg("ProtocolControllers", gone)}, 5, "ProtocolControllers[0]: "},
		{"controller NULL", []cim.Arg{arg("ProtocolControllers", []cim.Value{nil})}, 5, "ProtocolControllers[0]: "},
		{"volume for controller", []cim.Arg{arg("ProtocolControllers", plainVol(1))}, 5, "ProtocolControllers[0]: "},
		{"LUN 1", []cim.Arg{arg("DeviceNumbers", "1")}, 1, "DeviceNumbers[0]: "},
		{"LUN that is no number", []cim.Arg{arg("DeviceNumbers", "one")}, 1, "DeviceNumbers[0]: "},
		{"LUNs for others", []cim.Arg{arg("DeviceNumbers", []string{"0", "0"})}, 5, "DeviceNumbers: "},
		{"no access", []cim.Arg{arg("DeviceAccesses", 4)}, invalidPermission, "DeviceAccesses[0]: "},
		{"access NULL", []cim.Arg{arg("DeviceAccesses", []cim.Value{nil})}, invalidPermission, "DeviceAccesses[0]: "},
		{"accesses for others", []cim.Arg{arg("DeviceAccesses", []uint16{2, 2})}, 5, "DeviceAccesses: "},
		{"port of another", []cim.Arg{arg("TargetPortIDs", "iqn.2026-11.dev.twinlun:db,t,0x0001")}, invalidTargetPort, "TargetPortIDs[0]: "},
	}, "Expose")
	refuses(t, classControllerConfSvc, "HidePaths", []cim.Arg{arg("ProtocolControllers", db)}, []refusal{
		{"nothing", []cim.Arg{arg("ProtocolControllers", nil)}, 5, "ProtocolControllers: "},
		{"controller that is not there", []cim.Arg{arg("ProtocolControllers", gone)}, 5, "ProtocolControllers[0]: "},
		{"volume of another", []cim.Arg{arg("LUNames", names(2))}, invalidLogicalUnit, "LUNames[0]: "},
		{"unknown volume", []cim.Arg{arg("LUNames", "X")}, invalidLogicalUnit, "LUNames[0]: "},
		{"port of another", []cim.Arg{arg("TargetPortIDs", "iqn.x")}, invalidTargetPort, "TargetPortIDs[0]: "},
	}, "Hide")
}
