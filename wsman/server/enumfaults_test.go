package server

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/wsman"
	"twinlun/wsman/soap"
)

// TestEnumerationFaults has each way in which an enumeration can be refused, with
// all that clients look at. The numbers are those of Windows.
func TestEnumerationFaults(t *testing.T) {
	filter := func(uri, dialect, text string) message {
		return enumerate(uri, `<w:Filter Dialect="`+dialect+`">`+text+`</w:Filter>`)
	}
	huge := func() message {
		m := enumerate(serviceURI, `<w:OptimizeEnumeration/>`)
		m.maxSize = 8192
		return m
	}
	tests := map[string]struct {
		message message
		code    wsman.Code
		subcode string
		detail  string
		number  uint32
		status  cim.Status // of the CIM error; 0: none
	}{
		"body":           {enumerate(volumeURI, `<w:MaxElements/>`), wsman.Sender, "w:SchemaValidationError", "", 0x80338041, 0},
		"class":          {enumerate(volumeURI+"x", ""), wsman.Sender, "a:DestinationUnreachable", "InvalidResourceURI", 0x80338000, cim.StatusInvalidClass},
		"namespace":      {message{action: wsman.ActionEnumerate, uri: volumeURI, selectors: [][2]string{{"__cimnamespace", "root/x"}}, body: enumerate("", "").body}, wsman.Sender, "a:DestinationUnreachable", "InvalidResourceURI", 0x80338000, cim.StatusInvalidNamespace},
		"selectors":      {message{action: wsman.ActionEnumerate, uri: volumeURI, selectors: volumeKeys("V0"), body: enumerate("", "").body}, wsman.Sender, "w:InvalidSelectors", "UnexpectedSelectors", 0x8033805B, 0},
		"mode":           {enumerate(volumeURI, `<w:EnumerationMode>EnumerateSome</w:EnumerationMode>`), wsman.Sender, "w:UnsupportedFeature", "EnumerationMode", 0x80338086, 0},
		"mode, classes":  {enumerate(wsman.SchemaURI, `<w:EnumerationMode>EnumerateEPR</w:EnumerationMode>`), wsman.Sender, "w:UnsupportedFeature", "EnumerationMode", 0x80338086, 0},
		"EndTo":          {enumerate(volumeURI, `<n:EndTo><a:Address>http://x/</a:Address></n:EndTo>`), wsman.Sender, "w:UnsupportedFeature", "AddressingMode", 0x80338076, 0},
		"polymorphism":   {enumerate(volumeURI, `<b:PolymorphismMode>Some</b:PolymorphismMode>`), wsman.Receiver, "b:PolymorphismModeNotSupported", "", 0x80338137, 0},
		"expiration":     {enumerateUntil("PT0S"), wsman.Sender, "n:InvalidExpirationTime", "", 0x80338016, 0},
		"no filter":      {enumerate(wsman.AllClassesURI, ""), wsman.Sender, "n:CannotProcessFilter", "", 0x8033801A, 0},
		"dialect":        {filter(volumeURI, "urn:x", "x"), wsman.Sender, "n:FilterDialectRequestedUnavailable", "", 0x80338019, 0},
		"query":          {filter(wsman.AllClassesURI, wsman.DialectCQL, "select"), wsman.Sender, "n:CannotProcessFilter", "", 0x8033801A, cim.StatusInvalidQuery},
		"XPath":          {filter(volumeURI, wsman.DialectXPath, "]"), wsman.Sender, "n:CannotProcessFilter", "", 0x8033801A, 0},
		"no such object": {enumerate(wsman.AllClassesURI, strings.Replace(association("AssociatedInstances", ""), ">V0<", ">V9<", 1)), wsman.Sender, "n:CannotProcessFilter", "", 0x8033801A, cim.StatusNotFound},
		"too large":      {huge(), wsman.Sender, "w:EncodingLimit", "MaxEnvelopeSizeExceeded", 0x80338048, 0},
		"context":        {pull(volumeURI, "x", ""), wsman.Receiver, "n:InvalidEnumerationContext", "", 0x8033801B, 0},
		"limit of user":  {enumerate(volumeURI, ""), wsman.Sender, "w:QuotaLimit", "", 0x8033803F, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(c *Config) {
				if name == "limit of user" {
					c.Limits.ContextsPerUser = 1
				}
			}).withPairs()
			w.broker.put("T_Service", "Name", strings.Repeat("x", 9000))
			if name == "limit of user" {
				w.ok(t, enumerate(volumeURI, "").windows())
			}
			for _, write := range families() {
				if tt.message.maxSize > 0 {
					write = message.windows
				}
				r := w.fails(t, write(tt.message), tt.subcode)
				require.Equal(t, tt.detail, r.faultDetail())
				f := soap.ReadFault(r.Body)
				require.Equal(t, tt.code, f.Code)
				require.Equal(t, tt.number, f.WSManCode)
				require.NotEmpty(t, f.Reason)
				if tt.status == 0 {
					require.Nil(t, f.CIM)
				} else {
					require.NotNil(t, f.CIM)
					require.Equal(t, tt.status, f.CIM.Status)
				}
			}
		})
	}
}
