package server

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/wsman/auth"
)

func TestHTTPForm(t *testing.T) {
	w := newWorld(t).withVolumes(1)
	good := getVolume("V0").windows()
	tests := []struct {
		name   string
		method string
		path   string
		kind   string
		body   string
		status int
	}{
		{"good", "POST", "/wsman", "application/soap+xml;charset=UTF-8", good, 200},
		{"slash", "POST", "/wsman/", "application/soap+xml", good, 200},
		{"spaces in type", "POST", "/wsman", `application/SOAP+xml ; charset="utf-8"; action="x"`, good, 200},
		{"get", "GET", "/wsman", "", "", 405},
		{"put", "PUT", "/wsman/", "application/soap+xml", good, 405},
		{"get anonymous", "GET", "/wsman-anon/identify", "", "", 405},
		{"elsewhere", "POST", "/", "application/soap+xml", good, 404},
		{"below", "POST", "/wsman/x", "application/soap+xml", good, 404},
		{"double slash", "POST", "//wsman", "application/soap+xml", good, 404},
		{"text/xml", "POST", "/wsman", "text/xml", good, 415},
		{"no type", "POST", "/wsman", "", good, 415},
		{"encrypted", "POST", "/wsman", `multipart/encrypted;protocol="x";boundary="y"`, good, 415},
		{"no SOAP", "POST", "/wsman", "application/soap+xml", "hello", 400},
		{"no XML", "POST", "/wsman", "application/soap+xml", "<a><b></a>", 400},
		{"empty", "POST", "/wsman", "application/soap+xml", "", 400},
		{"other XML", "POST", "/wsman", "application/soap+xml", "<html/>", 400},
		{"other charset", "POST", "/wsman", "application/soap+xml;charset=EBCDIC", good, 500},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(tt.method, "http://h"+tt.path, strings.NewReader(tt.body))
			r.SetBasicAuth("admin", "pw")
			r.Header.Set("Content-Type", tt.kind)
			rec := w.serve(t, r)
			require.Equal(t, tt.status, rec.Code, rec.Body)
			if tt.status == 405 {
				require.Equal(t, "POST", rec.Header().Get("Allow"))
			}
		})
	}
}

func TestBodyLimits(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Limits.Body, c.Limits.Depth, c.Limits.Elements = 20000, 20, 100 }).withVolumes(1)
	deep := getVolume("V0")
	deep.body = strings.Repeat("<a>", 30) + strings.Repeat("</a>", 30)
	w.fails(t, deep.windows(), "w:EncodingLimit")
	wide := getVolume("V0")
	wide.body = "<a>" + strings.Repeat("<b/>", 200) + "</a>"
	w.fails(t, wide.windows(), "w:EncodingLimit")

	large := getVolume("V0").windows() + strings.Repeat(" ", 20000)
	r := w.fails(t, large, "w:EncodingLimit")
	require.Equal(t, "ServiceEnvelopeLimit", r.faultDetail())

	chunked := httpRequest("")
	chunked.Body, chunked.ContentLength = io.NopCloser(strings.NewReader(large)), -1
	rec := w.serve(t, chunked)
	require.Equal(t, 500, rec.Code)
	require.Contains(t, rec.Body.String(), "ServiceEnvelopeLimit")
	require.Equal(t, "close", rec.Header().Get("Connection"))

	chunked = httpRequest("")
	chunked.Body, chunked.ContentLength = io.NopCloser(strings.NewReader(getVolume("V0").windows())), -1
	require.Equal(t, 200, w.serve(t, chunked).Code)
}

func TestBrokenBody(t *testing.T) {
	w := newWorld(t)
	r := httpRequest("")
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader("<s:Env")), 100
	rec := w.serve(t, r)
	require.Equal(t, 400, rec.Code)
	require.Equal(t, "close", rec.Header().Get("Connection"))
}

func TestWrongPassword(t *testing.T) {
	reg := prometheus.NewRegistry()
	w := newWorld(t, func(c *Config) { c.Registerer = reg }).withVolumes(1)
	r := httpRequest(getVolume("V0").windows())
	r.SetBasicAuth("admin", "wrong")
	rec := w.serve(t, r)
	require.Equal(t, 401, rec.Code)
	require.Equal(t, "0", rec.Header().Get("Content-Length"))
	rest, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	require.Empty(t, rest, "the body was drained")
	require.InDelta(t, 1, metric(t, reg, "twinlun_wsman_auth_failures_total", "401"), 0)
	lines := w.log.lines(t)
	require.Equal(t, "wsman: not let in", lines[len(lines)-1]["msg"])
}

// A wrong password is not answered even where nobody needs one.
func TestWrongPasswordOnIdentify(t *testing.T) {
	w := newWorld(t)
	r := httpRequest(identifyBody)
	r.SetBasicAuth("admin", "wrong")
	require.Equal(t, 401, w.serve(t, r).Code)
}

func TestUnencryptedIsRefused(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Auth = auth.NewChain(&auth.Basic{Users: anyUser{}}) }).withVolumes(1)
	r := httpRequest(getVolume("V0").windows())
	rec := w.serve(t, r)
	require.Equal(t, 403, rec.Code)
	require.Contains(t, rec.Body.String(), "https")
	r = httpRequest(getVolume("V0").windows())
	r.RemoteAddr = "127.0.0.1:5000"
	require.Equal(t, 200, w.serve(t, r).Code)
	r = httpRequest(identifyBody)
	r.Header.Del("Authorization")
	require.Equal(t, 200, w.serve(t, r).Code, "Identify is for everybody")
}

type brokenAuth struct{ err error }

func (b brokenAuth) Authenticate(*http.Request) (cim.Principal, error) { return cim.Principal{}, b.err }
func (b brokenAuth) Refuse(w http.ResponseWriter, r *http.Request, err error) int {
	return auth.NewChain().Refuse(w, r, err)
}

func TestAuthenticatorFails(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Auth = brokenAuth{errors.New("users.json: bad")} })
	rec := w.serve(t, httpRequest(getVolume("V0").windows()))
	require.Equal(t, 500, rec.Code)
	require.NotContains(t, rec.Body.String(), "users.json")
}

func TestInFlightLimit(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Limits.InFlight, c.Limits.Wait = 1, time.Millisecond }).withVolumes(1)
	w.inFlight <- struct{}{}
	rec := w.serve(t, httpRequest(getVolume("V0").windows()))
	require.Equal(t, 503, rec.Code)
	require.Equal(t, "1", rec.Header().Get("Retry-After"))
	<-w.inFlight
	require.Equal(t, 200, w.serve(t, httpRequest(getVolume("V0").windows())).Code)
	require.Zero(t, len(w.inFlight))
}

func TestMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	w := newWorld(t, func(c *Config) { c.Registerer = reg }).withVolumes(2)
	w.ok(t, getVolume("V0").windows())
	w.ok(t, getVolume("V1").windows())
	w.fails(t, getVolume("V9").windows(), "a:DestinationUnreachable")
	w.ok(t, enumerate(volumeURI, "").windows())
	require.InDelta(t, 2, metric(t, reg, "twinlun_wsman_request_seconds", "Get", "ok"), 0)
	require.InDelta(t, 1, metric(t, reg, "twinlun_wsman_request_seconds", "DestinationUnreachable", "Get"), 0)
	require.InDelta(t, 1, metric(t, reg, "twinlun_wsman_enumerations"), 0)
	require.InDelta(t, 0, metric(t, reg, "twinlun_wsman_in_flight"), 0)
	require.InDelta(t, 0, metric(t, reg, "twinlun_wsman_connections"), 0)
	_, err := New(Config{Broker: w.broker, Auth: w.config.Auth, Registerer: reg})
	require.Error(t, err, "the names are taken")
	_, err = New(Config{})
	require.Error(t, err)
}

// metric is the value of a counter or gauge, or the count of a histogram, whose
// label values are exactly these.
func metric(t *testing.T, reg *prometheus.Registry, name string, labels ...string) float64 {
	t.Helper()
	families, err := reg.Gather()
	require.NoError(t, err)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var have []string
			for _, l := range m.GetLabel() {
				have = append(have, l.GetValue())
			}
			if f.GetName() != name || len(have) != len(labels) || !containsAll(have, labels) {
				continue
			}
			return m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	t.Fatalf("no metric %s %v", name, labels)
	return 0
}

func containsAll(have, want []string) bool {
	all := strings.Join(have, "\n") + "\n"
	for _, w := range want {
		if !strings.Contains(all, w+"\n") {
			return false
		}
	}
	return true
}
