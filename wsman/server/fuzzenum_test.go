package server

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"twinlun/wsman"
)

// fuzzBodies sends bodies of one action: there is always an answer, none says that
// something broke, and no enumeration is under way that nobody can know of.
func fuzzBodies(f *testing.F, action string) {
	w := newWorld(f, func(c *Config) { c.Limits.ContextsPerUser = 1 << 20; c.Limits.Contexts = 1 << 20 }).withPairs().
		queries("select * from T_Volume", "T_Volume")
	f.Fuzz(func(t *testing.T, uri uint8, body string) {
		m := message{action: action, uri: []string{volumeURI, wsman.AllClassesURI, wsman.SchemaURI}[uri%3], body: body}
		before := w.contexts.count()
		rec := httptest.NewRecorder()
		w.Handler().ServeHTTP(rec, httpRequest(m.windows()))
		text := rec.Body.String()
		if strings.Contains(text, "w:InternalError") || rec.Code != http.StatusOK && rec.Code != http.StatusInternalServerError && rec.Code != http.StatusBadRequest {
			t.Fatalf("status %d: %s", rec.Code, text)
		}
		known := strings.Contains(text, "<n:EnumerationContext>")
		if n := w.contexts.count(); n > before && (!known || rec.Code != http.StatusOK) {
			t.Fatalf("%d enumerations, before there were %d: %s", n, before, text)
		}
		if action == wsman.ActionEnumerate {
			w.contexts.closeAll()
		}
		w.log.buf.Reset()
	})
}

func FuzzEnumerate(f *testing.F) {
	inner := []string{
		"", `<w:OptimizeEnumeration/><w:MaxElements>2</w:MaxElements><w:EnumerationMode>EnumerateEPR</w:EnumerationMode>`,
		`<n:Expires>PT5M</n:Expires><b:PolymorphismMode>ExcludeSubClassProperties</b:PolymorphismMode>`, `<n:Expires>2099-01-01T00:00:00Z</n:Expires>`,
		`<w:OptimizeEnumeration/><w:Filter Dialect="` + wsman.DialectWQL + `">select * from T_Volume</w:Filter>`,
		`<w:OptimizeEnumeration/><n:Filter Dialect="` + wsman.DialectCQL + `"><![CDATA[select * from T_Volume]]></n:Filter>`,
		`<w:OptimizeEnumeration/><w:Filter>../T_Volume[DeviceID='V1']</w:Filter>`,
		`<w:OptimizeEnumeration/><w:Filter Dialect="` + wsman.DialectSelector + `"><w:SelectorSet><w:Selector Name="Size">0</w:Selector></w:SelectorSet></w:Filter>`,
		association("AssociatedInstances", "<b:Role>Source</b:Role><b:IncludeResultProperty>Size</b:IncludeResultProperty>"),
		association("AssociationInstances", "<b:ResultClassName>T_Pair</b:ResultClassName>"),
	}
	for i, in := range inner {
		f.Add(uint8(i), enumerate(volumeURI, in).body)
		f.Add(uint8(1), enumerate(volumeURI, in).body)
	}
	fuzzBodies(f, wsman.ActionEnumerate)
}

func FuzzPull(f *testing.F) {
	for _, inner := range []string{"", `<n:MaxElements>2</n:MaxElements><n:MaxTime>PT1S</n:MaxTime><n:MaxCharacters>9</n:MaxCharacters>`, `<n:MaxTime>P1Y</n:MaxTime>`} {
		f.Add(uint8(0), pull(volumeURI, "uuid:x", inner).body)
	}
	fuzzBodies(f, wsman.ActionPull)
}

func FuzzRenew(f *testing.F) {
	for _, expires := range []string{"", "PT5M", "-PT5M", "P1Y2M", "2026-11-22T10:00:00Z", "2026-11-22T25:00:00"} {
		f.Add(uint8(0), renewal("uuid:x", expires).body)
	}
	fuzzBodies(f, wsman.ActionRenew)
}
