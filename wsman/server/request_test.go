package server

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/wsman"
	"twinlun/wsman/soap"
)

func TestHeaders(t *testing.T) {
	w := newWorld(t).withVolumes(1)
	good := getVolume("V0").windows()
	replace := func(old, new string) string {
		require.Contains(t, good, old)
		return strings.Replace(good, old, new, 1)
	}
	const id = `<a:MessageID>` + messageID + `</a:MessageID>`
	tests := []struct {
		name    string
		message string
		subcode string // empty: must work
		detail  string
	}{
		{"good", good, "", ""},
		{"no To", replace(`<a:To>http://server:5985/wsman</a:To>`, ""), "", ""},
		{"no ReplyTo", replace(`<a:ReplyTo><a:Address s:mustUnderstand="true">`+wsman.Anonymous+`</a:Address></a:ReplyTo>`, ""), "", ""},
		{"no MessageID", replace(id, ""), "a:MessageInformationHeaderRequired", ""},
		{"no Action", replace(`<a:Action s:mustUnderstand="true">`+wsman.ActionGet+"\n</a:Action>", ""), "a:MessageInformationHeaderRequired", ""},
		{"no ResourceURI", replace(`<w:ResourceURI s:mustUnderstand="true">`+"\n"+volumeURI+`</w:ResourceURI>`, ""), "a:DestinationUnreachable", "InvalidResourceURI"},
		{"ReplyTo elsewhere", replace(wsman.Anonymous, "http://other/"), "w:UnsupportedFeature", "AddressingMode"},
		{"FaultTo elsewhere", replace(id, id+`<a:FaultTo><a:Address>http://other/</a:Address></a:FaultTo>`), "w:UnsupportedFeature", "AddressingMode"},
		{"FaultTo here", replace(id, id+`<a:FaultTo><a:Address>`+wsman.Anonymous+`</a:Address></a:FaultTo>`), "", ""},
		{"small envelope", replace("512000", "8191"), "w:EncodingLimit", "MinimumEnvelopeLimit"},
		{"smallest envelope", replace("512000", "8192"), "", ""},
		{"bad envelope size", replace("512000", "big"), "a:InvalidMessageInformationHeader", ""},
		{"bad timeout", replace(id, id+`<w:OperationTimeout>soon</w:OperationTimeout>`), "a:InvalidMessageInformationHeader", "InvalidTimeout"},
		{"unknown header", replace(id, id+`<q:Blah xmlns:q="urn:q">x</q:Blah>`), "", ""},
		{"unknown header to understand", replace(id, id+`<q:Blah xmlns:q="urn:q" s:mustUnderstand="true">x</q:Blah>`), "s:MustUnderstand", ""},
		{"locale", replace(`<w:Locale xml:lang="de-DE" s:mustUnderstand="false"/>`, `<w:Locale xml:lang="de-DE" s:mustUnderstand="true"/>`), "w:UnsupportedFeature", "Locale"},
		{"our locale", replace(`<w:Locale xml:lang="de-DE" s:mustUnderstand="false"/>`, `<w:Locale xml:lang="en-GB" s:mustUnderstand="true"/>`), "", ""},
		{"fragment", replace(id, id+`<w:FragmentTransfer s:mustUnderstand="true">Size</w:FragmentTransfer>`), "", ""},
		{"fragment of an enumeration", strings.Replace(replace(id, id+`<w:FragmentTransfer s:mustUnderstand="true">Size</w:FragmentTransfer>`), wsman.ActionGet, wsman.ActionEnumerate, 1), "w:UnsupportedFeature", "FragmentLevelAccess"},
		{"option to comply with", replace(`<w:Option Name="__MI_CallbackRegistration"`, `<w:Option MustComply="true" Name="__MI_CallbackRegistration"`), "w:InvalidOptions", "NotSupported"},
		{"SOAP 1.1", strings.Replace(good, wsman.NSSOAP, wsman.NSSOAP11, 1), "s:VersionMismatch", ""},
		{"two Actions", replace(id, id+`<a:Action>`+wsman.ActionGet+`</a:Action>`), "a:InvalidMessageInformationHeader", ""},
		{"two MessageIDs", replace(id, id+id), "a:InvalidMessageInformationHeader", ""},
		{"two ResourceURIs", replace(id, id+`<w:ResourceURI>`+volumeURI+`</w:ResourceURI>`), "a:InvalidMessageInformationHeader", ""},
		{"empty Action", replace(wsman.ActionGet+"\n", ""), "a:InvalidMessageInformationHeader", ""},
		{"MessageID that is no URI", replace(messageID, "no  URI &amp; é"), "", ""},
		{"long ResourceURI", replace(volumeURI, volumeURI+strings.Repeat("x", 2048)), "w:EncodingLimit", "URILimitExceeded"},
		{"To of another", replace("http://server:5985/wsman", "http://other/x"), "", ""},
		{"From", replace(id, id+`<a:From><a:Address>http://me/</a:Address></a:From>`), "", ""},
		{"RelatesTo", replace(id, id+`<a:RelatesTo>uuid:nothing</a:RelatesTo>`), "", ""},
		{"ReplyTo nobody", replace(wsman.Anonymous, wsman.NSAddressing10+"/none"), "w:UnsupportedFeature", "AddressingMode"},
		{"ReplyTo here in the other version", replace(wsman.Anonymous, wsman.Anonymous10), "", ""},
		{"ReplyTo without address", replace(`<a:Address s:mustUnderstand="true">`+wsman.Anonymous+`</a:Address>`, ""), "a:InvalidMessageInformationHeader", ""},
		{"ReplyTo with too much", replace(`</a:Address>`, `</a:Address><a:ReferenceParameters><x>`+strings.Repeat("x", 5000)+`</x></a:ReferenceParameters>`), "a:InvalidMessageInformationHeader", ""},
		{"header for another", replace(id, id+`<q:Blah xmlns:q="urn:q" s:mustUnderstand="true" s:role="urn:proxy"/>`), "", ""},
		{"header for nobody", replace(id, id+`<q:Blah xmlns:q="urn:q" s:mustUnderstand="true" s:role="`+wsman.NSSOAP+`/role/none"/>`), "", ""},
		{"header for the next", replace(id, id+`<q:Blah xmlns:q="urn:q" s:mustUnderstand="true" s:role="`+wsman.NSSOAP+`/role/next"/>`), "s:MustUnderstand", ""},
		{"not understood before all else", replace(id, id+id+`<q:Blah xmlns:q="urn:q" s:mustUnderstand="true"/>`), "s:MustUnderstand", ""},
		{"shell header", replace(id, id+`<p:Shell s:mustUnderstand="true"/>`), "s:MustUnderstand", ""},
		{"data locale", replace(`<p:DataLocale xml:lang="de-DE" s:mustUnderstand="false"/>`, `<p:DataLocale xml:lang="de-DE" s:mustUnderstand="true"/>`), "", ""},
		{"locale of nothing", replace(`<w:Locale xml:lang="de-DE" s:mustUnderstand="false"/>`, `<w:Locale s:mustUnderstand="true"/>`), "w:UnsupportedFeature", "Locale"},
		{"policy", replace(`<w:MaxEnvelopeSize s:`, `<w:MaxEnvelopeSize Policy="Skip" s:`), "", ""},
		{"unknown policy", replace(`<w:MaxEnvelopeSize s:`, `<w:MaxEnvelopeSize Policy="Burn" s:`), "w:UnsupportedFeature", "MaxEnvelopePolicy"},
		{"huge envelope", replace("512000", "99999999999999999999"), "", ""},
		{"negative timeout", replace(id, id+`<w:OperationTimeout>-PT5S</w:OperationTimeout>`), "a:InvalidMessageInformationHeader", "InvalidTimeout"},
		{"zero timeout", replace(id, id+`<w:OperationTimeout>PT0.000S</w:OperationTimeout>`), "a:InvalidMessageInformationHeader", "InvalidTimeout"},
		{"a time for timeout", replace(id, id+`<w:OperationTimeout>2026-11-22T10:00:00Z</w:OperationTimeout>`), "a:InvalidMessageInformationHeader", "InvalidTimeout"},
		{"months", replace(id, id+`<w:OperationTimeout s:mustUnderstand="true">P1Y2M</w:OperationTimeout>`), "", ""},
		{"forever", replace(id, id+`<w:OperationTimeout>PT99999999999999999999S</w:OperationTimeout>`), "", ""},
		{"option that must be understood", replace(`<w:OptionSet `, `<w:OptionSet s:mustUnderstand="true" `), "", ""},
		{"known option to comply with", replace(`Name="__MI_CallbackRegistration"`, `MustComply="1" Name="wmi:IncludeQualifiers"`), "w:InvalidOptions", "InvalidValue"},
		{"nameless option to comply with", replace(`Name="__MI_CallbackRegistration"`, `MustComply="1"`), "w:InvalidOptions", "InvalidName"},
		{"duplicate selector", replace(`<w:Selector Name="SystemName">`, `<w:Selector Name="systemname">x</w:Selector><w:Selector Name="SystemName">`), "w:InvalidSelectors", "DuplicateSelectors"},
		{"two in the body", replace(`<s:Body>`, `<s:Body><x/><y/>`), "w:SchemaValidationError", ""},
		{"unknown action", replace(wsman.ActionGet, "urn:do-it"), "a:ActionNotSupported", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.subcode == "" {
				w.ok(t, tt.message)
				return
			}
			r := w.fails(t, tt.message, tt.subcode)
			require.Equal(t, tt.detail, r.faultDetail())
			if strings.Contains(tt.message, messageID) && tt.name != "SOAP 1.1" {
				require.Equal(t, messageID, r.RelatesTo)
			}
		})
	}
}

func TestMustUnderstandNamesTheHeader(t *testing.T) {
	w := newWorld(t)
	m := getVolume("V0")
	m.headers = `<q:Blah xmlns:q="urn:q" s:mustUnderstand="1">x</q:Blah>`
	r := w.fails(t, m.windows(), "s:MustUnderstand")
	require.Equal(t, wsman.ActionFaultAddressing, r.Action)
	qname, _ := soap.Attr(soap.Child(r.Header, wsman.NSSOAP, "NotUnderstood"), "", "qname")
	require.Equal(t, "q:Blah", qname)
}

func TestUnservedActions(t *testing.T) {
	w := newWorld(t).withVolumes(1)
	for _, action := range []string{wsman.ActionSubscribe, wsman.ActionUnsubscribe} {
		m := getVolume("V0")
		m.action = action
		r := w.fails(t, m.windows(), "a:ActionNotSupported")
		require.Contains(t, r.reason(), action)
	}
}

func TestEndOfFullDuplex(t *testing.T) {
	w := newWorld(t)
	for _, action := range []string{wsman.ActionEnd, wsman.ActionAckMS} {
		rec := w.serve(t, httpRequest(message{action: action, uri: wsman.FullDuplexURI}.windows()))
		require.Equal(t, http.StatusNoContent, rec.Code)
		require.Empty(t, rec.Body.String())
	}
}
