package server

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/wsman"
	"twinlun/wsman/soap"
)

// Properties that the client names are all that it gets, as fragments.
func TestIncludeResultProperty(t *testing.T) {
	w := newWorld(t).withPairs()
	list := func(names ...string) (xml string) {
		for _, n := range names {
			xml += `<b:IncludeResultProperty>` + n + `</b:IncludeResultProperty>`
		}
		return xml
	}
	shown := func(e *soap.Element) (all []string) {
		require.True(t, soap.Is(e, wsman.NSWSMan, "XmlFragment"))
		for p := range soap.Children(e) {
			require.True(t, soap.Is(p, volumeURI, p.Tag))
			all = append(all, p.Tag)
		}
		return all
	}
	items := w.ok(t, enumerate(wsman.AllClassesURI, association("AssociatedInstances", list("deviceid", "Size", "Colour", "Size"))).windows()).items()
	require.Len(t, items, 2)
	require.Equal(t, []string{"DeviceID", "Size"}, shown(items[0]))
	require.Equal(t, "V1", deviceOf(t, items[0]))
	items = w.ok(t, enumerate(wsman.AllClassesURI, association("AssociatedInstances", list("Size"))+`<w:EnumerationMode>EnumerateObjectAndEPR</w:EnumerationMode>`).windows()).items()
	require.Equal(t, []string{"Size"}, shown(soap.FirstChild(items[0])))
	require.Equal(t, "V1", deviceOf(t, soap.Child(items[0], wsman.NSAddressing, "EndpointReference")))
	items = w.ok(t, enumerate(wsman.AllClassesURI, association("AssociatedInstances", list(""))).windows()).items()
	require.Equal(t, "T_Volume", items[0].Tag, "an empty name asks for nothing")
	items = w.ok(t, enumerate(wsman.AllClassesURI, association("AssociatedInstances", list("Colour"))).windows()).items()
	require.Empty(t, shown(items[0]))
}

// An enumeration keeps the names of properties as long as it lives: they are bounded.
func TestIncludeResultPropertyIsBounded(t *testing.T) {
	w := newWorld(t).withPairs()
	ask := func(name string, n int) string {
		return enumerate(wsman.AllClassesURI, association("AssociatedInstances",
			strings.Repeat(`<b:IncludeResultProperty>`+name+`</b:IncludeResultProperty>`, n))).windows()
	}
	w.ok(t, ask("Size", maxResultProperties))
	w.fails(t, ask("Size", maxResultProperties+1), "n:CannotProcessFilter")
	w.ok(t, ask(strings.Repeat("x", maxResultPropertyName), 1))
	w.fails(t, ask(strings.Repeat("x", maxResultPropertyName+1), 1), "n:CannotProcessFilter")
}
