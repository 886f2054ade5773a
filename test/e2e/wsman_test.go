package e2e

import (
	"encoding/xml"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
)

const identify = `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:i="http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"><s:Header/><s:Body><i:Identify/></s:Body></s:Envelope>`

// TestWSMan drives the endpoint with envelopes in the shapes of four families of
// clients, sent by curl and read by encoding/xml.
func TestWSMan(t *testing.T) {
	l := newLab(t)
	c := newCurl(t, l)
	l.volumes(2<<20, "v1", "v2", "v3")
	t.Run("identify", c.identify)
	t.Run("authentication", c.authentication)
	t.Run("UTF-16", c.utf16)
	t.Run("faults", c.faults)
	t.Run("setting data", c.settingData)
	t.Run("class", c.class)
	for _, f := range families {
		t.Run(f.name, func(t *testing.T) {
			t.Run("get", func(t *testing.T) { c.as(t, f.name).gets() })
			t.Run("enumerate", func(t *testing.T) { c.as(t, f.name).enumerations() })
			t.Run("invoke", func(t *testing.T) { c.as(t, f.name).invocations() })
		})
	}
}

func (c *curl) identify(t *testing.T) {
	c = c.as(t, "powershell")
	for name, args := range map[string][]string{
		"nobody": {"--header", "WSMANIDENTIFY: unauthenticated"}, "admin": {"--user", "admin:" + c.d.Password()},
	} {
		a := c.post([]byte(identify), "UTF-8", args...)
		require.Equal(t, 200, a.status, name)
		answer := a.envelope.child("Body").child("IdentifyResponse")
		require.Equal(t, "http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd", answer.XMLName.Space)
		require.Equal(t, "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd", answer.text("ProtocolVersion"))
		require.Contains(t, answer.text("ProductVersion"), "Stack: 3.0")
	}
}

// authentication: without a password nothing, and the connection is kept.
func (c *curl) authentication(t *testing.T) {
	c = c.as(t, "powershell")
	text, _ := c.envelope(message{action: uriGet, class: "CIM_ReplicationService"})
	for name, args := range map[string][]string{"nobody": nil, "wrong password": {"--user", "admin:wrong"}, "nobody we know": {"--user", "x:y"}} {
		a := c.post([]byte(text), "UTF-8", args...)
		require.Equal(t, 401, a.status, name)
		require.Contains(t, strings.ToLower(a.header), "www-authenticate: basic")
	}
	a := c.post([]byte(text), "UTF-8", "--anyauth", "--user", "admin:"+c.d.Password())
	require.Equal(t, 200, a.status)
	require.Contains(t, a.header, "401", "curl asked without the password first")
	require.Equal(t, 1, a.connections, "a 401 keeps the connection")
}

// utf16: an answer is in the character set of the request.
func (c *curl) utf16(t *testing.T) {
	c = c.as(t, "powershell")
	c.volumes(1<<20, "große Ähre 𝄞")
	text, _ := c.envelope(message{action: uriEnumerate, class: "CIM_StorageVolume", body: enumerate("", true, 100, "")})
	a := c.post(toUTF16(text), "UTF-16", "--user", "admin:"+c.d.Password())
	require.Equal(t, 200, a.status)
	require.Contains(t, strings.ToLower(a.header), "charset=utf-16")
	var names []string
	for _, n := range a.envelope.all("ElementName") {
		names = append(names, n.Text)
	}
	require.Contains(t, names, "große Ähre 𝄞")
	c.d.Must("volume", "delete", "große Ähre 𝄞")
}

// volumeSelectors are the keys of a volume.
func (c *curl) volumeSelectors(volume string) []selector {
	c.t.Helper()
	var out []selector
	for _, k := range c.refs(volume)[0].(*cim.Path).Keys {
		out = append(out, selector{k.Name, k.Value.(string)})
	}
	return out
}

// epr is the content of an endpoint reference.
func (c *curl) epr(class string, keys []selector) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<a:Address>http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:Address><a:ReferenceParameters><w:ResourceURI>%s</w:ResourceURI><w:SelectorSet>`, c.uri(class))
	for _, k := range keys {
		fmt.Fprintf(&b, `<w:Selector Name="%s">%s</w:Selector>`, k.Name, k.Value)
	}
	b.WriteString(`</w:SelectorSet></a:ReferenceParameters>`)
	return b.String()
}

func (c *curl) volumeEPR(volume string) string {
	return c.epr("CIM_StorageVolume", c.volumeSelectors(volume))
}

func (c *curl) gets() {
	body := c.ok(message{action: uriGet, class: "CIM_StorageVolume", selectors: c.volumeSelectors("v1")})
	require.Equal(c.t, "TWINLUN_StorageVolume", body.Nodes[0].XMLName.Local, "a base class reaches the instance")
	require.Equal(c.t, c.prefix()+"TWINLUN_StorageVolume", body.Nodes[0].XMLName.Space)
	require.Equal(c.t, "v1", body.text("ElementName"))
	require.Equal(c.t, "4096", body.text("NumberOfBlocks"))
	body = c.ok(message{action: uriGet, class: "CIM_ReplicationService"})
	require.Equal(c.t, "TWINLUN_ReplicationService", body.text("CreationClassName"), "the one instance needs no keys")
}

// enumerate is the body of an Enumerate.
func enumerate(mode string, optimized bool, most int, filter string) string {
	body := "<n:Enumerate>"
	if optimized {
		body += fmt.Sprintf("<w:OptimizeEnumeration/><w:MaxElements>%d</w:MaxElements>", most)
	}
	if mode != "" {
		body += "<w:EnumerationMode>" + mode + "</w:EnumerationMode>"
	}
	return body + filter + "</n:Enumerate>"
}

const (
	nsEnumeration = "http://schemas.xmlsoap.org/ws/2004/09/enumeration"
	nsWSMan       = "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"
)

// list enumerates and pulls to the end, and returns the items.
func (c *curl) list(class, mode string, optimized bool, filter string) []node {
	c.t.Helper()
	body := c.ok(message{action: uriEnumerate, class: class, body: enumerate(mode, optimized, 2, filter)})
	response := body.child("EnumerateResponse")
	items, space := response.child("Items").Nodes, nsWSMan
	if !optimized {
		require.Empty(c.t, items, "items were not asked for yet")
	}
	for range 100 {
		context, end := response.text("EnumerationContext"), response.child("EndOfSequence")
		if end.XMLName.Local != "" {
			require.Equal(c.t, space, end.XMLName.Space)
			require.Empty(c.t, context, "an enumeration that is over has no context")
			return items
		}
		require.NotEmpty(c.t, context)
		pull := "<n:Pull><n:EnumerationContext>" + context + "</n:EnumerationContext><n:MaxElements>2</n:MaxElements></n:Pull>"
		response = c.ok(message{action: uriPull, class: class, body: pull}).child("PullResponse")
		got := response.child("Items")
		require.LessOrEqual(c.t, len(got.Nodes), 2)
		items, space = append(items, got.Nodes...), nsEnumeration
	}
	require.Fail(c.t, "an enumeration without an end")
	return nil
}

func (c *curl) enumerations() {
	have := len(c.lab.list("CIM_StorageVolume"))
	for _, optimized := range []bool{true, false} {
		for mode, want := range map[string]xml.Name{
			"":                      {Space: c.prefix() + "TWINLUN_StorageVolume", Local: "TWINLUN_StorageVolume"},
			"EnumerateEPR":          {Space: "http://schemas.xmlsoap.org/ws/2004/08/addressing", Local: "EndpointReference"},
			"EnumerateObjectAndEPR": {Space: nsWSMan, Local: "Item"},
		} {
			items := c.list("CIM_StorageVolume", mode, optimized, "")
			require.Len(c.t, items, have, "%s, optimized %t", mode, optimized)
			for _, item := range items {
				require.Equal(c.t, want, item.XMLName)
				if mode != "" {
					require.Len(c.t, item.all("Selector"), 4+len(c.namespaceSelector()))
				}
			}
		}
	}
	require.Len(c.t, c.list(uriAll, "EnumerateObjectAndEPR", true, c.filter("AssociatedInstances", "v1", "CIM_ComputerSystem")), 1, "associators")
	links := c.list(uriAll, "", false, c.filter("AssociationInstances", "v1", "CIM_SystemDevice"))
	require.Len(c.t, links, 1, "references")
	require.Contains(c.t, links[0].text("PartComponent")+links[0].child("PartComponent").text("ResourceURI"), "StorageVolume")
	c.release()
}

// namespaceSelector is the selector that an endpoint reference has besides the keys.
func (c *curl) namespaceSelector() []selector {
	if c.family == "winrm" {
		return nil // the namespace is in the URI
	}
	return []selector{{"__cimnamespace", ""}}
}

// filter is an association filter.
func (c *curl) filter(kind, volume, result string) string {
	return `<w:Filter Dialect=" http://schemas.dmtf.org/wbem/wsman/1/cimbinding/associationFilter"><b:` + kind + `><b:Object>` + c.volumeEPR(volume) +
		`</b:Object><b:ResultClassName>` + result + `</b:ResultClassName></b:` + kind + `></w:Filter>`
}

// release ends an enumeration; its context is then worth nothing.
func (c *curl) release() {
	body := c.ok(message{action: uriEnumerate, class: "CIM_StorageVolume", body: enumerate("", false, 0, "")})
	context := "<n:EnumerationContext>" + body.text("EnumerationContext") + "</n:EnumerationContext>"
	c.ok(message{action: uriRelease, class: "CIM_StorageVolume", body: "<n:Release>" + context + "</n:Release>"})
	a := c.send(message{action: uriPull, class: "CIM_StorageVolume", body: "<n:Pull>" + context + "</n:Pull>"})
	require.Equal(c.t, 500, a.status)
	require.Contains(c.t, a.envelope.child("Body").text("Subcode")+string(a.raw), "InvalidEnumerationContext")
}

// input is the body of a call of the replication service.
func (c *curl) input(method, params string) string {
	return fmt.Sprintf(`<r:%s_INPUT xmlns:r="%s" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="%s_INPUT_Type">%s</r:%[1]s_INPUT>`,
		method, c.uri("CIM_ReplicationService"), method, params)
}

// invoke calls a method of the replication service, which must be answered.
func (c *curl) invoke(method, params string) node {
	c.t.Helper()
	body := c.ok(message{action: method, class: "CIM_ReplicationService", body: c.input(method, params)})
	out := body.child(method + "_OUTPUT")
	require.Equal(c.t, c.uri("CIM_ReplicationService"), out.XMLName.Space)
	return out
}

func (c *curl) invocations() {
	param := func(name, content string) string { return "<r:" + name + ">" + content + "</r:" + name + ">" }
	wrapped := func(volume string) string {
		return "<a:EndpointReference>" + c.volumeEPR(volume) + "</a:EndpointReference>"
	}
	null := func(name string) string { return "<r:" + name + ` xsi:nil="true"/>` }
	name := c.family + "-"
	out := c.invoke(createList, param("SyncType", " 7 ")+param("SourceElements", c.volumeEPR("v1"))+param("SourceElements", wrapped("v2"))+
		param("ElementNames", name+"1")+param("ElementNames", name+"2")+null("TargetPool")+null("TargetElements")+null("ReplicationSettingData")+null("Mode"))
	require.Equal(c.t, "0", out.text("ReturnValue"), string(fmt.Sprint(out)))
	require.Len(c.t, out.all("TargetElements"), 2)
	pairs := out.all("Synchronizations")
	require.Len(c.t, pairs, 2)
	require.Equal(c.t, "Address", pairs[0].Nodes[0].XMLName.Local, "references are inline")
	var keys []selector
	require.Len(c.t, pairs[0].child("ReferenceParameters").child("SelectorSet").Nodes, 2+len(c.namespaceSelector()), "two references are the keys")
	got := c.ok(message{action: uriGet, class: "CIM_StorageVolume", selectors: c.selectorsIn(out.all("TargetElements")[1], keys)})
	require.Equal(c.t, name+"2", got.text("ElementName"), "an answer's reference can be used")
	found := c.list(uriAll, "", true, c.filter("AssociationInstances", name+"1", "CIM_StorageSynchronized"))
	require.Len(c.t, found, 1)
	require.Equal(c.t, "4", found[0].text("CopyState"))
	require.NotEmpty(c.t, c.invoke(createGroup, param("SyncType", "7")+param("RelationshipName", c.family)+param("SourceElements", c.volumeEPR("v3"))).text("SourceGroupName"))
	refused := c.send(message{action: createList, class: "CIM_ReplicationService", body: c.input(createList, param("SyncType", "5")+param("SourceElements", c.volumeEPR("v1")))})
	require.Equal(c.t, "5", refused.envelope.child("Body").text("ReturnValue"))
	require.Contains(c.t, refused.envelope.child("Header").text("Reason"), "SyncType")
}

// selectorsIn are those of a reference in an answer.
func (c *curl) selectorsIn(ref node, out []selector) []selector {
	for _, s := range ref.all("Selector") {
		for _, a := range s.Attrs {
			if a.Name.Local == "Name" && a.Value != "__cimnamespace" {
				out = append(out, selector{a.Value, s.Text})
			}
		}
	}
	return out
}

// settingData: an embedded instance comes as an element or as text.
func (c *curl) settingData(t *testing.T) {
	c = c.as(t, "powershell")
	element := `<x:Pairing xmlns:x="` + c.uri("CIM_ReplicationSettingData") + `">%s</x:Pairing>`
	text := `&lt;INSTANCE CLASSNAME="CIM_ReplicationSettingData"&gt;&lt;PROPERTY NAME="Pairing" TYPE="uint16"&gt;&lt;VALUE&gt;%s&lt;/VALUE&gt;&lt;/PROPERTY&gt;&lt;/INSTANCE&gt;`
	instance := `&lt;q:CIM_ReplicationSettingData xmlns:q="` + c.uri("CIM_ReplicationSettingData") + `"&gt;&lt;q:Pairing&gt;%s&lt;/q:Pairing&gt;&lt;/q:CIM_ReplicationSettingData&gt;`
	for form, content := range map[string]string{"element": element, "CIM-XML text": text, "WS-CIM text": instance} {
		for value, want := range map[string]string{"3": "0", "4": "1", "99": "5"} {
			out := c.invoke(createList, "<r:SyncType>7</r:SyncType><r:SourceElements>"+c.volumeEPR("v1")+`</r:SourceElements><r:ReplicationSettingData xsi:type="CIM_ReplicationSettingData_Type">`+
				fmt.Sprintf(content, value)+"</r:ReplicationSettingData>")
			require.Equal(t, want, out.text("ReturnValue"), "%s, Pairing %s", form, value)
		}
	}
}

// class reads a class as PowerShell does.
func (c *curl) class(t *testing.T) {
	c = c.as(t, "powershell")
	body := c.ok(message{action: uriGet, class: uriSchema, selectors: []selector{{"ClassName", "CIM_ReplicationService"}}})
	require.Equal(t, xml.Name{Local: "CLASS"}, body.Nodes[0].XMLName)
	methods := map[string]int{}
	for _, m := range body.all("METHOD") {
		methods[m.Attrs[0].Value] = len(m.all("PARAMETER")) + len(m.all("PARAMETER.ARRAY")) + len(m.all("PARAMETER.REFERENCE")) + len(m.all("PARAMETER.REFARRAY"))
	}
	require.Equal(t, 16, methods[createList], "%v", methods)
	require.Contains(t, methods, createGroup)
}

// faults: what cannot be done says why in the words of the standard.
func (c *curl) faults(t *testing.T) {
	c = c.as(t, "powershell")
	keys := c.volumeSelectors("v1")
	wrong := append([]selector{{"Colour", "red"}}, keys...)
	for name, f := range map[string]struct {
		message
		subcode string
	}{
		"class":     {message{action: uriGet, class: "CIM_Nothing"}, "DestinationUnreachable"},
		"method":    {message{action: "Fly", class: "CIM_ReplicationService", body: c.input("Fly", "")}, "ActionNotSupported"},
		"parameter": {message{action: createList, class: "CIM_ReplicationService", body: c.input(createList, "<r:Colour>1</r:Colour>")}, "InvalidParameter"},
		"value":     {message{action: createList, class: "CIM_ReplicationService", body: c.input(createList, "<r:SyncType>x</r:SyncType>")}, "InvalidParameter"},
		"selector":  {message{action: uriGet, class: "CIM_StorageVolume", selectors: wrong}, "InvalidSelectors"},
		"few keys":  {message{action: uriGet, class: "CIM_StorageVolume", selectors: keys[:1]}, "InvalidSelectors"},
		"many":      {message{action: uriGet, class: "CIM_StorageVolume"}, "InvalidSelectors"},
		"action":    {message{action: "http://example.com/Do", class: "CIM_StorageVolume", selectors: keys}, "ActionNotSupported"},
		"filter":    {message{action: uriEnumerate, class: uriAll, body: enumerate("", true, 9, `<w:Filter Dialect="http://example.com/x">x</w:Filter>`)}, "FilterDialectRequestedUnavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			a := c.as(t, "powershell").send(f.message)
			require.Equal(t, 500, a.status)
			fault := a.envelope.child("Body").child("Fault")
			require.Equal(t, "http://www.w3.org/2003/05/soap-envelope", fault.XMLName.Space)
			require.Contains(t, fault.child("Code").child("Subcode").text("Value"), f.subcode)
			require.NotEmpty(t, fault.child("Reason").text("Text"))
		})
	}
	a := c.post([]byte("this is no envelope"), "UTF-8", "--user", "admin:"+c.d.Password())
	require.Equal(t, 400, a.status)
}
