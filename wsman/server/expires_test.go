package server

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/wsman"
	"twinlun/wsman/soap"
)

// continuing is a request about an enumeration.
func continuing(action, name, context, inner string) message {
	return message{action: action, uri: volumeURI, body: `<n:` + name + ` xmlns:n="` + wsman.NSEnumeration + `"><n:EnumerationContext>` + context +
		`</n:EnumerationContext>` + inner + `</n:` + name + `>`}
}

func renewal(context, expires string) message {
	if expires != "" {
		expires = `<n:Expires>` + expires + `</n:Expires>`
	}
	return continuing(wsman.ActionRenew, "Renew", context, expires)
}

func statusOfContext(context string) message {
	return continuing(wsman.ActionGetStatus, "GetStatus", context, "")
}

func (r reply) expires() string { return soap.ChildText(r.Body, wsman.NSEnumeration, "Expires") }

func enumerateUntil(expires string) message {
	return enumerate(volumeURI, `<n:Expires>`+expires+`</n:Expires>`)
}

func TestExpiresIsGranted(t *testing.T) {
	tests := []struct {
		asked, granted string
		lives          time.Duration
	}{
		{"PT10M", "PT600.000S", 10 * time.Minute},
		{"\n P0DT0H0M1.500S ", "PT1.500S", 1500 * time.Millisecond},
		{"PT2H", "PT3600.000S", time.Hour},
		{"P10000D", "PT3600.000S", time.Hour},
		{"P1Y", "PT3600.000S", time.Hour},
		{"P1Y2M3DT4H", "PT3600.000S", time.Hour},
		{"P6M", "PT3600.000S", time.Hour},
		{"2026-11-22T10:10:00Z", "2026-11-22T10:10:00Z", 10 * time.Minute},
		{"2026-11-22T12:10:00.25+02:00", "2026-11-22T10:10:00.25Z", 10*time.Minute + 250*time.Millisecond},
		{"2099-01-01T00:00:00Z", "2026-11-22T11:00:00Z", time.Hour},
	}
	for _, tt := range tests {
		t.Run(tt.asked, func(t *testing.T) {
			w := newWorld(t).withVolumes(9)
			r := w.ok(t, enumerateUntil(tt.asked).windows())
			require.Equal(t, tt.granted, r.expires())
			require.Equal(t, "Expires", soap.FirstChild(r.Body).Tag, "it comes first")
			w.clock.add(tt.lives - time.Millisecond)
			require.Len(t, w.ok(t, pull(volumeURI, r.context(), "").windows()).items(), 1, "it lives although nobody pulled")
			w.clock.add(time.Millisecond)
			w.fails(t, pull(volumeURI, r.context(), "").windows(), "n:InvalidEnumerationContext")
			require.Zero(t, w.broker.open(), "pulling does not lengthen it")
		})
	}
}

func TestExpiresIsRefused(t *testing.T) {
	w := newWorld(t).withVolumes(9)
	id := w.ok(t, enumerate(volumeURI, "").windows()).context()
	for _, asked := range []string{"PT0S", "P0D", "-PT5M", "-P1Y", "2026-11-22T10:00:00Z", "2020-01-01T00:00:00Z", "soon", "PT", "P", "", "5", "P1YT", "PY", "-5"} {
		t.Run(asked, func(t *testing.T) {
			w.fails(t, enumerateUntil(asked).windows(), "n:InvalidExpirationTime")
			if asked != "" {
				w.fails(t, renewal(id, asked).windows(), "n:InvalidExpirationTime")
			}
		})
	}
	require.Equal(t, 1, w.contexts.count())
	require.Equal(t, "PT300.000S", w.ok(t, statusOfContext(id).windows()).expires(), "nothing has changed")
}

// Who does not ask is not told: Windows clients do not expect it.
func TestExpiresIsNotToldUnasked(t *testing.T) {
	w := newWorld(t).withVolumes(9)
	require.Empty(t, w.ok(t, enumerate(volumeURI, "").windows()).expires())
	r := w.ok(t, enumerate(volumeURI, `<w:OptimizeEnumeration/><w:MaxElements>99</w:MaxElements><n:Expires>PT1M</n:Expires>`).windows())
	require.True(t, r.ended())
	require.Empty(t, r.expires(), "what is over does not end")
}

func TestRenew(t *testing.T) {
	w := newWorld(t).withVolumes(9)
	for family, write := range families() {
		t.Run(family, func(t *testing.T) {
			id := w.ok(t, write(enumerateUntil("PT1M"))).context()
			w.clock.add(50 * time.Second)
			r := w.ok(t, write(renewal(id, "PT10M")))
			require.Equal(t, wsman.ActionRenew+"Response", r.Action)
			require.True(t, soap.Is(r.Body, wsman.NSEnumeration, "RenewResponse"))
			require.Equal(t, "PT600.000S", r.expires())
			w.clock.add(9 * time.Minute)
			r = w.ok(t, write(statusOfContext(id)))
			require.Equal(t, wsman.ActionGetStatus+"Response", r.Action)
			require.True(t, soap.Is(r.Body, wsman.NSEnumeration, "GetStatusResponse"))
			require.Equal(t, "PT60.000S", r.expires())
			require.Equal(t, "PT60.000S", w.ok(t, write(statusOfContext(id))).expires(), "asking does not lengthen it")
			require.Equal(t, "PT300.000S", w.ok(t, write(renewal(id, ""))).expires(), "as if it had begun without")
			w.clock.add(4 * time.Minute)
			w.ok(t, write(pull(volumeURI, id, "")))
			w.clock.add(4 * time.Minute)
			require.Len(t, w.ok(t, write(pull(volumeURI, id, ""))).items(), 1)
			until := w.clock.time().Add(7 * time.Minute).Format(time.RFC3339)
			require.Equal(t, until, w.ok(t, write(renewal(id, until))).expires())
			require.Equal(t, until, w.ok(t, write(statusOfContext(id))).expires())
			w.clock.add(7 * time.Minute)
			w.fails(t, write(renewal(id, "PT10M")), "n:InvalidEnumerationContext")
			w.fails(t, write(statusOfContext(id)), "n:InvalidEnumerationContext")
			require.Zero(t, w.broker.open())
		})
	}
}

// Who renews without an end, what had none, has all the time again.
func TestRenewWithoutAnEnd(t *testing.T) {
	w := newWorld(t).withVolumes(9)
	id := w.ok(t, enumerate(volumeURI, "").windows()).context()
	for range 3 {
		w.clock.add(4 * time.Minute)
		require.Equal(t, "PT300.000S", w.ok(t, renewal(id, "").windows()).expires())
	}
	require.Len(t, w.ok(t, pull(volumeURI, id, "").windows()).items(), 1)
	w.clock.add(5 * time.Minute)
	w.fails(t, renewal(id, "").windows(), "n:InvalidEnumerationContext")
}

func TestRenewBelongsToTheUser(t *testing.T) {
	w := newWorld(t).withVolumes(9)
	id := w.ok(t, enumerateUntil("PT1M").windows()).context()
	w.postAs(t, "other", renewal(id, "PT10M").windows()).requireFault(t, "n:InvalidEnumerationContext")
	w.postAs(t, "other", statusOfContext(id).windows()).requireFault(t, "n:InvalidEnumerationContext")
	require.Equal(t, "PT60.000S", w.ok(t, statusOfContext(id).windows()).expires())
}

// While a Pull is under way the enumeration can be renewed, and the Pull does not
// undo it.
func TestRenewDuringAPull(t *testing.T) {
	inTime(t, 5, func(t *testing.T, w *world) {
		goOn := w.blocksAt(2)
		id := w.ok(t, enumerateUntil("PT1M").windows()).context()
		pulled := make(chan reply)
		go func() { pulled <- w.post(t, pull(volumeURI, id, `<n:MaxElements>3</n:MaxElements>`).windows()) }()
		time.Sleep(10 * time.Second)
		require.Equal(t, "PT50.000S", w.ok(t, statusOfContext(id).windows()).expires())
		require.Equal(t, "PT1200.000S", w.ok(t, renewal(id, "PT20M").windows()).expires())
		goOn()
		require.Len(t, (<-pulled).items(), 3)
		require.Equal(t, "PT1200.000S", w.ok(t, statusOfContext(id).windows()).expires())
	})
}

// What is under way and was given no end has all the time after it.
func TestStatusDuringAPull(t *testing.T) {
	inTime(t, 5, func(t *testing.T, w *world) {
		goOn := w.blocksAt(2)
		id := w.ok(t, enumerate(volumeURI, "").windows()).context()
		pulled := make(chan reply)
		go func() { pulled <- w.post(t, pull(volumeURI, id, `<n:MaxElements>3</n:MaxElements>`).windows()) }()
		time.Sleep(10 * time.Second)
		require.Equal(t, "PT300.000S", w.ok(t, statusOfContext(id).windows()).expires())
		goOn()
		require.Len(t, (<-pulled).items(), 3)
	})
}

// The requests that go on with an enumeration may leave out what it is of, but not
// name something else.
func TestContinuingNamesTheSameResource(t *testing.T) {
	w := newWorld(t).withVolumes(9)
	for name, write := range map[string]func(id string) message{
		"Pull":      func(id string) message { return pull(volumeURI, id, "") },
		"Renew":     func(id string) message { return renewal(id, "PT1M") },
		"GetStatus": statusOfContext,
		"Release":   release,
	} {
		t.Run(name, func(t *testing.T) {
			id := w.ok(t, enumerateUntil("PT1M").windows()).context()
			for _, uri := range []string{serviceURI, wsman.AllClassesURI, wsman.SchemaURI,
				"http://schemas.microsoft.com/wbem/wsman/1/wmi/root/other/T_Volume"} {
				m := write(id)
				m.uri = uri
				r := w.fails(t, m.windows(), "a:InvalidMessageInformationHeader")
				require.Contains(t, r.reason(), volumeURI)
			}
			m := write(id)
			m.selectors = [][2]string{{"__cimnamespace", "root/other"}}
			w.fails(t, m.windows(), "a:InvalidMessageInformationHeader")
			require.Equal(t, "PT60.000S", w.ok(t, statusOfContext(id).windows()).expires(), "it stays as it was")
			m = write(id)
			m.uri = "http://schemas.example.org/wbem/wscim/1/cim-schema/2/t_VOLUME"
			m.selectors = [][2]string{{"__cimnamespace", `ROOT\cimv2\storage\iscsitarget`}}
			w.ok(t, m.windows())
		})
	}
}
