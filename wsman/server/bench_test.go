package server

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
)

// benchmark measures the handler alone, without the network.
func benchmark(b *testing.B, w *world, body string) {
	b.Helper()
	b.ReportAllocs()
	header := http.Header{"Content-Type": {"application/soap+xml;charset=UTF-8"}, "Authorization": {basicAdmin}}
	h := w.Handler()
	rec := w.serve(b, httpRequest(body))
	require.Equal(b, http.StatusOK, rec.Code, rec.Body)
	template := httpRequest(body)
	b.SetBytes(int64(rec.Body.Len()))
	b.ResetTimer()
	for b.Loop() {
		r := template.Clone(b.Context())
		r.Header = header
		r.Body = readCloser{strings.NewReader(body)}
		h.ServeHTTP(nopWriter{http.Header{}}, r)
	}
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }

func BenchmarkIdentify(b *testing.B) { benchmark(b, newWorld(b), identifyBody) }

func BenchmarkGet(b *testing.B) {
	benchmark(b, newWorld(b).withVolumes(10), getVolume("V5").windows())
}

func BenchmarkInvoke(b *testing.B) {
	w := newWorld(b).withVolumes(2).withService(&cim.Reply{Return: uint64(4096), Out: cim.Args{{Name: "Job", Value: jobPath()}}}, nil)
	w.broker.invoke = func(_ context.Context, _ *cim.Call) (*cim.Reply, error) {
		w.broker.mu.Lock()
		defer w.broker.mu.Unlock()
		w.broker.calls = w.broker.calls[:0]
		w.audits.mu.Lock()
		defer w.audits.mu.Unlock()
		w.audits.buf.Reset()
		return &cim.Reply{Return: uint64(4096), Out: cim.Args{{Name: "Job", Value: jobPath()}}}, nil
	}
	benchmark(b, w, invoke(serviceURI, "Replicate", replicateArgs+`<p:SourceElements>`+refTo("V0")+`</p:SourceElements>`).windows())
}

func BenchmarkEnumerate1000(b *testing.B) {
	m := enumerate(volumeURI, `<w:OptimizeEnumeration/><w:MaxElements>1000</w:MaxElements>`)
	m.maxSize = 2 << 20
	benchmark(b, newWorld(b).withVolumes(1000), m.windows())
}
