package server

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/wsman"
	"twinlun/wsman/soap"
)

// inAddressing10 is a message in the second version of WS-Addressing.
func inAddressing10(m message) string {
	return strings.ReplaceAll(strings.ReplaceAll(m.windows(), wsman.Anonymous, wsman.Anonymous10), wsman.NSAddressing+`"`, wsman.NSAddressing10+`"`)
}

// Who writes the second version of WS-Addressing reads nothing of the first.
func TestAddressing10(t *testing.T) {
	w := newWorld(t).withVolumes(1).withService(&cim.Reply{Return: uint64(4096), Out: cim.Args{{Name: "Job", Value: jobPath()}}}, nil)
	for name, m := range map[string]message{
		"get": getVolume("V0"), "invoke": invoke(serviceURI, "Replicate", replicateArgs+`<p:SourceElements>`+refTo("V0")+`</p:SourceElements>`),
		"enumerate": enumerate(volumeURI, `<w:OptimizeEnumeration/><w:EnumerationMode>EnumerateObjectAndEPR</w:EnumerationMode>`),
	} {
		r := w.ok(t, inAddressing10(m))
		require.Equal(t, wsman.NSAddressing10, r.Addressing, name)
		require.Equal(t, messageID, r.RelatesTo, name)
		require.Equal(t, wsman.Anonymous10, r.To, name)
		require.NotContains(t, r.text, wsman.NSAddressing, name)
	}
	require.Equal(t, "V0", w.broker.lastCall().In.Get("SourceElements").([]cim.Value)[0].(*cim.Path).Key("DeviceID"))
}

func TestAddressing10Faults(t *testing.T) {
	w := newWorld(t).withVolumes(1)
	for name, c := range map[string]struct {
		message         string
		action, subcode string
	}{
		"missing":  {strings.Replace(inAddressing10(getVolume("V0")), `<a:MessageID>`+messageID+`</a:MessageID>`, "", 1), wsman.ActionFaultAddressing10, "a:MessageAddressingHeaderRequired"},
		"twice":    {strings.Replace(inAddressing10(getVolume("V0")), `<a:MessageID>`, `<a:To>x</a:To><a:MessageID>`, 1), wsman.ActionFaultAddressing10, "a:InvalidAddressingHeader"},
		"unknown":  {inAddressing10(getVolume("V9")), wsman.ActionFaultAddressing10, "a:DestinationUnreachable"},
		"of wsman": {strings.Replace(inAddressing10(getVolume("V0")), "512000", "1", 1), wsman.ActionFaultWSMan, "w:EncodingLimit"},
	} {
		r := w.fails(t, c.message, c.subcode)
		require.Equal(t, c.action, r.Action, name)
		require.Equal(t, wsman.NSAddressing10, r.Addressing, name)
		require.NotContains(t, r.text, wsman.NSAddressing, name)
	}
}

// What ReplyTo and FaultTo carry comes back in the answer, and in the fault.
func TestReferenceParametersComeBack(t *testing.T) {
	w := newWorld(t).withVolumes(1)
	with := func(m message, header, param string) string {
		epr := `<a:Address>` + wsman.Anonymous + `</a:Address><a:ReferenceParameters>` + param + `</a:ReferenceParameters></a:` + header + `>`
		if header == "ReplyTo" {
			return strings.Replace(m.windows(), `<a:Address s:mustUnderstand="true">`+wsman.Anonymous+`</a:Address></a:ReplyTo>`, epr, 1)
		}
		m.headers = `<a:FaultTo>` + epr
		return m.windows()
	}
	const token = `<q:Token xmlns:q="urn:q">abc</q:Token>`
	r := w.ok(t, with(getVolume("V0"), "ReplyTo", token))
	require.Equal(t, "abc", soap.ChildText(r.Header, "urn:q", "Token"))
	r = w.fails(t, with(getVolume("V9"), "ReplyTo", token), "a:DestinationUnreachable")
	require.Equal(t, "abc", soap.ChildText(r.Header, "urn:q", "Token"))
	r = w.fails(t, with(getVolume("V9"), "FaultTo", token), "a:DestinationUnreachable")
	require.Equal(t, "abc", soap.ChildText(r.Header, "urn:q", "Token"))
	r = w.ok(t, with(getVolume("V0"), "FaultTo", token))
	require.Nil(t, soap.Child(r.Header, "urn:q", "Token"))
	w.fails(t, with(getVolume("V9"), "FaultTo", `<q:X xmlns:q="urn:q">`+strings.Repeat("x", 5000)+`</q:X>`), "a:DestinationUnreachable")
}

func TestRequestEPR(t *testing.T) {
	w := newWorld(t).withVolumes(2).withService(&cim.Reply{Return: uint64(0)}, nil)
	asks := func(m message) reply {
		m.headers = `<w:RequestEPR s:mustUnderstand="true"/>`
		return w.ok(t, m.windows())
	}
	asked := func(m message) *soap.Element { return soap.Child(asks(m).Header, wsman.NSWSMan, "RequestedEPR") }
	epr, err := soap.ReadEPR(asked(getVolume("V1")))
	require.NoError(t, err)
	require.Equal(t, volumeURI, epr.ResourceURI)
	id, _ := wsman.FindSelector(epr.Selectors, "DeviceID")
	require.Equal(t, "V1", id.Value)
	require.NotNil(t, soap.Child(asked(enumerate(volumeURI, "")), wsman.NSWSMan, "EPRUnknown"))
	_, err = soap.ReadEPR(asked(invoke(serviceURI, "Ping", "", [2]string{"Name", "svc"})))
	require.NoError(t, err)
	gone := getVolume("V0")
	gone.action = wsman.ActionDelete
	require.NotNil(t, soap.Child(asked(gone), wsman.NSWSMan, "EPRInvalid"))
	require.Nil(t, soap.Child(w.ok(t, getVolume("V1").windows()).Header, wsman.NSWSMan, "RequestedEPR"))
}

func TestUpgradeHeader(t *testing.T) {
	r := newWorld(t).fails(t, strings.Replace(getVolume("V0").windows(), wsman.NSSOAP, wsman.NSSOAP11, 1), "s:VersionMismatch")
	supported := soap.Child(soap.Child(r.Header, wsman.NSSOAP, "Upgrade"), wsman.NSSOAP, "SupportedEnvelope")
	name, _ := soap.Attr(supported, "", "qname")
	require.Equal(t, "s:Envelope", name)
}

// FuzzAddressing puts anything into the addressing headers: the answer says which
// message it is of, in its version of WS-Addressing, or that it could not be told.
func FuzzAddressing(f *testing.F) {
	f.Add(wsman.NSAddressing, "uuid:1", wsman.Anonymous, "", "")
	f.Add(wsman.NSAddressing10, "uuid:1", wsman.Anonymous10, `<a:FaultTo><a:Address>x</a:Address></a:FaultTo>`, `<a:ReferenceParameters><q xmlns="urn:q">1</q></a:ReferenceParameters>`)
	f.Add("urn:none", "", "http://elsewhere/", `<a:To/>`, `</a:ReplyTo><a:ReplyTo>`)
	w := newWorld(f).withVolumes(1)
	f.Fuzz(func(t *testing.T, version, id, reply, headers, inner string) {
		text := `<s:Envelope xmlns:s="` + wsman.NSSOAP + `" xmlns:a="` + version + `" xmlns:w="` + wsman.NSWSMan + `"><s:Header><a:Action>` + wsman.ActionGet + `</a:Action>` +
			`<a:MessageID>` + id + `</a:MessageID><a:ReplyTo><a:Address>` + reply + `</a:Address>` + inner + `</a:ReplyTo>` + headers +
			`<w:ResourceURI>` + volumeURI + `</w:ResourceURI></s:Header><s:Body/></s:Envelope>`
		rec := w.serve(t, httpRequest(text))
		if rec.Code == 400 {
			return
		}
		m, err := soap.Decode(rec.Body.Bytes(), rec.Header().Get("Content-Type"), soap.Limits{Attributes: 1000})
		require.NotNil(t, m.Header, "%v: %s", err, rec.Body)
		sent, err := soap.Decode([]byte(text), "", soap.Limits{Bytes: 2 << 20})
		if err == nil && sent.Addressing != "" {
			require.Equal(t, sent.Addressing, m.Addressing)
			require.Equal(t, sent.MessageID, m.RelatesTo)
		}
		require.NotContains(t, rec.Body.String(), "w:InternalError")
		w.log.buf.Reset()
	})
}
