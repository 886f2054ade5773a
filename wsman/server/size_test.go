package server

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/wsman"
	"twinlun/wsman/soap"
)

func encodings() map[string]soap.Encoding {
	return map[string]soap.Encoding{"UTF-8": soap.UTF8, "UTF-16LE": soap.UTF16LE, "UTF-16BE": soap.UTF16BE}
}

// postIn sends a message in an encoding and checks that the answer comes in it.
func (w *world) postIn(t testing.TB, enc soap.Encoding, text string) (r reply, size int) {
	t.Helper()
	req := httpRequest(string(enc.Encode([]byte(text))))
	req.Header.Set("Content-Type", enc.ContentType())
	rec := w.serve(t, req)
	require.Equal(t, enc.ContentType(), rec.Header().Get("Content-Type"))
	r = decodeReply(t, rec.Code, rec.Header().Get("Content-Type"), rec.Body.Bytes())
	require.Equal(t, enc, r.Encoding)
	return r, rec.Body.Len()
}

// No answer is larger than the client takes, whatever the encoding, and an answer
// that would be is a fault that is not.
func TestAnswersFit(t *testing.T) {
	for name, enc := range encodings() {
		w := newWorld(t).withVolumes(200).withService(nil, nil)
		w.broker.invoke = func(context.Context, *cim.Call) (*cim.Reply, error) {
			return nil, cim.Errorf(cim.StatusFailed, "%s", strings.Repeat("é&<€", 4000))
		}
		for _, limit := range []int{8192, 10001, 65536} {
			for _, m := range []message{
				getVolume("V1"), getVolume("V999"), invoke(serviceURI, "Ping", ""), {action: "urn:none", uri: volumeURI},
				enumerate(volumeURI, `<w:OptimizeEnumeration/><w:MaxElements>1000</w:MaxElements><w:EnumerationMode>EnumerateObjectAndEPR</w:EnumerationMode>`),
				classRequest(wsman.ActionGet, "T_Service", ""),
			} {
				m.maxSize = limit
				r, size := w.postIn(t, enc, m.windows())
				require.LessOrEqual(t, size, limit, "%s %s", name, m.action)
				require.Equal(t, messageID, r.RelatesTo)
			}
		}
	}
}

// The least that can be asked for has room for every fault, even for the longest id
// and everything that a client can have repeated.
func TestFaultsFit(t *testing.T) {
	w := newWorld(t).withVolumes(1).withService(nil, &cim.Error{Status: cim.StatusFailed, Msg: strings.Repeat("<", 10000)})
	unknown := strings.Repeat(`<q:Blah xmlns:q="urn:`+strings.Repeat("q", 200)+`" s:mustUnderstand="1"/>`, 50)
	for name, enc := range encodings() {
		for _, c := range []struct{ id, headers string }{
			{"uuid:1", ""}, {strings.Repeat("&amp;", 2048), ""}, {"uuid:1", unknown},
			{strings.Repeat("é", 1000), `<a:FaultTo><a:Address>` + wsman.Anonymous + `</a:Address><a:ReferenceParameters><x>` + strings.Repeat("x", 1000) + `</x></a:ReferenceParameters></a:FaultTo>`},
		} {
			m := invoke(serviceURI, "Ping", "")
			m.id, m.headers, m.maxSize = c.id, c.headers, 8192
			r, size := w.postIn(t, enc, m.windows())
			require.LessOrEqual(t, size, 8192, "%s %.20s", name, c.id)
			require.Equal(t, http.StatusInternalServerError, r.status)
			require.NotEmpty(t, r.reason())
			m.maxSize = 100
			r, size = w.postIn(t, enc, m.windows())
			require.LessOrEqual(t, size, 8192)
			require.Contains(t, []string{"MinimumEnvelopeLimit", ""}, r.faultDetail())
		}
	}
}

// Where a message cannot be read, the answer is in the charset that it has, or that
// is announced.
func TestFaultsInTheRequestsCharset(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Limits.Body = 4000 })
	for name, c := range map[string]struct {
		contentType string
		body        []byte
		encoding    soap.Encoding
		detail      string
	}{
		"no SOAP":       {"application/soap+xml;charset=UTF-16", soap.UTF16LE.Encode([]byte("<a/>")), soap.UTF16LE, ""},
		"no XML":        {"application/soap+xml;charset=utf-16", soap.UTF16BE.Encode([]byte("hello")), soap.UTF16BE, ""},
		"SOAP 1.1":      {`application/soap+xml; charset='utf16'`, soap.UTF16LE.Encode([]byte(`<s:Envelope xmlns:s="` + wsman.NSSOAP11 + `"/>`)), soap.UTF16LE, ""},
		"empty":         {`application/soap+xml; charset="UTF-16"`, nil, soap.UTF16LE, ""},
		"too large":     {`application/soap+xml; charset=utf-16le`, make([]byte, 5000), soap.UTF16LE, "ServiceEnvelopeLimit"},
		"too large, BE": {`application/soap+xml; charset=UTF-16BE`, make([]byte, 5000), soap.UTF16BE, "ServiceEnvelopeLimit"},
		"not served":    {"application/soap+xml;charset=ebcdic", []byte("<a/>"), soap.UTF8, "CharacterSet"},
		"Latin 1":       {"application/soap+xml", []byte(`<?xml version="1.0" encoding="ISO-8859-1"?><a/>`), soap.UTF8, "CharacterSet"},
	} {
		r := httpRequest(string(c.body))
		r.Header.Set("Content-Type", c.contentType)
		rec := w.serve(t, r)
		require.Equal(t, c.encoding.ContentType(), rec.Header().Get("Content-Type"), name)
		m := decodeReply(t, rec.Code, rec.Header().Get("Content-Type"), rec.Body.Bytes())
		require.Equal(t, c.encoding, m.Encoding, name)
		require.Equal(t, c.detail, m.faultDetail(), name)
		require.Contains(t, []int{400, 500}, rec.Code, name)
	}
}

// FuzzCharset sends any bytes under any content type.
func FuzzCharset(f *testing.F) {
	for _, enc := range encodings() {
		f.Add(enc.ContentType(), enc.Encode([]byte(getVolume("V0").windows())))
	}
	f.Add(`application/soap+xml; charset="utf-16" ; action=http://a/b`, []byte(identifyBody))
	w := newWorld(f).withVolumes(1)
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		r := httpRequest(string(body))
		r.Header.Set("Content-Type", contentType)
		rec := w.serve(t, r)
		switch rec.Code {
		case 200, 400, 500:
			_, err := soap.Decode(rec.Body.Bytes(), rec.Header().Get("Content-Type"), soap.Limits{Bytes: 8 << 20})
			require.NoError(t, err)
		case 204, 415:
		default:
			require.Fail(t, fmt.Sprint(rec.Code))
		}
		w.log.buf.Reset()
	})
}
