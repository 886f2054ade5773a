package server

import (
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/wsman"
	"twinlun/wsman/soap"
)

// create makes an instance of a class with these properties, prefix v.
func create(class, inner string, selectors ...[2]string) message {
	uri := wsman.ClassPrefix + class
	return message{action: wsman.ActionCreate, uri: uri, selectors: selectors,
		body: `<v:` + class + ` xmlns:v="` + uri + `" xmlns:xsi="` + wsman.NSXSI + `" xmlns:a="` + wsman.NSAddressing + `" xmlns:w="` + wsman.NSWSMan + `">` + inner + `</v:` + class + `>`}
}

const newVolume = `<v:SystemName>host</v:SystemName><v:DeviceID>new &amp; good</v:DeviceID><v:Size>512</v:Size>` +
	`<v:OperationalStatus>2</v:OperationalStatus><v:OperationalStatus>3</v:OperationalStatus><v:Caption xsi:nil="true"/>`

func TestCreate(t *testing.T) {
	for family, write := range families() {
		t.Run(family, func(t *testing.T) {
			w := newWorld(t)
			r := w.ok(t, write(create("T_Volume", newVolume, [2]string{"__cimnamespace", testNamespace})))
			require.Equal(t, wsman.ActionCreate+"Response", r.Action)
			require.Equal(t, "ResourceCreated", r.Body.Tag)
			ns, _ := soap.Namespace(r.Body)
			require.Equal(t, wsman.NSTransfer, ns)
			require.NotNil(t, soap.Child(r.Body, wsman.NSAddressing, "Address"), "the parts of the reference are right in it")

			made := w.broker.instances[0]
			require.Equal(t, "new & good", made.Get("DeviceID"))
			require.Equal(t, []cim.Value{uint64(2), uint64(3)}, made.Get("OperationalStatus"))
			epr, err := soap.ReadEPR(r.Body)
			require.NoError(t, err)
			m := message{action: wsman.ActionGet, uri: epr.ResourceURI}
			for _, s := range epr.Selectors {
				v := s.Value
				if s.Name == "DeviceID" {
					v = "new &amp; good"
				}
				m.selectors = append(m.selectors, [2]string{s.Name, v})
			}
			require.Equal(t, "512", soap.ChildText(w.ok(t, write(m)).Body, "", "Size"), "it is found under the name that was told")
		})
	}
}

func TestCreateInTheFamilyOfTheRequest(t *testing.T) {
	w := newWorld(t)
	const uri = "http://schemas.microsoft.com/wbem/wsman/1/wmi/root/cimv2/storage/iscsitarget/T_Volume"
	m := message{action: wsman.ActionCreate, uri: uri, body: `<p:T_Volume xmlns:p="` + uri + `"><p:SystemName>h</p:SystemName><p:DeviceID>d</p:DeviceID></p:T_Volume>`}
	epr, err := soap.ReadEPR(w.ok(t, m.windows()).Body)
	require.NoError(t, err)
	require.Equal(t, wsman.EPR{Address: wsman.Anonymous, ResourceURI: uri, Selectors: []wsman.Selector{{Name: "SystemName", Value: "h"}, {Name: "DeviceID", Value: "d"}}}, epr)
}

func TestCreateGiven(t *testing.T) {
	w := newWorld(t).withVolumes(2)
	// Keys in the selectors, as winrm create puts them.
	w.ok(t, create("T_Volume", `<v:DeviceID>k</v:DeviceID>`, [2]string{"SystemName", "s"}, [2]string{"DeviceID", "k"}).windows())
	require.Equal(t, "s", w.broker.instances[2].Get("SystemName"))
	// The body may be of a class below that of the resource, and above it.
	m := create("T_ThinVolume", `<v:SystemName>s</v:SystemName><v:DeviceID>thin</v:DeviceID><v:Allocated>1</v:Allocated>`)
	m.uri = volumeURI
	w.ok(t, m.windows())
	require.Equal(t, "T_ThinVolume", w.broker.instances[3].Class.Name)
	m = create("T_Volume", `<v:SystemName>s</v:SystemName><v:DeviceID>thin2</v:DeviceID>`)
	m.uri = wsman.ClassPrefix + "T_ThinVolume"
	w.ok(t, m.windows())
	require.Equal(t, "T_ThinVolume", w.broker.instances[4].Class.Name)
	// References are keys here.
	w.ok(t, create("T_Pair", `<v:Source>`+refTo("V0")+`</v:Source><v:Target><a:EndpointReference>`+refTo("V1")+`</a:EndpointReference></v:Target>`).windows())
	require.True(t, w.broker.instances[1].Path.Equal(w.broker.instances[5].Get("Target").(*cim.Path)))
}

func TestCreateFails(t *testing.T) {
	w := newWorld(t).withVolumes(1)
	noBody := create("T_Volume", newVolume)
	noBody.body = ""
	otherBody := create("T_Job", "")
	otherBody.uri = volumeURI
	for _, tt := range []struct {
		name            string
		m               message
		subcode, detail string
		says            string
	}{
		{"no body", noBody, "x:InvalidRepresentation", "MissingValues", "no instance"},
		{"another class", otherBody, "x:InvalidRepresentation", "InvalidNamespace", "T_Job"},
		{"no such class", create("T_Tape", ""), "a:DestinationUnreachable", "InvalidResourceURI", "T_Tape"},
		{"unknown property", create("T_Volume", `<v:Colour>x</v:Colour>`), "x:InvalidRepresentation", "InvalidValues", "Colour"},
		{"bad value", create("T_Volume", `<v:Size>-1</v:Size>`), "x:InvalidRepresentation", "InvalidValues", "Size"},
		{"bad reference", create("T_Pair", `<v:Source>V0</v:Source>`), "x:InvalidRepresentation", "InvalidValues", "Source"},
		{"selector that is no key", create("T_Volume", newVolume, [2]string{"Size", "1"}), "w:InvalidSelectors", "UnexpectedSelectors", "Size"},
		{"selector unlike the body", create("T_Volume", newVolume, [2]string{"DeviceID", "other"}), "w:InvalidSelectors", "InvalidValue", "DeviceID"},
		{"namespace", create("T_Volume", newVolume, [2]string{"__cimnamespace", "root/none"}), "a:DestinationUnreachable", "InvalidResourceURI", "root/none"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := w.fails(t, tt.m.windows(), tt.subcode)
			require.Equal(t, tt.detail, r.faultDetail())
			require.Contains(t, r.reason(), tt.says)
			require.Len(t, w.broker.all(), 1, "nothing was made")
		})
	}
}
