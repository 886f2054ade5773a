package server

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/wsman"
	"twinlun/wsman/soap"
)

// representation is an instance of T_Volume with these properties, as XML.
func representation(inner string) string {
	return `<v:T_Volume xmlns:v="` + volumeURI + `" xmlns:xsi="` + wsman.NSXSI + `" xmlns:cim="` + wsman.NSCommon + `" xsi:type="v:T_Volume_Type">` + inner + `</v:T_Volume>`
}

// put is a Put of volume V0 with these properties in the body.
func put(inner string) message {
	return message{action: wsman.ActionPut, uri: volumeURI, selectors: volumeKeys("V0"), body: representation(inner)}
}

// modifiedOptions says which properties the client has modified, as Windows does. It is
// put into the one OptionSet that a message may have.
func modifiedOptions(msg string, names ...string) string {
	var options strings.Builder
	for _, n := range names {
		options.WriteString(`<w:Option Name="wmiarray:__MIInstanceModifiedPropertiesList" Type="xs:string">` + n + `</w:Option>`)
	}
	return strings.Replace(msg, `</w:OptionSet>`, options.String()+`</w:OptionSet>`, 1)
}

func TestPut(t *testing.T) {
	for family, write := range families() {
		t.Run(family, func(t *testing.T) {
			w := newWorld(t).withVolumes(1)
			r := w.ok(t, write(put(`<v:Caption xsi:type="cim:cimString">new &lt;name&gt;</v:Caption><v:DeviceID>V0</v:DeviceID><v:SystemName>host</v:SystemName><v:Size>0</v:Size>`)))
			require.Equal(t, wsman.ActionPut+"Response", r.Action)
			require.Equal(t, "T_Volume", r.Body.Tag)
			require.Equal(t, "new <name>", soap.ChildText(r.Body, "", "Caption"), "the instance as it is now")
			require.Equal(t, "2", soap.ChildText(r.Body, "", "OperationalStatus"), "what is left out stays")
			require.Equal(t, []cim.PropertyValue{{Name: "Caption", Value: "new <name>"}}, w.broker.changes)
		})
	}
}

// bodyOf is the body of an answer, as bytes.
func bodyOf(t *testing.T, r reply) string {
	t.Helper()
	_, rest, ok := strings.Cut(r.text, "<s:Body>")
	require.True(t, ok)
	body, _, ok := strings.Cut(rest, "</s:Body>")
	require.True(t, ok)
	return body
}

// winrm set and Set-WSManInstance get, edit and send back; every family of URIs can.
func TestPutTakesWhatGetGave(t *testing.T) {
	w := newWorld(t).withVolumes(4)
	pair := w.broker.put("T_Pair", "Source", w.broker.instances[0].Path, "Target", w.broker.instances[3].Path, "State", 2)
	require.NotNil(t, pair)
	for _, uri := range []string{volumeURI, "http://schemas.microsoft.com/wbem/wscim/1/cim-schema/2/T_Volume",
		"http://schemas.microsoft.com/wbem/wsman/1/wmi/root/cimv2/storage/iscsitarget/T_Volume", volumeURI + "?__cimnamespace=root/cimv2/storage/iscsitarget"} {
		for _, id := range []string{"V1", "V3"} { // V3 is of a class below
			m := getVolume(id)
			m.uri, m.selectors = uri, volumeKeys(id)[1:]
			got := bodyOf(t, w.ok(t, m.windows()))
			m.action, m.body = wsman.ActionPut, got
			require.Equal(t, got, bodyOf(t, w.ok(t, m.windows())), uri)
			require.Empty(t, w.broker.changes, uri)
		}
	}
	m := getVolume("V1")
	got := bodyOf(t, w.ok(t, m.windows()))
	m.action, m.body = wsman.ActionPut, strings.Replace(got, `<p:Caption xsi:nil="true"/>`, `<p:Caption>edited</p:Caption>`, 1)
	require.Equal(t, "edited", soap.ChildText(w.ok(t, m.windows()).Body, "", "Caption"))
	require.Len(t, w.broker.changes, 1)
}

func TestPutOfReferences(t *testing.T) {
	w := newWorld(t).withVolumes(2)
	w.broker.put("T_Pair", "Source", w.broker.instances[0].Path, "Target", w.broker.instances[1].Path, "State", 2)
	m := message{action: wsman.ActionGet, uri: wsman.ClassPrefix + "T_Pair"}
	got := bodyOf(t, w.ok(t, m.windows()))
	m.action, m.body = wsman.ActionPut, strings.Replace(got, ">2</p:State>", ">3</p:State>", 1)
	w.ok(t, m.windows())
	require.Equal(t, []cim.PropertyValue{{Name: "State", Value: uint64(3)}}, w.broker.changes)
	m.body = strings.Replace(got, ">V0<", ">V1<", 1)
	r := w.fails(t, m.windows(), "x:InvalidRepresentation")
	require.Contains(t, r.reason(), "Source")
}

func TestPutValues(t *testing.T) {
	w := newWorld(t).withVolumes(1)
	for _, tt := range []struct {
		name, inner, property string
		want                  cim.Value
	}{
		{"null", `<v:Caption>x</v:Caption>`, "Caption", "x"},
		{"to null", `<v:Caption xsi:nil="true"/>`, "Caption", nil},
		{"empty", `<v:Caption/>`, "Caption", ""},
		{"blanks", `<v:Caption> a  b </v:Caption>`, "Caption", " a  b "},
		{"array", `<v:OperationalStatus>5</v:OperationalStatus><v:OperationalStatus>6</v:OperationalStatus>`, "OperationalStatus", []cim.Value{uint64(5), uint64(6)}},
		{"null array", `<v:OperationalStatus xsi:nil="true"/>`, "OperationalStatus", nil},
		{"array of one", `<v:OperationalStatus>7</v:OperationalStatus>`, "OperationalStatus", []cim.Value{uint64(7)}},
		{"marked null array", `<v:OperationalStatus xsi:nil="true" m:IsNullArray="true" xmlns:m="` + wsman.NSMicrosoft + `"/>`, "OperationalStatus", nil},
		{"another namespace and case", `<caption xmlns="urn:x">y</caption>`, "Caption", "y"},
	} {
		w.ok(t, put(tt.inner).windows())
		require.True(t, cim.Equal(tt.want, w.broker.instances[0].Get(tt.property)), tt.name)
	}
}

func TestPutOfModifiedProperties(t *testing.T) {
	w := newWorld(t).withVolumes(1)
	const whole = `<v:DeviceID>V0</v:DeviceID><v:Caption>a</v:Caption><v:Size>77</v:Size><v:Colour>red</v:Colour>`
	w.ok(t, modifiedOptions(put(whole).windows(), "caption", "Caption"))
	require.Equal(t, []cim.PropertyValue{{Name: "Caption", Value: "a"}}, w.broker.changes, "only what is named")
	w.ok(t, modifiedOptions(put(whole).windows(), "Caption", "OperationalStatus"))
	require.Equal(t, []cim.Value{}, w.broker.instances[0].Get("OperationalStatus"), "an array without entries cannot be written")
	w.ok(t, strings.Replace(modifiedOptions(put(`<v:Size>5</v:Size>`).windows(), "Size"), `<w:Option Name="wmiarray:__MII`, `<w:Option MustComply="true" Name="wmiarray:__MII`, 1))
	require.Equal(t, uint64(5), w.broker.instances[0].Get("Size"))

	r := w.fails(t, modifiedOptions(put(`<v:Caption>x</v:Caption>`).windows(), "Size"), "x:InvalidRepresentation")
	require.Equal(t, "MissingValues", r.faultDetail())
	require.Contains(t, r.reason(), "Size")
	r = w.fails(t, modifiedOptions(put(whole).windows(), "Colour"), "x:InvalidRepresentation")
	require.Contains(t, r.reason(), `"Colour"`)
	r = w.fails(t, modifiedOptions(put(strings.Replace(whole, "V0", "V1", 1)).windows(), "Caption"), "x:InvalidRepresentation")
	require.Contains(t, r.reason(), "DeviceID", "keys are looked at all the same")
}

func TestPutFails(t *testing.T) {
	w := newWorld(t).withVolumes(4)
	with := func(change func(*message)) message {
		m := put(`<v:Caption>x</v:Caption>`)
		change(&m)
		return m
	}
	body := func(xml string) message { return with(func(m *message) { m.body = xml }) }
	for _, tt := range []struct {
		name            string
		m               message
		subcode, detail string
		says            string
	}{
		{"no body", body(""), "x:InvalidRepresentation", "MissingValues", "no instance"},
		{"two bodies", body(representation("") + representation("")), "w:SchemaValidationError", "", "more than one"},
		{"another class", body(`<v:T_Job xmlns:v="` + wsman.ClassPrefix + `T_Job"/>`), "x:InvalidRepresentation", "InvalidNamespace", "T_Job"},
		{"a class below", body(`<v:T_ThinVolume xmlns:v="` + wsman.ClassPrefix + `T_ThinVolume"/>`), "x:InvalidRepresentation", "InvalidNamespace", "T_ThinVolume"},
		{"no class", body(`<v:T_Tape xmlns:v="` + wsman.ClassPrefix + `T_Tape"/>`), "x:InvalidRepresentation", "InvalidNamespace", "T_Tape"},
		{"XML namespace", body(`<v:T_Volume xmlns:v="urn:x"/>`), "x:InvalidRepresentation", "InvalidNamespace", "T_Volume"},
		{"XML namespace of another class", body(`<v:T_Volume xmlns:v="` + wsman.ClassPrefix + `T_Job"/>`), "x:InvalidRepresentation", "InvalidNamespace", "T_Volume"},
		{"CIM namespace", body(`<v:T_Volume xmlns:v="http://schemas.microsoft.com/wbem/wsman/1/wmi/root/other/T_Volume"/>`), "x:InvalidRepresentation", "InvalidNamespace", "root/other"},
		{"unknown property", put(`<v:Colour>red</v:Colour>`), "x:InvalidRepresentation", "InvalidValues", `"Colour"`},
		{"type", put(`<v:Size>big</v:Size>`), "x:InvalidRepresentation", "InvalidValues", "Size"},
		{"range", put(`<v:OperationalStatus>65536</v:OperationalStatus>`), "x:InvalidRepresentation", "InvalidValues", "OperationalStatus"},
		{"twice", put(`<v:Caption>a</v:Caption><v:Caption>b</v:Caption>`), "x:InvalidRepresentation", "InvalidValues", "Caption"},
		{"key", put(`<v:DeviceID>V1</v:DeviceID>`), "x:InvalidRepresentation", "InvalidValues", "DeviceID"},
		{"key to null", put(`<v:DeviceID xsi:nil="true"/>`), "x:InvalidRepresentation", "InvalidValues", "DeviceID"},
		{"no such instance", with(func(m *message) { m.selectors = volumeKeys("V9") }), "a:DestinationUnreachable", "InvalidResourceURI", "V9"},
		{"keys missing", with(func(m *message) { m.selectors = nil }), "w:InvalidSelectors", "InsufficientSelectors", "T_Volume"},
		{"no class in the URI", with(func(m *message) { m.uri = wsman.AllClassesURI }), "a:ActionNotSupported", "", "no class"},
		{"class itself", with(func(m *message) { m.uri = wsman.SchemaURI }), "a:ActionNotSupported", "", "no class"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := w.fails(t, tt.m.windows(), tt.subcode)
			require.Equal(t, tt.detail, r.faultDetail())
			require.Contains(t, r.reason(), tt.says)
			require.Empty(t, w.broker.changes)
		})
	}
}

// refusing is a Broker that fails to change anything.
type refusing struct {
	*fakeBroker
	err error
}

func (b refusing) Modify(context.Context, *cim.Path, []cim.PropertyValue) (*cim.Instance, error) {
	return nil, b.err
}
func (b refusing) Delete(context.Context, *cim.Path) error { return b.err }
func (b refusing) Create(context.Context, string, string, []cim.PropertyValue) (*cim.Path, error) {
	return nil, b.err
}

func TestWritesThatAreRefused(t *testing.T) {
	for _, tt := range []struct {
		err                error
		put, create, erase string
	}{
		{cim.Errorf(cim.StatusInvalidParameter, "Size is read only"), "x:InvalidRepresentation", "x:InvalidRepresentation", "w:InvalidParameter"},
		{cim.Errorf(cim.StatusTypeMismatch, "no"), "x:InvalidRepresentation", "x:InvalidRepresentation", "x:InvalidRepresentation"},
		{cim.Errorf(cim.StatusAccessDenied, "no"), "w:AccessDenied", "w:AccessDenied", "w:AccessDenied"},
		{cim.Errorf(cim.StatusNotSupported, "no"), "w:UnsupportedFeature", "w:UnsupportedFeature", "w:UnsupportedFeature"},
		{cim.Errorf(cim.StatusAlreadyExists, "no"), "w:AlreadyExists", "w:AlreadyExists", "w:AlreadyExists"},
		{cim.Errorf(cim.StatusNotFound, "no"), "a:DestinationUnreachable", "a:DestinationUnreachable", "a:DestinationUnreachable"},
		{errors.New("disk"), "w:InternalError", "w:InternalError", "w:InternalError"},
	} {
		w := newWorld(t)
		w.withVolumes(1)
		w.config.Broker = refusing{w.broker, tt.err}
		for action, want := range map[string]string{wsman.ActionPut: tt.put, wsman.ActionCreate: tt.create, wsman.ActionDelete: tt.erase} {
			m := put(`<v:Size>9</v:Size>`)
			m.action = action
			r := w.fails(t, m.windows(), want)
			require.NotContains(t, r.reason(), "disk")
		}
		for _, line := range w.audits.lines(t) {
			require.NotEqual(t, "ok", line["result"])
		}
		require.Len(t, w.audits.lines(t), 3)
	}
}

func TestWritesAreAudited(t *testing.T) {
	w := newWorld(t).withVolumes(1)
	m := put(`<v:Caption>x</v:Caption>`)
	w.ok(t, m.windows())
	w.ok(t, message{action: wsman.ActionCreate, uri: volumeURI, body: representation(`<v:SystemName>host</v:SystemName><v:DeviceID>V7</v:DeviceID>`)}.windows())
	w.ok(t, message{action: wsman.ActionDelete, uri: volumeURI, selectors: volumeKeys("V7")}.windows())
	w.ok(t, fragmentOf(wsman.ActionPut, "Caption", `<Caption>z</Caption>`).windows())
	w.fails(t, put(`<v:Size>x</v:Size>`).windows(), "x:InvalidRepresentation")
	var have []string
	for _, line := range w.audits.lines(t) {
		objects, _ := line["objects"].([]any)
		require.Len(t, objects, 1)
		object := objects[0].(string)
		have = append(have, line["action"].(string)+" "+line["result"].(string)+" "+object[strings.LastIndex(object, "="):])
		require.Equal(t, "admin", line["user"])
		require.Equal(t, "T_Volume", line["class"])
	}
	require.Equal(t, []string{`Put ok ="V0"`, `Create ok ="V7"`, `Delete ok ="V7"`, `Put ok ="V0"`, `Put InvalidRepresentation ="V0"`}, have)
}

// An answer that does not fit is told as such: the change was made.
func TestPutThatCannotBeReported(t *testing.T) {
	w := newWorld(t).withVolumes(1)
	m := put(`<v:Caption>` + strings.Repeat("x", 9000) + `</v:Caption>`)
	m.maxSize = 8192
	r := w.fails(t, m.windows(), "w:EncodingLimit")
	require.Equal(t, "UnreportableSuccess", r.faultDetail())
	require.Len(t, w.broker.changes, 1)
	require.Equal(t, http.StatusInternalServerError, r.status)
}
