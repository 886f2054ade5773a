package auth

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
)

func request(remote string, https bool) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/wsman", nil)
	r.RemoteAddr = remote
	if https {
		r.TLS = &tls.ConnectionState{}
	}
	return r
}

func TestBasic(t *testing.T) {
	u, _ := newUsers(t)
	require.NoError(t, u.Add("bob", "x:y", cim.RoleOperator))
	const near, far = "127.0.0.1:999", "192.0.2.1:999"
	tests := []struct {
		name   string
		remote string
		https  bool
		allow  bool
		user   string
		pass   string
		want   error
	}{
		{"loopback", near, false, false, "bob", "x:y", nil},
		{"loopback v6", "[::1]:999", false, false, "bob", "x:y", nil},
		{"loopback v4 in v6", "[::ffff:127.0.0.1]:999", false, false, "bob", "x:y", nil},
		{"https", far, true, false, "bob", "x:y", nil},
		{"allowed", far, false, true, "bob", "x:y", nil},
		{"windows user without domain", near, false, false, `\bob`, "x:y", nil},
		{"windows local user", near, false, false, `.\bob`, "x:y", nil},
		{"clear text", far, false, false, "bob", "x:y", ErrUnencrypted},
		{"clear text and wrong", far, false, false, "bob", "z", ErrUnencrypted},
		{"no address", "@", false, false, "bob", "x:y", ErrUnencrypted},
		{"wrong password", near, false, false, "bob", "x", ErrDenied},
		{"another domain", near, false, false, `D\bob`, "x:y", ErrDenied},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := request(tt.remote, tt.https)
			r.SetBasicAuth(tt.user, tt.pass)
			p, err := NewChain(&Basic{Users: u, AllowUnencrypted: tt.allow}).Authenticate(r)
			require.ErrorIs(t, err, tt.want)
			if tt.want == nil {
				require.Equal(t, cim.Principal{Name: "bob", Role: cim.RoleOperator, Remote: tt.remote}, p)
			}
		})
	}
}

func TestChainWithoutUsableCredentials(t *testing.T) {
	u, _ := newUsers(t)
	c := NewChain(&Basic{Users: u})
	for header, want := range map[string]error{
		"":                   ErrNoCredentials,
		"Negotiate TlRMTVNT": ErrNoCredentials,
		"Basic":              ErrDenied,
		"Basic !!!":          ErrDenied,
		"basic Ym9i":         ErrDenied, // "bob", no colon
	} {
		r := request("127.0.0.1:9", false)
		r.Header.Set("Authorization", header)
		_, err := c.Authenticate(r)
		require.ErrorIs(t, err, want, header)
	}
}

func TestRefuse(t *testing.T) {
	basic := []string{`Basic realm="WSMAN"`}
	tests := []struct {
		name   string
		remote string
		err    error
		status int
		offers []string
		retry  string
	}{
		{"no credentials", "127.0.0.1:9", ErrNoCredentials, 401, basic, ""},
		{"denied", "127.0.0.1:9", ErrDenied, 401, basic, ""},
		{"nothing to offer", "192.0.2.1:9", ErrNoCredentials, 403, nil, ""},
		{"clear text", "192.0.2.1:9", ErrUnencrypted, 403, nil, ""},
		{"throttled", "127.0.0.1:9", &ThrottledError{1500 * time.Millisecond}, 429, nil, "2"},
		{"busy", "127.0.0.1:9", ErrBusy, 503, nil, "1"},
		{"slow", "127.0.0.1:9", context.DeadlineExceeded, 503, nil, "1"},
		{"broken file", "127.0.0.1:9", errors.New("users.json: secret detail"), 500, nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			status := NewChain(&Basic{}).Refuse(w, request(tt.remote, false), tt.err)
			require.Equal(t, tt.status, status)
			require.Equal(t, tt.status, w.Code)
			require.Equal(t, tt.offers, w.Header()["Www-Authenticate"])
			require.Equal(t, tt.retry, w.Header().Get("Retry-After"))
			require.NotContains(t, w.Body.String(), "secret")
			require.Equal(t, w.Header().Get("Content-Length") == "0", w.Body.Len() == 0)
		})
	}
}
