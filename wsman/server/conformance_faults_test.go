package server

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/wsman"
	"twinlun/wsman/soap"
)

// masterRow is a fault of the table in DSP0226 section 14.6 and a message that is
// answered with it.
type masterRow struct {
	subcode, detail string
	code            wsman.Code
	action          string
	body            string
}

// TestMasterFaultTable has the faults that one message alone can cause, each with its
// action, code, subcode and detail. Those of lists of causes have tables of their own.
func TestMasterFaultTable(t *testing.T) {
	w := newEventWorld(t)
	w.withVolumes(2)
	w.broker.put("T_Service", "Name", strings.Repeat("x", 9000))
	header := func(xml string) string {
		m := getVolume("V0")
		m.headers = xml
		return m.windows()
	}
	large := message{action: wsman.ActionGet, uri: serviceURI, maxSize: 8192}
	keys := func(set ...[2]string) string {
		return message{action: wsman.ActionGet, uri: volumeURI, selectors: set}.windows()
	}
	pulled := w.ok(t, enumerate(volumeURI, "").windows()).context()
	const (
		addressing, management = wsman.ActionFaultAddressing, wsman.ActionFaultWSMan
		enumerating, eventing  = wsman.ActionFaultEnumeration, wsman.ActionFaultEventing
	)
	rows := []masterRow{
		{"a:ActionNotSupported", "", wsman.Sender, addressing, message{action: "urn:none", uri: volumeURI}.windows()},
		{"a:ActionNotSupported", "ActionMismatch", wsman.Sender, addressing, message{action: serviceURI + "/Ping", uri: volumeURI, selectors: volumeKeys("V0")}.windows()},
		{"a:DestinationUnreachable", "InvalidResourceURI", wsman.Sender, addressing, getVolume("V9").windows()},
		{"a:InvalidMessageInformationHeader", "", wsman.Sender, addressing, header("<w:MaxEnvelopeSize>1</w:MaxEnvelopeSize>")},
		{"a:InvalidMessageInformationHeader", "InvalidTimeout", wsman.Sender, addressing, header("<w:OperationTimeout>x</w:OperationTimeout>")},
		{"a:MessageInformationHeaderRequired", "", wsman.Sender, addressing, strings.Replace(getVolume("V0").windows(), "<a:MessageID>"+messageID+"</a:MessageID>", "", 1)},
		{"s:MustUnderstand", "", wsman.MustUnderstand, addressing, header(`<q:X xmlns:q="urn:q" s:mustUnderstand="true"/>`)},
		{"s:VersionMismatch", "", wsman.VersionMismatch, addressing, strings.Replace(getVolume("V0").windows(), wsman.NSSOAP, wsman.NSSOAP11, 1)},

		{"w:AlreadyExists", "", wsman.Sender, management, fragmentOf(wsman.ActionCreate, "Size", "<Size>1</Size>").windows()},
		{"w:CannotProcessFilter", "", wsman.Sender, management, fragmentOf(wsman.ActionGet, "Caption[", "").windows()},
		{"w:FragmentDialectNotSupported", "", wsman.Receiver, management, header(`<w:FragmentTransfer Dialect="urn:x">x</w:FragmentTransfer>`)},
		{"w:EncodingLimit", "MaxEnvelopeSizeExceeded", wsman.Sender, management, large.windows()},
		{"w:EncodingLimit", "MinimumEnvelopeLimit", wsman.Sender, management, message{action: wsman.ActionGet, uri: serviceURI, maxSize: 100}.windows()},
		{"w:EncodingLimit", "OptionLimit", wsman.Sender, management, header("<w:OptionSet>" + strings.Repeat(`<w:Option Name="x"/>`, 257) + "</w:OptionSet>")},
		{"w:EncodingLimit", "SelectorLimit", wsman.Sender, management, keys(slices.Repeat([][2]string{{"x", "1"}}, 65)...)},
		{"w:EncodingLimit", "URILimitExceeded", wsman.Sender, management, message{action: wsman.ActionGet, uri: volumeURI + strings.Repeat("x", 2048)}.windows()},
		{"w:InvalidBookmark", "", wsman.Sender, management, windowsSubscribe("<w:Bookmark>x</w:Bookmark>")},
		{"w:InvalidOptions", "NotSupported", wsman.Sender, management, header(`<w:OptionSet><w:Option Name="x" MustComply="true"/></w:OptionSet>`)},
		{"w:InvalidParameter", "InvalidName", wsman.Sender, management, invoke(serviceURI, "Ping", "<p:None>1</p:None>").windows()},
		{"w:InvalidSelectors", "DuplicateSelectors", wsman.Sender, management, keys([2]string{"DeviceID", "V0"}, [2]string{"DeviceID", "V0"})},
		{"w:InvalidSelectors", "InsufficientSelectors", wsman.Sender, management, keys([2]string{"DeviceID", "V0"})},
		{"w:InvalidSelectors", "UnexpectedSelectors", wsman.Sender, management, keys([2]string{"Size", "1"})},
		{"w:SchemaValidationError", "", wsman.Sender, management, message{action: wsman.ActionEnumerate, uri: volumeURI}.windows()},
		{"w:UnsupportedFeature", "AddressingMode", wsman.Sender, management, header("<a:FaultTo><a:Address>http://x/</a:Address></a:FaultTo>")},
		{"w:UnsupportedFeature", "Locale", wsman.Sender, management, strings.Replace(getVolume("V0").windows(), `de-DE" s:mustUnderstand="false"`, `de-DE" s:mustUnderstand="true"`, 1)},

		{"x:InvalidRepresentation", "InvalidValues", wsman.Sender, wsman.ActionFaultTransfer, put("<v:Size>x</v:Size>").windows()},
		{"n:CannotProcessFilter", "", wsman.Sender, enumerating, enumerate(volumeURI, "<w:Filter>[</w:Filter>").windows()},
		{"n:FilterDialectRequestedUnavailable", "", wsman.Sender, enumerating, enumerate(volumeURI, `<w:Filter Dialect="urn:x">x</w:Filter>`).windows()},
		{"n:InvalidEnumerationContext", "", wsman.Receiver, enumerating, pull(volumeURI, "x", "").windows()},
		{"n:InvalidExpirationTime", "", wsman.Sender, enumerating, continuing(wsman.ActionRenew, "Renew", pulled, "<n:Expires>2001-01-01T00:00:00Z</n:Expires>").windows()},
		{"e:DeliveryModeRequestedUnavailable", "", wsman.Sender, eventing, strings.Replace(windowsSubscribe(""), wsman.DeliveryPull, "urn:x", 1)},
		{"e:EventSourceUnableToProcess", "", wsman.Receiver, eventing, openwsmanSubscribe(wsman.DeliveryPush, volumeURI, "", "", "")},
		{"e:FilteringRequestedUnavailable", "", wsman.Sender, eventing, strings.Replace(windowsSubscribe(""), wsman.DialectWQL, "urn:x", 1)},
		{"e:InvalidExpirationTime", "", wsman.Sender, eventing, strings.Replace(windowsSubscribe(""), "<e:Expires>PT60.000S", "<e:Expires>2001-01-01T00:00:00Z", 1)},
		{"e:InvalidMessage", "", wsman.Sender, eventing, about(wsman.ActionUnsubscribe, "none", `<wse:Unsubscribe xmlns:wse="`+wsman.NSEventing+`"/>`)},
		{"e:UnableToRenew", "", wsman.Receiver, eventing, about(wsman.ActionRenewSubscription, "none", `<wse:Renew xmlns:wse="`+wsman.NSEventing+`"/>`)},
	}
	for _, row := range rows {
		t.Run(strings.TrimSpace(row.subcode+" "+row.detail), func(t *testing.T) {
			r := w.fails(t, row.body, row.subcode)
			require.Equal(t, row.detail, r.faultDetail())
			require.Equal(t, row.action, r.Action)
			require.Equal(t, row.code, soap.ReadFault(r.Body).Code)
			require.NotEmpty(t, r.reason())
		})
	}
}

// The faults that stand for a CIM status, with the CIM error in them (DSP0227 section
// 13): the status is told whatever the fault is.
func TestCIMErrorInFaults(t *testing.T) {
	for status := cim.StatusFailed; status <= cim.StatusServerIsShuttingDown; status++ {
		w := newWorld(t).withService(nil, cim.Errorf(status, "words"))
		r := w.post(t, invoke(serviceURI, "Ping", "").windows())
		require.Equal(t, 500, r.status)
		e := soap.Child(soap.Child(r.Body, wsman.NSSOAP, "Detail"), wsman.NSCIMError, "CIM_Error")
		require.NotNil(t, e, status)
		is, _ := soap.Attr(e, wsman.NSBinding, "IsCIM_Error")
		require.Equal(t, "true", is)
		require.Equal(t, cim.FormatText(uint64(status)), soap.ChildText(e, "", "CIMStatusCode"))
		require.Equal(t, "words", soap.ChildText(e, "", "Message"))
	}
}
