package server

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"twinlun/cim"
	"twinlun/wsman"
	"twinlun/wsman/soap"
)

// FuzzServe sends anything: there is always an answer, and never one that says
// that something broke.
func FuzzServe(f *testing.F) {
	for _, m := range []message{
		getVolume("V0"), classRequest(wsman.ActionGet, "T_Volume", ""), release("x"), pull(volumeURI, "x", `<n:MaxElements>2</n:MaxElements>`),
		enumerate(volumeURI, `<w:OptimizeEnumeration/><w:MaxElements>2</w:MaxElements><w:EnumerationMode>EnumerateEPR</w:EnumerationMode>`),
		enumerate(wsman.AllClassesURI, association("AssociatedInstances", "<b:Role>Source</b:Role>")),
		invoke(serviceURI, "Replicate", replicateArgs+`<p:SourceElements>`+refTo("V0")+`</p:SourceElements><p:Setting><Rate>1</Rate></p:Setting>`),
	} {
		for _, write := range families() {
			f.Add([]byte(write(m)))
		}
	}
	f.Add([]byte(identifyBody))
	f.Add(soap.UTF16LE.Encode([]byte(identifyBody)))
	w := newWorld(f, func(c *Config) { c.Limits.ContextsPerUser = 4 }).withPairs().withService(&cim.Reply{Return: uint64(0)}, nil)
	f.Fuzz(func(t *testing.T, body []byte) {
		rec := httptest.NewRecorder()
		w.Handler().ServeHTTP(rec, httpRequest(string(body)))
		switch rec.Code {
		case http.StatusOK, http.StatusNoContent:
		case http.StatusBadRequest, http.StatusInternalServerError:
			if strings.Contains(rec.Body.String(), "w:InternalError") {
				t.Fatalf("%s", rec.Body)
			}
		default:
			t.Fatalf("status %d", rec.Code)
		}
		w.broker.calls = nil
		w.log.buf.Reset()
		w.audits.buf.Reset()
	})
}
