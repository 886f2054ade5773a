package eventing_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/wsman"
	"twinlun/wsman/eventing"
	"twinlun/wsman/soap"
)

// envelope is a Subscribe with this body, and these headers.
func envelope(body, headers string) string {
	return `<s:Envelope xmlns:s="` + wsman.NSSOAP + `" xmlns:a="` + wsman.NSAddressing + `" xmlns:e="` + wsman.NSEventing + `" xmlns:w="` + wsman.NSWSMan +
		`" xmlns:t="` + wsman.NSTrust + `" xmlns:o="` + wsman.NSSecurity + `"><s:Header><w:ResourceURI>` + wsman.AllClassesURI + `</w:ResourceURI>` + headers +
		`</s:Header><s:Body>` + body + `</s:Body></s:Envelope>`
}

func subscribeBody(mode, delivery, rest string) string {
	return `<e:Subscribe><e:Delivery Mode="` + mode + `">` + delivery + `</e:Delivery>` + rest + `</e:Subscribe>`
}

const (
	notify = `<e:NotifyTo><a:Address> https://sink.example/x </a:Address></e:NotifyTo>`
	wql    = `<w:Filter Dialect=" ` + wsman.DialectWQL + `">select * from CIM_Indication</w:Filter>`
)

func read(t testing.TB, body, headers string) (*eventing.Request, error) {
	t.Helper()
	m, err := soap.Decode([]byte(envelope(body, headers)), "", soap.Limits{})
	require.NoError(t, err)
	return eventing.ReadSubscribe(m, eventing.Limits{})
}

func token(address string) string {
	return `<t:IssuedTokens><t:RequestSecurityTokenResponse><t:RequestedSecurityToken><o:UsernameToken><o:Username>u</o:Username>` +
		`<o:Password> p w </o:Password></o:UsernameToken></t:RequestedSecurityToken><x:AppliesTo xmlns:x="urn:policy"><a:EndpointReference>` +
		`<a:Address>` + address + `</a:Address></a:EndpointReference></x:AppliesTo></t:RequestSecurityTokenResponse></t:IssuedTokens>`
}

func TestReadSubscribe(t *testing.T) {
	r, err := read(t, `<e:Subscribe><e:EndTo><a:Address>http://end.example/</a:Address><a:ReferenceParameters><x:K xmlns:x="urn:x" a="1"><x:L>v</x:L></x:K></a:ReferenceParameters></e:EndTo>`+
		`<e:Delivery Mode="`+wsman.DeliveryEvents+`">`+notify+`<w:Heartbeats>PT30S</w:Heartbeats><w:ConnectionRetry Total="7">PT5S</w:ConnectionRetry>`+
		`<w:ContentEncoding>utf-16</w:ContentEncoding><w:MaxEnvelopeSize Policy="Notify">65536</w:MaxEnvelopeSize><w:MaxElements>50</w:MaxElements>`+
		`<w:MaxTime>PT10S</w:MaxTime><w:Locale xml:lang="de"/><w:Auth Profile="`+wsman.ProfileHTTPSBasic+`"/></e:Delivery><e:Expires>PT1H</e:Expires>`+
		wql+`<w:Bookmark> b </w:Bookmark><w:SendBookmarks/></e:Subscribe>`, token("http://other.example/")+token("https://sink.example/x"))
	require.Error(t, err, "the header is there twice, its second is not read")
	require.Nil(t, r)

	bookmark := "b"
	r, err = read(t, `<e:Subscribe><e:EndTo><a:Address>http://end.example/</a:Address><a:ReferenceParameters><x:K xmlns:x="urn:x" a="1"><x:L>v</x:L></x:K></a:ReferenceParameters></e:EndTo>`+
		`<e:Delivery Mode="`+wsman.DeliveryEvents+`">`+notify+`<w:Heartbeats>PT30S</w:Heartbeats><w:ConnectionRetry Total="7">PT5S</w:ConnectionRetry>`+
		`<w:ContentEncoding>utf-16</w:ContentEncoding><w:MaxEnvelopeSize Policy="Notify">65536</w:MaxEnvelopeSize><w:MaxElements>50</w:MaxElements>`+
		`<w:MaxTime>PT10S</w:MaxTime><w:Locale xml:lang="de"/><w:Auth Profile="`+wsman.ProfileHTTPSBasic+`"/></e:Delivery><e:Expires>PT1H</e:Expires>`+
		wql+`<w:Bookmark> b </w:Bookmark><w:SendBookmarks/></e:Subscribe>`, token("https://sink.example/x"))
	require.NoError(t, err)
	require.Equal(t, &eventing.Request{
		ResourceURI: wsman.AllClassesURI, Query: cim.Query{Language: cim.LanguageWQL, Text: "select * from CIM_Indication"}, Mode: wsman.DeliveryEvents,
		NotifyTo: &eventing.Endpoint{Address: "https://sink.example/x"},
		EndTo: &eventing.Endpoint{Address: "http://end.example/", Blocks: []eventing.Block{{
			Space: "urn:x", Local: "K", Attrs: []eventing.Attr{{Local: "a", Value: "1"}}, Children: []eventing.Block{{Space: "urn:x", Local: "L", Text: "v"}},
		}}},
		Expires: eventing.Expiry{After: time.Hour}, Heartbeat: 30 * time.Second, SendBookmarks: true, Bookmark: &bookmark, UTF16: true,
		Retries: 7, RetryEvery: 5 * time.Second, Envelope: 65536, Oversize: eventing.Notify, MaxElements: 50, MaxTime: 10 * time.Second,
		Credentials: &eventing.Credentials{User: "u", Password: " p w "},
	}, r)

	r, err = read(t, `<e:Subscribe><e:Delivery>`+notify+`</e:Delivery><e:Filter Dialect="`+wsman.DialectCQL+`">q</e:Filter></e:Subscribe>`, "")
	require.NoError(t, err)
	require.Equal(t, wsman.DeliveryPush, r.Mode, "the mode that is meant where none is named")
	require.Equal(t, cim.Query{Language: cim.LanguageCQL, Text: "q"}, r.Query)

	r, err = read(t, subscribeBody(wsman.DeliveryPull, `<e:NotifyTo><a:Address>nonsense</a:Address></e:NotifyTo>`, `<e:Expires>2030-01-01T00:00:00Z</e:Expires>`), "")
	require.NoError(t, err, "Pull needs no address")
	require.Equal(t, time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC), r.Expires.At.UTC())
	require.Nil(t, r.NotifyTo)
}

func TestReadSubscribeRefuses(t *testing.T) {
	push := func(delivery string) string { return subscribeBody(wsman.DeliveryPush, notify+delivery, "") }
	pull := func(rest string) string { return subscribeBody(wsman.DeliveryPull, "", rest) }
	to := func(inner string) string {
		return subscribeBody(wsman.DeliveryPush, `<e:NotifyTo>`+inner+`</e:NotifyTo>`, "")
	}
	header := func(block string) string {
		return to(`<a:Address>http://x.example</a:Address><a:ReferenceProperties>` + block + `</a:ReferenceProperties>`)
	}
	for name, c := range map[string]struct{ body, subcode, detail string }{
		"other body":      {`<e:Renew/>`, "SchemaValidationError", ""},
		"no delivery":     {`<e:Subscribe/>`, "InvalidMessage", ""},
		"mode":            {subscribeBody("urn:mode", notify, ""), "DeliveryModeRequestedUnavailable", ""},
		"empty mode":      {subscribeBody("", notify, ""), "DeliveryModeRequestedUnavailable", ""},
		"no NotifyTo":     {subscribeBody(wsman.DeliveryPushWithAck, "", ""), "InvalidMessage", ""},
		"no address":      {to(""), "InvalidMessage", ""},
		"anonymous":       {to(`<a:Address>` + wsman.Anonymous + `</a:Address><x/>`), "", ""},
		"file":            {to(`<a:Address>file:///etc/passwd</a:Address>`), "InvalidMessage", ""},
		"gopher":          {to(`<a:Address>gopher://x/</a:Address>`), "InvalidMessage", ""},
		"user in address": {to(`<a:Address>http://u:p@x.example/</a:Address>`), "InvalidMessage", ""},
		"policy":          {to(`<a:Address>http://x.example/</a:Address><c:Policy xmlns:c="urn:policy"/>`), "UnsupportedFeature", "AuthorizationMode"},
		"action header":   {header(`<a:Action>x</a:Action>`), "InvalidMessage", ""},
		"later action":    {header(`<a:Action xmlns:a="http://www.w3.org/2005/08/addressing">x</a:Action>`), "InvalidMessage", ""},
		"soap header":     {header(`<s:Body/>`), "InvalidMessage", ""},
		"ack header":      {header(`<w:AckRequested/>`), "InvalidMessage", ""},
		"large headers":   {header(`<x>` + strings.Repeat("y", 9000) + `</x>`), "InvalidMessage", ""},
		"many headers":    {header(strings.Repeat(`<x/>`, 1000)), "InvalidMessage", ""},
		"EndTo":           {pull(`<e:EndTo><a:Address>x</a:Address></e:EndTo>`), "InvalidMessage", ""},
		"heartbeat":       {push(`<w:Heartbeats>often</w:Heartbeats>`), "InvalidMessage", ""},
		"fast heartbeat":  {push(`<w:Heartbeats>PT0.1S</w:Heartbeats>`), "UnsupportedFeature", "Heartbeats"},
		"retries":         {push(`<w:ConnectionRetry Total="-1">PT1S</w:ConnectionRetry>`), "InvalidMessage", ""},
		"retry time":      {push(`<w:ConnectionRetry Total="1">soon</w:ConnectionRetry>`), "InvalidMessage", ""},
		"encoding":        {push(`<w:ContentEncoding>EBCDIC</w:ContentEncoding>`), "EncodingLimit", "CharacterSet"},
		"envelope":        {push(`<w:MaxEnvelopeSize>x</w:MaxEnvelopeSize>`), "InvalidMessage", ""},
		"small envelope":  {push(`<w:MaxEnvelopeSize>100</w:MaxEnvelopeSize>`), "EncodingLimit", "MinimumEnvelopeLimit"},
		"envelope policy": {push(`<w:MaxEnvelopeSize Policy="Hope">9000</w:MaxEnvelopeSize>`), "UnsupportedFeature", "MaxEnvelopePolicy"},
		"push batch":      {push(`<w:MaxElements>2</w:MaxElements>`), "UnsupportedFeature", "FormatMismatch"},
		"push time":       {push(`<w:MaxTime>PT2S</w:MaxTime>`), "UnsupportedFeature", "FormatMismatch"},
		"no elements":     {subscribeBody(wsman.DeliveryEvents, notify+`<w:MaxElements>0</w:MaxElements>`, ""), "InvalidMessage", ""},
		"no time":         {subscribeBody(wsman.DeliveryEvents, notify+`<w:MaxTime>PT0S</w:MaxTime>`, ""), "InvalidMessage", ""},
		"profile":         {push(`<w:Auth Profile="urn:kerberos"/>`), "UnsupportedFeature", "AuthorizationMode"},
		"thumbprint":      {push(`<w:Auth Profile="` + wsman.ProfileHTTPSBasic + `"><w:CertificateThumbprint/></w:Auth>`), "UnsupportedFeature", "AuthorizationMode"},
		"no token":        {push(`<w:Auth Profile="` + wsman.ProfileHTTPSBasic + `"/>`), "UnsupportedFeature", "FormatSecurityToken"},
		"insecure": {subscribeBody(wsman.DeliveryPush, `<e:NotifyTo><a:Address>http://x.example/</a:Address></e:NotifyTo><w:Auth Profile="`+
			wsman.ProfileHTTPSBasic+`"/>`, ""), "UnsupportedFeature", "InsecureAddress"},
		"two filters":    {pull(wql + `<e:Filter Dialect="` + wsman.DialectWQL + `">x</e:Filter>`), "InvalidMessage", ""},
		"dialect":        {pull(`<w:Filter>x</w:Filter>`), "FilteringRequestedUnavailable", ""},
		"empty filter":   {pull(`<w:Filter Dialect="` + wsman.DialectWQL + `"/>`), "CannotProcessFilter", ""},
		"large filter":   {pull(`<w:Filter Dialect="` + wsman.DialectWQL + `">` + strings.Repeat("x", 17000) + `</w:Filter>`), "CannotProcessFilter", ""},
		"zero":           {pull(`<e:Expires>PT0S</e:Expires>`), "InvalidExpirationTime", ""},
		"negative":       {pull(`<e:Expires>-PT5S</e:Expires>`), "InvalidExpirationTime", ""},
		"no time at all": {pull(`<e:Expires>tomorrow</e:Expires>`), "InvalidExpirationTime", ""},
		"bookmark":       {pull(`<w:Bookmark><x/></w:Bookmark>`), "InvalidBookmark", ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := read(t, c.body, "")
			if c.subcode == "" {
				c.subcode = "InvalidMessage"
				if name == "anonymous" && err == nil {
					return // a URL like others, which Allow and the connection decide about
				}
			}
			f := requireFault(t, err, c.subcode)
			require.Equal(t, c.detail, f.Detail[strings.LastIndexByte(f.Detail, '/')+1:])
		})
	}
}

// A block comes back as it was: names, namespaces, attributes, texts.
func TestReferencesComeBack(t *testing.T) {
	running(t, func(t *testing.T, w *world) {
		r, err := read(t, subscribeBody(wsman.DeliveryPush, `<e:NotifyTo><a:Address>`+sink+`</a:Address><a:ReferenceParameters>`+
			`<p:One xmlns:p="urn:one" p:at="&lt;1&gt;" plain="2" xml:lang="de">a &amp; b<q:Two xmlns:q="urn:two"/><Bare xmlns=""/></p:One>`+
			`<w:SelectorSet><w:Selector Name="k">v</w:Selector></w:SelectorSet></a:ReferenceParameters></e:NotifyTo>`, wql), "")
		require.NoError(t, err)
		r.Prefix = wsman.ClassPrefix
		w.subscribe(alice, r)
		w.happen("T_Alert", 1, 1)
		time.Sleep(time.Second)
		all := w.net.all()
		require.Len(t, all, 1)
		one := soap.Child(all[0].Header, "urn:one", "One")
		require.NotNil(t, one, all[0].text)
		at, _ := soap.Attr(one, "urn:one", "at")
		plain, _ := soap.Attr(one, "", "plain")
		lang, _ := soap.Attr(one, wsman.NSXML, "lang")
		require.Equal(t, "<1> 2 de", at+" "+plain+" "+lang)
		require.Equal(t, "a & b", soap.Text(one))
		require.NotNil(t, soap.Child(one, "urn:two", "Two"))
		ns, declared := soap.Namespace(soap.Child(one, "", "Bare"))
		require.True(t, declared && ns == "", ns)
		require.Equal(t, []wsman.Selector{{Name: "k", Value: "v"}}, all[0].Selectors)
	})
}

// Whatever is subscribed to in whatever words: there is a request within the limits,
// or a fault; and what is sent for it is well-formed.
func FuzzReadSubscribe(f *testing.F) {
	f.Add(subscribeBody(wsman.DeliveryPull, `<w:Heartbeats>PT60.000S</w:Heartbeats><w:ContentEncoding>UTF-16</w:ContentEncoding>`, `<e:Expires>PT60.000S</e:Expires>`+wql))
	f.Add(subscribeBody(wsman.DeliveryEvents, notify+`<w:MaxElements>5</w:MaxElements><w:MaxTime>PT1S</w:MaxTime>`, wql+`<w:SendBookmarks/>`))
	f.Add(subscribeBody(wsman.DeliveryPush, `<e:NotifyTo><a:Address>http://x</a:Address><a:ReferenceProperties><n:C xmlns:n="urn:x" n:a="1">7</n:C></a:ReferenceProperties></e:NotifyTo>`, wql))
	f.Add(subscribeBody(wsman.DeliveryPush, notify+`<w:Auth Profile="`+wsman.ProfileHTTPSBasic+`"/>`, `<w:Bookmark>x</w:Bookmark>`))
	in := newWorld(f).indication("T_Alert", 1, "x")
	f.Fuzz(func(t *testing.T, body string) {
		m, err := soap.Decode([]byte(envelope(body, token("https://sink.example/x"))), "", soap.Limits{})
		if err != nil {
			return
		}
		r, err := eventing.ReadSubscribe(m, eventing.Limits{})
		if err != nil {
			var fault *wsman.Fault
			require.ErrorAs(t, err, &fault)
			return
		}
		require.Equal(t, r.Mode == wsman.DeliveryPull, r.NotifyTo == nil)
		r.Prefix = wsman.ClassPrefix
		r.Query = cim.Query{Language: cim.LanguageWQL, Text: "select * from CIM_Indication"}
		text, err := eventing.EncodeForTest(r, in)
		require.NoError(t, err)
		if text != nil {
			_, err = soap.Decode(text, "", soap.Limits{Bytes: 8 << 20})
			require.NoError(t, err, string(text))
		}
	})
}
