package server

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/wsman"
	"twinlun/wsman/soap"
)

// The resource URI of all classes, and that of classes themselves, are there for some
// actions only (DSP0227 R6-1).
func TestAllClassesTakeNoTransfers(t *testing.T) {
	w := newWorld(t).withVolumes(1)
	actions := []string{wsman.ActionGet, wsman.ActionPut, wsman.ActionCreate, wsman.ActionDelete, serviceURI + "/Ping"}
	for _, uri := range []string{wsman.AllClassesURI, wsman.SchemaURI} {
		for _, action := range actions {
			if uri == wsman.SchemaURI && action == wsman.ActionGet {
				continue // that is GetClass
			}
			r := w.fails(t, message{action: action, uri: uri, body: representation("")}.windows(), "a:ActionNotSupported")
			require.Contains(t, r.reason(), "names no class")
		}
	}
	require.Len(t, w.broker.all(), 1)
	require.Empty(t, w.broker.changes)
}

// Names of selectors have no case (DSP0226 R5.1.2.2-1); values of keys have.
func TestSelectorNamesHaveNoCase(t *testing.T) {
	w := newWorld(t).withVolumes(1)
	m := getVolume("V0")
	m.selectors = [][2]string{{"__CIMNamespace", testNamespace}, {"SYSTEMNAME", "host"}, {"deviceid", "V0"}}
	require.Equal(t, "V0", soap.ChildText(w.ok(t, m.windows()).Body, "", "DeviceID"))
	m.selectors[2][1] = "v0"
	w.fails(t, m.windows(), "a:DestinationUnreachable")
}

// What the first message says of the language counts; a later one that says another,
// without insisting, is no fault (DSP0226 R6.3-5).
func TestLocaleOfLaterMessages(t *testing.T) {
	w := newWorld(t).withVolumes(2)
	id := w.ok(t, enumerate(volumeURI, "").windows()).context()
	other := strings.Replace(pull(volumeURI, id, "").windows(), `<w:Locale xml:lang="de-DE"`, `<w:Locale xml:lang="fr-FR"`, 1)
	require.Len(t, w.ok(t, other).items(), 1)
	insisting := strings.Replace(other, `xml:lang="fr-FR" s:mustUnderstand="false"`, `xml:lang="fr-FR" s:mustUnderstand="true"`, 1)
	require.Equal(t, "Locale", w.fails(t, insisting, "w:UnsupportedFeature").faultDetail())
	require.Len(t, w.ok(t, pull(volumeURI, id, "").windows()).items(), 1)
}

// Every answer, and every fault, says what it is, to whom it goes and what it answers
// (DSP0226 section 5.4). A fault for a message without an id relates to nothing.
func TestHeadersOfAnswers(t *testing.T) {
	w := newWorld(t).withVolumes(1)
	seen := map[string]bool{}
	for _, body := range []string{getVolume("V0").windows(), getVolume("V9").windows(), enumerate(volumeURI, "").windows()} {
		r := w.post(t, body)
		require.Equal(t, wsman.Anonymous, soap.ChildText(r.Header, wsman.NSAddressing, "To"))
		require.Equal(t, messageID, r.RelatesTo)
		require.NotEmpty(t, r.Action)
		require.Equal(t, 1, strings.Count(r.text, "<a:MessageID>"))
		require.False(t, seen[r.MessageID], "each answer has an id of its own")
		seen[r.MessageID] = true
	}
	r := w.fails(t, strings.Replace(getVolume("V0").windows(), "<a:MessageID>"+messageID+"</a:MessageID>", "", 1), "a:MessageInformationHeaderRequired")
	require.NotContains(t, r.text, "RelatesTo")
	r = w.fails(t, getVolume("V9").windows(), "a:DestinationUnreachable")
	require.Contains(t, r.text, `<s:Text xml:lang="en-US">`, "the language of the words is told (R6.3-4)")
}

// The service tells that its faults hold CIM errors, for clients look for that before
// they look for the error (DSP0227).
func TestIdentifyTellsOfCIMErrors(t *testing.T) {
	rec := newWorld(t).serve(t, httpRequest(identifyBody))
	m := decodeReply(t, rec.Code, rec.Header().Get("Content-Type"), rec.Body.Bytes())
	require.NotNil(t, soap.Child(m.Body, wsman.NSBinding, "Capability_FaultIncludesCIMError"))
	require.Equal(t, 1, strings.Count(m.text, "ProtocolVersion>http"))
}

// Indications are sent as what they are; a mode that asks for less is refused, not
// ignored.
func TestPolymorphismOfSubscriptions(t *testing.T) {
	w := newEventWorld(t)
	mode := func(m string) string { return windowsSubscribe("<b:PolymorphismMode>" + m + "</b:PolymorphismMode>") }
	w.subscribe(t, mode(wsman.PolymorphismInclude))
	for _, m := range []string{wsman.PolymorphismExclude, wsman.PolymorphismNone, "Some"} {
		require.Contains(t, w.fails(t, mode(m), "b:PolymorphismModeNotSupported").reason(), m)
	}
}

// A key that is a reference is a selector with an endpoint reference in it; omicli
// writes the instance itself, in an element with the name of the key.
func TestReferenceKeysInSelectors(t *testing.T) {
	w := newWorld(t).withVolumes(3)
	for _, target := range []int{1, 2} {
		w.broker.put("T_Pair", "Source", w.broker.instances[0].Path, "Target", w.broker.instances[target].Path, "State", target)
	}
	epr := func(name, id string) string {
		return `<w:Selector Name="` + name + `"><a:EndpointReference>` + refTo(id) + `</a:EndpointReference></w:Selector>`
	}
	instance := func(name, id string) string {
		return `<w:` + name + ` xmlns:v="` + volumeURI + `" xmlns:xsi="` + wsman.NSXSI + `" xsi:type="v:T_Volume_Type"><v:SystemName>host</v:SystemName><v:DeviceID>` + id + `</v:DeviceID></w:` + name + `>`
	}
	for _, write := range []func(name, id string) string{epr, instance} {
		m := message{action: wsman.ActionGet, uri: wsman.ClassPrefix + "T_Pair", headers: `<w:SelectorSet>` + write("Source", "V0") + write("Target", "V2") + `</w:SelectorSet>`}
		require.Equal(t, "2", soap.ChildText(w.ok(t, m.windows()).Body, "", "State"))
	}
}
