package server

import (
	"fmt"
	"strings"

	"twinlun/wsman"
)

const (
	volumeURI  = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/T_Volume"
	serviceURI = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/T_Service"
	messageID  = "uuid:366DF5CE-7321-4A01-A15B-D84EB70484BF"
)

// message builds requests in the manner of one family of clients.
type message struct {
	action    string
	uri       string
	selectors [][2]string
	headers   string // further ones, as XML
	body      string
	timeout   string
	maxSize   int
	id        string
}

func (m message) selectorSet(prefix string) string {
	if len(m.selectors) == 0 {
		return ""
	}
	var b strings.Builder
	for _, s := range m.selectors {
		fmt.Fprintf(&b, `<%[1]s:Selector Name="%s">%s</%[1]s:Selector>`, prefix, s[0], s[1])
	}
	return fmt.Sprintf(`<%[1]s:SelectorSet>%[2]s</%[1]s:SelectorSet>`, prefix, b.String())
}

// windows is a message as CimCmdlets and winrm write it.
func (m message) windows() string {
	if m.maxSize == 0 {
		m.maxSize = 512000
	}
	if m.id == "" {
		m.id = messageID
	}
	timeout := ""
	if m.timeout != "" {
		timeout = "<w:OperationTimeout>" + m.timeout + "</w:OperationTimeout>"
	}
	return `<s:Envelope xmlns:s="` + wsman.NSSOAP + `" xmlns:a="` + wsman.NSAddressing + `" xmlns:n="` + wsman.NSEnumeration +
		`" xmlns:w="` + wsman.NSWSMan + `" xmlns:p="` + wsman.NSMicrosoft + `" xmlns:b="` + wsman.NSBinding + `"><s:Header>` +
		`<a:To>http://server:5985/wsman</a:To><w:ResourceURI s:mustUnderstand="true">` + "\n" + m.uri + `</w:ResourceURI>` +
		`<a:ReplyTo><a:Address s:mustUnderstand="true">` + wsman.Anonymous + `</a:Address></a:ReplyTo>` +
		`<a:Action s:mustUnderstand="true">` + m.action + "\n" + `</a:Action>` +
		fmt.Sprintf(`<w:MaxEnvelopeSize s:mustUnderstand="true">%d</w:MaxEnvelopeSize>`, m.maxSize) +
		`<a:MessageID>` + m.id + `</a:MessageID>` +
		`<w:Locale xml:lang="de-DE" s:mustUnderstand="false"/><p:DataLocale xml:lang="de-DE" s:mustUnderstand="false"/>` +
		`<p:ActivityId s:mustUnderstand="false">DEE76A48-606F-0002-C1FE-E7DE6F60CD01</p:ActivityId>` +
		`<p:SessionId s:mustUnderstand="false">uuid:91A8C559-19BC-4A5E-B99F-8A39CF77253E</p:SessionId>` +
		`<p:OperationID s:mustUnderstand="false">uuid:29FC5235-DB5F-4E11-88FF-76577CF56273</p:OperationID>` +
		`<p:SequenceId s:mustUnderstand="false">1</p:SequenceId>` + m.selectorSet("w") +
		m.windowsOptions() + timeout + m.headers + `</s:Header><s:Body>` + m.body + `</s:Body></s:Envelope>`
}

// windowsOptions are those that Windows always sends, unless there are others.
func (m message) windowsOptions() string {
	if strings.Contains(m.headers, "<w:OptionSet") {
		return ""
	}
	return `<w:OptionSet xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">` +
		`<w:Option Name="__MI_CallbackRegistration" Type="xs:int">11</w:Option>` +
		`<w:Option Name="wmiarray:__MI_OPERATIONOPTIONS_CHANNELVALUE" Type="xs:unsignedInt">0</w:Option>` +
		`<w:Option Name="wmiarray:__MI_OPERATIONOPTIONS_CHANNELVALUE" Type="xs:unsignedInt">1</w:Option>` +
		`<w:Option Name="msftwinrm:UsePreciseArrays" Type="xs:boolean">true</w:Option></w:OptionSet>`
}

// openwsman is a message as wsmancli writes it.
func (m message) openwsman() string {
	return `<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<s:Envelope xmlns:s="` + wsman.NSSOAP + `" xmlns:wsa="` + wsman.NSAddressing +
		`" xmlns:wsman="` + wsman.NSWSMan + `" xmlns:wsen="` + wsman.NSEnumeration + `" xmlns:wsmb="` + wsman.NSBinding + `"><s:Header>` +
		`<wsa:Action s:mustUnderstand="true">` + m.action + `</wsa:Action>` +
		`<wsa:To s:mustUnderstand="true">http://127.0.0.1:5985/wsman</wsa:To>` +
		`<wsman:ResourceURI s:mustUnderstand="true">` + m.uri + `</wsman:ResourceURI>` +
		`<wsa:MessageID s:mustUnderstand="true">uuid:f242b9e8-60d1-10d1-8002-01000000fc02</wsa:MessageID>` +
		`<wsa:ReplyTo><wsa:Address>` + wsman.Anonymous + `</wsa:Address></wsa:ReplyTo>` + m.selectorSet("wsman") + m.headers +
		`</s:Header><s:Body>` + m.body + `</s:Body></s:Envelope>`
}

// omi is a message as omicli writes it.
func (m message) omi() string {
	return `<s:Envelope xmlns:s="` + wsman.NSSOAP + `" xmlns:a="` + wsman.NSAddressing + `" xmlns:n="` + wsman.NSEnumeration +
		`" xmlns:w="` + wsman.NSWSMan + `" xmlns:xsi="http://www.w3.org/2001/XMLSchema" xmlns:h="http://schemas.microsoft.com/wbem/wsman/1/windows/shell" xmlns:p="` +
		wsman.NSMicrosoft + `" ><s:Header><a:To>HTTP://127.0.0.1:5985/wsman/</a:To>` +
		`<w:ResourceURI s:mustUnderstand="true">` + m.uri + `</w:ResourceURI>` +
		`<a:ReplyTo><a:Address s:mustUnderstand="true">` + wsman.Anonymous + `</a:Address></a:ReplyTo>` +
		`<a:Action>` + m.action + `</a:Action><w:MaxEnvelopeSize s:mustUnderstand="true">102400</w:MaxEnvelopeSize>` +
		`<a:MessageID>uuid:46745F91-60D2-0006-0000-000000010000</a:MessageID><w:OperationTimeout>PT1M30S</w:OperationTimeout>` +
		`<w:Locale xml:lang="en-us" s:mustUnderstand="false"/><p:DataLocale xml:lang="en-us" s:mustUnderstand="false"/>` +
		m.omiOptions() + m.selectorSet("w") + m.headers +
		`</s:Header><s:Body>` + m.body + `</s:Body></s:Envelope>`
}

// omiOptions is the empty set that omicli sends, unless there is another.
func (m message) omiOptions() string {
	if strings.Contains(m.headers, "<w:OptionSet") {
		return ""
	}
	return `<w:OptionSet s:mustUnderstand="true"></w:OptionSet>`
}

// families are the three ways to write a message.
func families() map[string]func(message) string {
	return map[string]func(message) string{"windows": message.windows, "openwsman": message.openwsman, "omi": message.omi}
}

func volumeKeys(id string) [][2]string {
	return [][2]string{{"__cimnamespace", testNamespace}, {"SystemName", "host"}, {"DeviceID", id}}
}

func getVolume(id string) message {
	return message{action: wsman.ActionGet, uri: volumeURI, selectors: volumeKeys(id)}
}

func enumerate(uri, inner string) message {
	return message{action: wsman.ActionEnumerate, uri: uri, body: `<n:Enumerate xmlns:n="` + wsman.NSEnumeration + `" xmlns:w="` + wsman.NSWSMan +
		`" xmlns:b="` + wsman.NSBinding + `" xmlns:a="` + wsman.NSAddressing + `">` + inner + `</n:Enumerate>`}
}

func pull(uri, context, inner string) message {
	return message{action: wsman.ActionPull, uri: uri, body: `<n:Pull xmlns:n="` + wsman.NSEnumeration + `"><n:EnumerationContext>` + context +
		`</n:EnumerationContext>` + inner + `</n:Pull>`}
}

func release(context string) message {
	return message{action: wsman.ActionRelease, uri: volumeURI, body: `<n:Release xmlns:n="` + wsman.NSEnumeration + `"><n:EnumerationContext>` + context +
		`</n:EnumerationContext></n:Release>`}
}

// invoke calls a method with input in the class's namespace, prefix p.
func invoke(uri, method, inner string, selectors ...[2]string) message {
	body := ""
	if inner != "" {
		body = fmt.Sprintf(`<p:%s_INPUT xmlns:p="%s" xmlns:a="%s" xmlns:w="%s">%s</p:%[1]s_INPUT>`, method, uri, wsman.NSAddressing, wsman.NSWSMan, inner)
	}
	return message{action: uri + "/" + method, uri: uri, selectors: selectors, body: body}
}

// refTo is the content of a parameter that refers to a volume.
func refTo(id string) string {
	return `<a:Address>` + wsman.Anonymous + `</a:Address><a:ReferenceParameters><w:ResourceURI>` + volumeURI + `</w:ResourceURI><w:SelectorSet>` +
		`<w:Selector Name="SystemName">host</w:Selector><w:Selector Name="DeviceID">` + id + `</w:Selector></w:SelectorSet></a:ReferenceParameters>`
}
