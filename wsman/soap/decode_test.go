package soap

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/wsman"
)

// request reads a message as one of the client families sends it.
func request(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "requests", name))
	require.NoError(t, err)
	return data
}

func decoded(t testing.TB, name string) *Message {
	t.Helper()
	m, err := Decode(request(t, name), "application/soap+xml;charset=UTF-8", Limits{})
	require.NoError(t, err)
	return m
}

func TestDecodeWindowsEnumerate(t *testing.T) {
	m := decoded(t, "mi_enumerate.xml")
	require.Equal(t, "http://store1:5985/wsman", m.To)
	require.Equal(t, wsman.ActionEnumerate, m.Action)
	require.Equal(t, "uuid:0A1B2C3D-0000-4000-8000-00000000000A", m.MessageID)
	require.Equal(t, wsman.Anonymous, m.ReplyTo)
	require.Equal(t, wsman.ClassPrefix+"CIM_StorageVolume", m.ResourceURI)
	require.Equal(t, int64(512000), m.MaxEnvelopeSize)
	require.Equal(t, time.Second, m.Timeout)
	require.Equal(t, "en-GB", m.Locale)
	require.False(t, m.LocaleRequired)
	require.Empty(t, m.NotUnderstood)
	require.Equal(t, []wsman.Selector{{Name: "__cimnamespace", Value: "root/cimv2/storage/iscsitarget"}}, m.Selectors)
	require.Len(t, m.Options, 4)
	require.Equal(t, m.Options[1].Name, m.Options[2].Name)
	o, ok := m.Option("usepreciseARRAYS")
	require.True(t, ok)
	require.Equal(t, Option{Name: "msftwinrm:UsePreciseArrays", Type: "xs:boolean", Value: "true"}, o)
	require.True(t, Is(m.Body, wsman.NSEnumeration, "Enumerate"))
	require.Equal(t, "32000", ChildText(m.Body, wsman.NSWSMan, "MaxElements"))
}

func TestDecodeTrimsHeaders(t *testing.T) {
	m := decoded(t, "mi_invoke_spaced.xml")
	require.Equal(t, "https://store1:5986/wsman", m.To)
	require.Equal(t, wsman.ClassPrefix+"CIM_ReplicationService/CreateListReplica", m.Action)
	require.Equal(t, wsman.Anonymous, m.ReplyTo)
	require.Equal(t, []wsman.Selector{{Name: "__cimnamespace", Value: `root\cimv2`}, {Name: "Name", Value: "svc"}}, m.Selectors)
	require.Equal(t, "CreateListReplica_INPUT", m.Body.Tag)
	require.Equal(t, "CreateListReplica_INPUT_Type", TypeName(m.Body))
}

// The winrm command binds a prefix of the envelope anew in the body.
func TestDecodeResolvesPrefixesWhereTheyAre(t *testing.T) {
	m := decoded(t, "winrm_invoke_ref.xml")
	const class = "http://schemas.microsoft.com/wbem/wsman/1/wmi/root/cimv2/storage/iscsitarget/CIM_ReplicationService"
	ns, ok := Namespace(m.Body)
	require.True(t, ok)
	require.Equal(t, class, ns)
	require.False(t, Is(m.Body, wsman.NSMicrosoft, "DeleteGroup_INPUT"))
	ref := Child(m.Body, class, "ReplicationGroup")
	require.True(t, IsEPR(ref))
	epr, err := ReadEPR(ref)
	require.NoError(t, err)
	require.Equal(t, []wsman.Selector{{Name: "InstanceID", Value: "grp:1"}}, epr.Selectors)
	require.Equal(t, time.Minute, m.Timeout)
}

// OMI's client leaves prefixes undeclared and binds xsi to something else.
func TestDecodeUndeclaredPrefixes(t *testing.T) {
	m := decoded(t, "omi_get_refkey.xml")
	require.Equal(t, 90*time.Second, m.Timeout)
	require.Empty(t, m.NotUnderstood)
	require.Len(t, m.Selectors, 3)
	require.Equal(t, &wsman.EPR{
		Address: wsman.Anonymous, ResourceURI: wsman.ClassPrefix + "CIM_ComputerSystem",
		Selectors: []wsman.Selector{{Name: "Name", Value: "host"}},
	}, m.Selectors[1].EPR)
	require.Equal(t, "PartComponent", m.Selectors[2].Name)
	require.Equal(t, &wsman.EPR{
		ResourceURI: wsman.ClassPrefix + "CIM_StorageVolume",
		Selectors:   []wsman.Selector{{Name: "DeviceID", Value: "7"}},
	}, m.Selectors[2].EPR)
	require.Nil(t, m.Body)
}

func TestDecodeOpenwsman(t *testing.T) {
	m := decoded(t, "openwsman_pull.xml")
	require.Equal(t, wsman.ActionPull, m.Action)
	require.Equal(t, "ctx-1", ChildText(m.Body, wsman.NSEnumeration, "EnumerationContext"))
	require.Empty(t, m.NotUnderstood)
	require.Zero(t, m.MaxEnvelopeSize)
	require.Zero(t, m.Timeout)
}

func TestDecodeIdentify(t *testing.T) {
	m := decoded(t, "identify.xml")
	require.Empty(t, m.Action)
	require.True(t, Is(m.Body, wsman.NSIdentity, "Identify"))
}

// envelope makes a message of header blocks; s, a, w, p are declared.
func envelope(headers, body string) []byte {
	return []byte(`<s:Envelope xmlns:s="` + wsman.NSSOAP + `" xmlns:a="` + wsman.NSAddressing + `" xmlns:w="` + wsman.NSWSMan +
		`" xmlns:p="` + wsman.NSMicrosoft + `"><s:Header>` + headers + `</s:Header><s:Body>` + body + `</s:Body></s:Envelope>`)
}

func TestDecodeMustUnderstand(t *testing.T) {
	const block = `<q:X xmlns:q="urn:q" s:mustUnderstand="%"/>`
	for value, want := range map[string]int{"true": 1, "TRUE": 1, " 1 ": 1, "false": 0, "0": 0, "": 0} {
		m, err := Decode(envelope(strings.Replace(block, "%", value, 1), ""), "", Limits{})
		require.NoError(t, err)
		require.Len(t, m.NotUnderstood, want, "mustUnderstand=%q", value)
	}
	m, err := Decode(envelope(`<q:X xmlns:q="urn:q" s:mustUnderstand="true" s:role="urn:other"/>`+
		`<p:SessionId s:mustUnderstand="true">x</p:SessionId><w:Unheard s:mustUnderstand="true"/>`, ""), "", Limits{})
	require.NoError(t, err)
	require.Equal(t, []wsman.QName{{Space: wsman.NSWSMan, Local: "Unheard"}}, m.NotUnderstood)
}

func TestDecodeFlags(t *testing.T) {
	m, err := Decode(envelope(`<w:Locale xml:lang="de" s:mustUnderstand="1"/><w:FragmentTransfer s:mustUnderstand="true">Name</w:FragmentTransfer>`+
		`<a:RelatesTo> uuid:Mixed-Case </a:RelatesTo>`, ""), "", Limits{})
	require.NoError(t, err)
	require.True(t, m.LocaleRequired)
	require.True(t, m.Fragment)
	require.Equal(t, "de", m.Locale)
	require.Equal(t, "uuid:Mixed-Case", m.RelatesTo)
	require.Empty(t, m.NotUnderstood)
}

// A wrong header is a fault, and the answer can still say what it relates to.
func TestDecodeWrongHeaders(t *testing.T) {
	const id = `<a:MessageID>uuid:1</a:MessageID>`
	for name, c := range map[string]struct{ headers, subcode, detail string }{
		"size":             {`<w:MaxEnvelopeSize>many</w:MaxEnvelopeSize>`, "InvalidMessageInformationHeader", ""},
		"negative size":    {`<w:MaxEnvelopeSize>-1</w:MaxEnvelopeSize>`, "InvalidMessageInformationHeader", ""},
		"timeout":          {`<w:OperationTimeout>soon</w:OperationTimeout>`, "InvalidMessageInformationHeader", "InvalidTimeout"},
		"no time":          {`<w:OperationTimeout>PT0S</w:OperationTimeout>`, "InvalidMessageInformationHeader", "InvalidTimeout"},
		"negative timeout": {`<w:OperationTimeout>-PT5S</w:OperationTimeout>`, "InvalidMessageInformationHeader", "InvalidTimeout"},
		"two actions":      {`<a:Action>x</a:Action><a:Action>y</a:Action>`, "InvalidMessageInformationHeader", ""},
		"empty action":     {`<a:Action> </a:Action>`, "InvalidMessageInformationHeader", ""},
		"nameless":         {`<w:SelectorSet><w:Selector>x</w:Selector></w:SelectorSet>`, "InvalidSelectors", ""},
		"two sets":         {`<w:SelectorSet/><w:SelectorSet/>`, "InvalidMessageInformationHeader", ""},
		"no reply address": {`<a:ReplyTo/>`, "InvalidMessageInformationHeader", ""},
		"no fault address": {`<a:FaultTo><a:Address> </a:Address></a:FaultTo>`, "InvalidMessageInformationHeader", ""},
		"long action":      {`<a:Action>urn:` + strings.Repeat("x", 2045) + `</a:Action>`, "EncodingLimit", "URILimitExceeded"},
		"many selectors":   {`<w:SelectorSet>` + strings.Repeat(`<w:Selector Name="a">b</w:Selector>`, 65) + `</w:SelectorSet>`, "EncodingLimit", "SelectorLimit"},
		"many options":     {`<w:OptionSet>` + strings.Repeat(`<w:Option Name="a">b</w:Option>`, 257) + `</w:OptionSet>`, "EncodingLimit", "OptionLimit"},
	} {
		m, err := Decode(envelope(c.headers+id, ""), "", Limits{})
		f, ok := errors.AsType[*wsman.Fault](err)
		require.True(t, ok, name)
		require.Equal(t, c.subcode, f.Subcode.Local, name)
		require.Equal(t, c.detail, f.Detail[strings.LastIndexByte(f.Detail, '/')+1:], name)
		require.NotNil(t, m, name)
		require.Equal(t, "uuid:1", m.MessageID, name)
		require.NotErrorIs(t, err, ErrNotSOAP, name)
	}
}

func TestDecodeNotSOAP(t *testing.T) {
	const soap = `xmlns:s="http://www.w3.org/2003/05/soap-envelope"`
	for name, c := range map[string]struct {
		text    string
		notSOAP bool
		code    wsman.Code
	}{
		"empty":           {"", true, wsman.Sender},
		"text":            {"hello", true, wsman.Sender},
		"json":            {`{"a":1}`, true, wsman.Sender},
		"other root":      {`<html/>`, true, wsman.Sender},
		"cut off":         {`<s:Envelope ` + soap + `><s:Body>`, true, wsman.Sender},
		"crossed tags":    {`<s:Envelope ` + soap + `><s:Body></s:Envelope></s:Body>`, true, wsman.Sender},
		"DTD":             {`<!DOCTYPE a [<!ENTITY e "x">]><s:Envelope ` + soap + `><s:Body>&e;</s:Body></s:Envelope>`, true, wsman.Sender},
		"entity":          {`<s:Envelope ` + soap + `><s:Body>&e;</s:Body></s:Envelope>`, true, wsman.Sender},
		"instruction":     {`<?xml-stylesheet href="x"?><s:Envelope ` + soap + `><s:Body/></s:Envelope>`, true, wsman.Sender},
		"inner xml":       {`<s:Envelope ` + soap + `><s:Body><?xml version="1.0"?></s:Body></s:Envelope>`, true, wsman.Sender},
		"latin 1":         {`<?xml version="1.0" encoding="ISO-8859-1"?><s:Envelope ` + soap + `><s:Body/></s:Envelope>`, false, wsman.Sender},
		"bad UTF-8":       {`<s:Envelope ` + soap + "><s:Body>\xff</s:Body></s:Envelope>", true, wsman.Sender},
		"SOAP 1.1":        {`<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body/></s:Envelope>`, false, wsman.VersionMismatch},
		"no namespace":    {`<Envelope><Body/></Envelope>`, false, wsman.VersionMismatch},
		"no body":         {`<s:Envelope ` + soap + `><s:Header/></s:Envelope>`, false, wsman.Sender},
		"header in place": {`<s:Envelope ` + soap + `><s:Body/><s:Header/></s:Envelope>`, false, wsman.Sender},
		"two bodies":      {`<s:Envelope ` + soap + `><s:Body/><s:Body/></s:Envelope>`, false, wsman.Sender},
	} {
		m, err := Decode([]byte(c.text), "", Limits{})
		f, ok := errors.AsType[*wsman.Fault](err)
		require.True(t, ok, name)
		require.Nil(t, m.Body, name)
		require.Equal(t, c.notSOAP, errors.Is(err, ErrNotSOAP), name)
		require.Equal(t, c.code, f.Code, name)
		require.NotEmpty(t, f.Reason, name)
		require.NotContains(t, f.Reason, "%!", name)
	}
}

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"PT60.000S": time.Minute, "PT1M30S": 90 * time.Second, "P1DT2H": 26 * time.Hour, " PT0.5S ": 500 * time.Millisecond, "PT0S": 0,
	} {
		d, ok := ParseDuration(text)
		require.True(t, ok, text)
		require.Equal(t, want, d, text)
	}
	for _, text := range []string{"", "60", "-PT1S", "PT", "P1Y", "P2M", "PT1.S", "19990101000000.000000+000", "PT99999999999999999999S"} {
		_, ok := ParseDuration(text)
		require.False(t, ok, text)
	}
	require.Equal(t, "PT1.500S", FormatDuration(1500*time.Millisecond))
	require.Equal(t, "PT0.000S", FormatDuration(-time.Second))
}

func TestElementHelpers(t *testing.T) {
	e, err := Parse([]byte(`<r xmlns:a="urn:a" xml:lang="en" a:k="1" k="2" a:nil="TRUE"> x<!-- c -->y<![CDATA[<z>]]> <a:c/><c>t</c></r>`), Limits{})
	require.NoError(t, err)
	require.Equal(t, "xy<z>", Text(e))
	require.Equal(t, " xy<z> ", RawText(e))
	require.Equal(t, "c", FirstChild(e).Tag)
	require.Equal(t, "t", ChildText(e, "urn:none", "c")+ChildText(e, "", "missing")+Text(childList(e)[1]))
	v, ok := Attr(e, "urn:a", "k")
	require.True(t, ok)
	require.Equal(t, "1", v)
	v, _ = Attr(e, wsman.NSXML, "lang")
	require.Equal(t, "en", v)
	_, ok = Attr(e, "urn:b", "k")
	require.False(t, ok)
	require.True(t, IsNil(e))
	require.Empty(t, TypeName(e))
	require.Nil(t, FirstChild(nil))
	require.Empty(t, Text(nil))
	require.False(t, Is(nil, "", "x"))
}

// childList are the children as a slice.
func childList(e *Element) (all []*Element) {
	for c := range Children(e) {
		all = append(all, c)
	}
	return all
}
