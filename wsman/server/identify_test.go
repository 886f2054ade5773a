package server

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/wsman"
	"twinlun/wsman/soap"
)

const identifyBody = `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" ` +
	`xmlns:wsmid="http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"><s:Header/><s:Body><wsmid:Identify/></s:Body></s:Envelope>`

func TestIdentify(t *testing.T) {
	tests := []struct {
		name    string
		change  func(*http.Request)
		version string
	}{
		{"known user", func(*http.Request) {}, "OS: 0.0.0 SP: 0.0 Stack: 3.0 Twinlun: 1.2.3"},
		{"stranger", func(r *http.Request) { r.Header.Del("Authorization") }, "OS: 0.0.0 SP: 0.0 Stack: 3.0"},
		{"Test-WSMan", func(r *http.Request) {
			r.Header.Del("Authorization")
			r.Header.Set("WSMANIDENTIFY", "unauthenticated")
		}, "OS: 0.0.0 SP: 0.0 Stack: 3.0"},
		{"anonymous path", func(r *http.Request) { r.URL.Path = "/wsman-anon/identify" }, "OS: 0.0.0 SP: 0.0 Stack: 3.0"},
		{"slash", func(r *http.Request) { r.URL.Path = "/wsman/" }, "OS: 0.0.0 SP: 0.0 Stack: 3.0 Twinlun: 1.2.3"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httpRequest(identifyBody)
			tt.change(r)
			rec := newWorld(t).serve(t, r)
			require.Equal(t, http.StatusOK, rec.Code, rec.Body)
			m := decodeReply(t, rec.Code, rec.Header().Get("Content-Type"), rec.Body.Bytes())
			require.True(t, soap.Is(m.Body, wsman.NSIdentity, "IdentifyResponse"))
			require.Equal(t, wsman.NSWSMan, soap.ChildText(m.Body, wsman.NSIdentity, "ProtocolVersion"))
			require.Equal(t, "Twinlun", soap.ChildText(m.Body, wsman.NSIdentity, "ProductVendor"))
			require.Equal(t, tt.version, soap.ChildText(m.Body, wsman.NSIdentity, "ProductVersion"))
			require.Nil(t, soap.FirstChild(m.Header))
		})
	}
}

// Identify is all that a stranger gets.
func TestStrangersGetNothingElse(t *testing.T) {
	w := newWorld(t).withVolumes(1)
	for _, path := range []string{"/wsman", "/wsman-anon/identify"} {
		for _, body := range []string{getVolume("V0").windows(), "", "<x/>", identifyBody + string(make([]byte, anonymousBody))} {
			r := httpRequest(body)
			r.URL.Path = path
			r.Header.Del("Authorization")
			rec := w.serve(t, r)
			require.Equal(t, http.StatusUnauthorized, rec.Code)
			require.Equal(t, []string{`Basic realm="WSMAN"`}, rec.Header()["Www-Authenticate"])
			require.Empty(t, rec.Body.String())
		}
	}
}
