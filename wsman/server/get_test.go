package server

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/wsman"
	"twinlun/wsman/soap"
)

func TestGet(t *testing.T) {
	w := newWorld(t).withVolumes(4)
	for family, write := range families() {
		t.Run(family, func(t *testing.T) {
			r := w.ok(t, write(getVolume("V3")))
			require.Equal(t, wsman.ActionGet+"Response", r.Action)
			require.Equal(t, "T_ThinVolume", r.Body.Tag)
			ns, _ := soap.Namespace(r.Body)
			require.Equal(t, "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/T_ThinVolume", ns)
			require.Equal(t, "V3", soap.ChildText(r.Body, "", "DeviceID"))
			require.Equal(t, "3221225472", soap.ChildText(r.Body, "", "Size"))
		})
	}
}

func TestGetRepeatsTheMessageID(t *testing.T) {
	w := newWorld(t).withVolumes(1)
	m := getVolume("V0")
	m.id = "uuid:AbCd-not-a-real-one&amp;"
	r := w.ok(t, m.windows())
	require.Equal(t, "uuid:AbCd-not-a-real-one&", r.RelatesTo)
	require.Regexp(t, `^uuid:[0-9A-F]{8}-[0-9A-F]{4}-4[0-9A-F]{3}-[89AB][0-9A-F]{3}-[0-9A-F]{12}$`, r.MessageID)
	for _, echo := range []string{"OperationID", "SequenceId", "SessionId"} {
		require.NotContains(t, r.text, echo)
	}
}

func TestGetNamespaces(t *testing.T) {
	w := newWorld(t).withVolumes(1)
	keys := volumeKeys("V0")[1:]
	const wmi = "http://schemas.microsoft.com/wbem/wsman/1/wmi/root/cimv2/storage/iscsitarget/T_Volume"
	tests := []struct {
		name      string
		uri       string
		selectors [][2]string
		subcode   string
	}{
		{"none", volumeURI, keys, ""},
		{"backslashes and case", volumeURI, append([][2]string{{"__cimnamespace", `ROOT\CIMV2\Storage\iscsiTarget`}}, keys...), ""},
		{"in the URI", wmi, keys, ""},
		{"in the query", volumeURI + "?__cimnamespace=root/cimv2/storage/iscsitarget", keys, ""},
		{"another host", "http://schemas.xyz.example/wbem/wscim/1/cim-schema/2/T_Volume", keys, ""},
		{"unknown", volumeURI, append([][2]string{{"__cimnamespace", "root/cimv2"}}, keys...), "a:DestinationUnreachable"},
		{"unknown in the URI", "http://schemas.microsoft.com/wbem/wsman/1/wmi/root/other/T_Volume", keys, "a:DestinationUnreachable"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			msg := message{action: wsman.ActionGet, uri: tt.uri, selectors: tt.selectors}.windows()
			if tt.subcode != "" {
				w.fails(t, msg, tt.subcode)
				return
			}
			require.Equal(t, "V0", soap.ChildText(w.ok(t, msg).Body, "", "DeviceID"))
		})
	}
	// The answer is in the family of the request.
	r := w.ok(t, message{action: wsman.ActionGet, uri: wmi, selectors: keys}.windows())
	ns, _ := soap.Namespace(r.Body)
	require.Equal(t, wmi, ns)
}

func TestGetSoleInstanceNeedsNoKeys(t *testing.T) {
	w := newWorld(t)
	w.broker.put("T_Service", "Name", "svc")
	r := w.ok(t, message{action: wsman.ActionGet, uri: serviceURI}.windows())
	require.Equal(t, "svc", soap.ChildText(r.Body, "", "Name"))
	w.broker.put("T_Service", "Name", "second")
	w.fails(t, message{action: wsman.ActionGet, uri: serviceURI}.windows(), "w:InvalidSelectors")
}

func TestGetFails(t *testing.T) {
	w := newWorld(t).withVolumes(2)
	tests := []struct {
		name      string
		uri       string
		selectors [][2]string
		subcode   string
		detail    string
	}{
		{"no such instance", volumeURI, volumeKeys("V9"), "a:DestinationUnreachable", "InvalidResourceURI"},
		{"no such class", volumeURI + "x", volumeKeys("V0"), "a:DestinationUnreachable", "InvalidResourceURI"},
		{"no such URI", "http://example.org/nothing", nil, "a:DestinationUnreachable", "InvalidResourceURI"},
		{"no class", wsman.AllClassesURI, nil, "a:ActionNotSupported", ""},
		{"WS-CIM classes", "http://schemas.dmtf.org/wbem/ws-cim/1/cim-schema/2/*", nil, "w:UnsupportedFeature", ""},
		{"key missing", volumeURI, volumeKeys("V0")[:2], "w:InvalidSelectors", "InsufficientSelectors"},
		{"key unknown", volumeURI, append(volumeKeys("V0"), [2]string{"Size", "1"}), "w:InvalidSelectors", "UnexpectedSelectors"},
		{"no keys and several", volumeURI, nil, "w:InvalidSelectors", "InsufficientSelectors"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := w.fails(t, message{action: wsman.ActionGet, uri: tt.uri, selectors: tt.selectors}.windows(), tt.subcode)
			require.Equal(t, tt.detail, r.faultDetail())
			require.Equal(t, messageID, r.RelatesTo)
		})
	}
}

func TestGetTooLarge(t *testing.T) {
	w := newWorld(t)
	w.broker.put("T_Service", "Name", string(make([]byte, 9000)))
	m := message{action: wsman.ActionGet, uri: serviceURI, maxSize: 8192}
	r := w.fails(t, m.windows(), "w:EncodingLimit")
	require.Equal(t, "MaxEnvelopeSizeExceeded", r.faultDetail())
	m.maxSize = 100000
	require.Equal(t, http.StatusOK, w.post(t, m.windows()).status)
}

func TestGetInUTF16(t *testing.T) {
	w := newWorld(t).withVolumes(1)
	for _, enc := range []soap.Encoding{soap.UTF16LE, soap.UTF16BE} {
		r := httpRequest(string(enc.Encode([]byte(getVolume("V0").windows()))))
		r.Header.Set("Content-Type", "application/soap+xml;charset=UTF-16")
		rec := w.serve(t, r)
		require.Equal(t, "application/soap+xml;charset=UTF-16", rec.Header().Get("Content-Type"))
		m := decodeReply(t, rec.Code, rec.Header().Get("Content-Type"), rec.Body.Bytes())
		require.Equal(t, enc, m.Encoding)
		require.Equal(t, "V0", soap.ChildText(m.Body, "", "DeviceID"))
	}
}
