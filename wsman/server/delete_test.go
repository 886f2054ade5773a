package server

import (
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/wsman"
)

func TestDelete(t *testing.T) {
	for family, write := range families() {
		t.Run(family, func(t *testing.T) {
			w := newWorld(t).withVolumes(2)
			m := message{action: wsman.ActionDelete, uri: volumeURI, selectors: volumeKeys("V1")}
			r := w.ok(t, write(m))
			require.Equal(t, wsman.ActionDelete+"Response", r.Action)
			require.Nil(t, r.Body)
			require.Len(t, w.broker.all(), 1)
			r = w.fails(t, write(m), "a:DestinationUnreachable")
			require.Contains(t, r.reason(), "V1")
		})
	}
}

func TestDeleteNeedsKeys(t *testing.T) {
	w := newWorld(t)
	w.broker.put("T_Service", "Name", "sole")
	r := w.fails(t, message{action: wsman.ActionDelete, uri: serviceURI}.windows(), "w:InvalidSelectors")
	require.Equal(t, "InsufficientSelectors", r.faultDetail())
	w.fails(t, message{action: wsman.ActionDelete, uri: wsman.ClassPrefix + "T_Element"}.windows(), "w:InvalidSelectors")
	w.fails(t, message{action: wsman.ActionDelete, uri: wsman.AllClassesURI}.windows(), "a:ActionNotSupported")
	w.fails(t, message{action: wsman.ActionDelete, uri: volumeURI, selectors: volumeKeys("V0")[:2]}.windows(), "w:InvalidSelectors")
	require.Len(t, w.broker.all(), 1)
	w.ok(t, message{action: wsman.ActionDelete, uri: serviceURI, selectors: [][2]string{{"Name", "sole"}}}.windows())
}
