package server

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/wsman"
	"twinlun/wsman/soap"
)

// deviceOf is the DeviceID of an item, wherever the mode puts it.
func deviceOf(t *testing.T, e *soap.Element) string {
	t.Helper()
	switch e.Tag {
	case "Item":
		in, epr := soap.FirstChild(e), soap.Child(e, wsman.NSAddressing, "EndpointReference")
		require.NotNil(t, epr)
		require.Equal(t, deviceOf(t, in), deviceOf(t, epr))
		return deviceOf(t, in)
	case "EndpointReference":
		epr, err := soap.ReadEPR(e)
		require.NoError(t, err)
		id, ok := wsman.FindSelector(epr.Selectors, "DeviceID")
		require.True(t, ok)
		ns, ok := wsman.FindSelector(epr.Selectors, wsman.SelectorNamespace)
		require.True(t, ok)
		require.Equal(t, testNamespace, ns.Value)
		return id.Value
	}
	return soap.ChildText(e, "", "DeviceID")
}

// walk enumerates to the end and returns the device ids by answer.
func (w *world) walk(t *testing.T, write func(message) string, first message, pullInner string) (batches [][]string) {
	t.Helper()
	r := w.ok(t, write(first))
	require.Equal(t, wsman.ActionEnumerate+"Response", r.Action)
	for {
		var ids []string
		for _, e := range r.items() {
			ids = append(ids, deviceOf(t, e))
		}
		batches = append(batches, ids)
		if r.ended() {
			require.Empty(t, r.context(), "the end has no context")
			require.Zero(t, w.contexts.count())
			return batches
		}
		require.NotEmpty(t, r.context())
		r = w.ok(t, write(pull(first.uri, r.context(), pullInner)))
		require.Equal(t, wsman.ActionPull+"Response", r.Action)
	}
}

func TestEnumerateModes(t *testing.T) {
	const optimize = `<w:OptimizeEnumeration/>`
	maxElements := func(prefix string, n int) string {
		return fmt.Sprintf(`<%[1]s:MaxElements>%[2]d</%[1]s:MaxElements>`, prefix, n)
	}
	modes := map[string]string{
		"objects": "", "EPRs": "<w:EnumerationMode>EnumerateEPR</w:EnumerationMode>",
		"both": "<w:EnumerationMode>EnumerateObjectAndEPR</w:EnumerationMode>",
	}
	shapes := []struct {
		name        string
		first, next string
		want        [][]string
	}{
		{"at once", optimize + maxElements("w", 32000), "", [][]string{{"V0", "V1", "V2", "V3", "V4"}}},
		{"exactly", optimize + maxElements("w", 5), "", [][]string{{"V0", "V1", "V2", "V3", "V4"}}},
		{"by two", optimize + maxElements("w", 2), maxElements("n", 2), [][]string{{"V0", "V1"}, {"V2", "V3"}, {"V4"}}},
		{"by one", optimize, "", [][]string{{"V0"}, {"V1"}, {"V2"}, {"V3"}, {"V4"}}},
		{"pulled", "", maxElements("n", 20), [][]string{nil, {"V0", "V1", "V2", "V3", "V4"}}},
		{"pulled by three", "", maxElements("w", 3), [][]string{nil, {"V0", "V1", "V2"}, {"V3", "V4"}}},
	}
	for family, write := range families() {
		for mode, modeXML := range modes {
			for _, shape := range shapes {
				t.Run(family+"/"+mode+"/"+shape.name, func(t *testing.T) {
					w := newWorld(t).withVolumes(5)
					got := w.walk(t, write, enumerate(volumeURI, shape.first+modeXML), shape.next)
					require.Equal(t, shape.want, got)
				})
			}
		}
	}
}

// Enumerate and Pull differ in the namespaces of what they hold.
func TestEnumerateNamespaces(t *testing.T) {
	w := newWorld(t).withVolumes(3)
	r := w.ok(t, enumerate(volumeURI, `<w:OptimizeEnumeration/>`).windows())
	require.NotNil(t, soap.Child(r.Body, wsman.NSWSMan, "Items"))
	r = w.ok(t, pull(volumeURI, r.context(), `<n:MaxElements>9</n:MaxElements>`).windows())
	require.NotNil(t, soap.Child(r.Body, wsman.NSEnumeration, "Items"))
	require.NotNil(t, soap.Child(r.Body, wsman.NSEnumeration, "EndOfSequence"))
	require.Nil(t, soap.Child(r.Body, wsman.NSEnumeration, "EnumerationContext"))
	r = w.ok(t, enumerate(volumeURI, `<w:OptimizeEnumeration/><w:MaxElements>9</w:MaxElements>`).windows())
	require.NotNil(t, soap.Child(r.Body, wsman.NSWSMan, "EndOfSequence"))
	require.Contains(t, r.text, "<n:EnumerationContext/>", "Windows expects the element")
}

func TestEnumerateNothing(t *testing.T) {
	w := newWorld(t)
	for _, write := range families() {
		require.Equal(t, [][]string{nil}, w.walk(t, write, enumerate(volumeURI, `<w:OptimizeEnumeration/>`), ""))
		require.Equal(t, [][]string{nil, nil}, w.walk(t, write, enumerate(volumeURI, ""), ""))
	}
}

func TestEnumeratePolymorphism(t *testing.T) {
	w := newWorld(t).withVolumes(4)
	items := func(mode string) []*soap.Element {
		if mode != "" {
			mode = `<b:PolymorphismMode>` + mode + `</b:PolymorphismMode>`
		}
		return w.ok(t, enumerate(volumeURI, `<w:OptimizeEnumeration/><w:MaxElements>9</w:MaxElements>`+mode).windows()).items()
	}
	for _, mode := range []string{"", "IncludeSubClassProperties"} {
		got := items(mode)
		require.Len(t, got, 4)
		require.Equal(t, "T_ThinVolume", got[3].Tag)
		require.NotNil(t, soap.Child(got[3], "", "Allocated"))
	}
	got := items("ExcludeSubClassProperties")
	require.Len(t, got, 4)
	require.Equal(t, "T_Volume", got[3].Tag)
	require.Nil(t, soap.Child(got[3], "", "Allocated"))
	require.Equal(t, "V3", soap.ChildText(got[3], "", "DeviceID"))
	require.Len(t, items("None"), 3)
	w.fails(t, enumerate(volumeURI, `<b:PolymorphismMode>Some</b:PolymorphismMode>`).windows(), "b:PolymorphismModeNotSupported")
}

func TestEnumerateFails(t *testing.T) {
	w := newWorld(t).withVolumes(1)
	tests := []struct {
		name    string
		message message
		subcode string
	}{
		{"unknown class", enumerate(volumeURI+"x", ""), "a:DestinationUnreachable"},
		{"all classes", enumerate(wsman.AllClassesURI, ""), "n:CannotProcessFilter"},
		{"no elements", enumerate(volumeURI, `<w:MaxElements>0</w:MaxElements>`), "w:SchemaValidationError"},
		{"elements in words", enumerate(volumeURI, `<w:MaxElements>many</w:MaxElements>`), "w:SchemaValidationError"},
		{"unknown mode", enumerate(volumeURI, `<w:EnumerationMode>x</w:EnumerationMode>`), "w:UnsupportedFeature"},
		{"EndTo", enumerate(volumeURI, `<n:EndTo><a:Address>http://x/</a:Address></n:EndTo>`), "w:UnsupportedFeature"},
		{"empty body", message{action: wsman.ActionEnumerate, uri: volumeURI}, "w:SchemaValidationError"},
		{"filtered classes", enumerate(wsman.SchemaURI, `<w:Filter Dialect="x">x</w:Filter>`), "n:CannotProcessFilter"},
		{"unknown context", pull(volumeURI, "uuid:none", ""), "n:InvalidEnumerationContext"},
		{"no context", pull(volumeURI, "", ""), "n:InvalidEnumerationContext"},
		{"release of nothing", release("uuid:none"), "n:InvalidEnumerationContext"},
		{"pull with another body", message{action: wsman.ActionPull, uri: volumeURI, body: "<n:Release/>"}, "w:SchemaValidationError"},
		{"release with another body", message{action: wsman.ActionRelease, uri: volumeURI, body: "<n:Pull/>"}, "w:SchemaValidationError"},
		{"two modes", enumerate(volumeURI, `<w:EnumerationMode>EnumerateEPR</w:EnumerationMode><w:EnumerationMode>EnumerateEPR</w:EnumerationMode>`), "w:SchemaValidationError"},
		{"two polymorphism modes", enumerate(volumeURI, `<b:PolymorphismMode>None</b:PolymorphismMode><b:PolymorphismMode>None</b:PolymorphismMode>`), "w:SchemaValidationError"},
		{"both MaxElements", enumerate(volumeURI, `<w:MaxElements>1</w:MaxElements><n:MaxElements>1</n:MaxElements>`), "w:SchemaValidationError"},
		{"a selector", message{action: wsman.ActionEnumerate, uri: volumeURI, selectors: volumeKeys("V0"), body: enumerate(volumeURI, "").body}, "w:InvalidSelectors"},
		{"classes by EPR", enumerate(wsman.SchemaURI, `<w:EnumerationMode>EnumerateEPR</w:EnumerationMode>`), "w:UnsupportedFeature"},
		{"classes and EPRs", enumerate(wsman.SchemaURI, `<w:EnumerationMode>EnumerateObjectAndEPR</w:EnumerationMode>`), "w:UnsupportedFeature"},
		{"shallow classes", enumerate(wsman.SchemaURI, `<b:PolymorphismMode>None</b:PolymorphismMode>`), "b:PolymorphismModeNotSupported"},
		{"no characters", pull(volumeURI, "x", `<n:MaxCharacters>0</n:MaxCharacters>`), "w:SchemaValidationError"},
		{"two contexts", pull(volumeURI, "x", `<n:EnumerationContext>x</n:EnumerationContext>`), "w:SchemaValidationError"},
		{"renewal of nothing", continuing(wsman.ActionRenew, "Renew", "uuid:none", ""), "n:InvalidEnumerationContext"},
		{"status of nothing", continuing(wsman.ActionGetStatus, "GetStatus", "uuid:none", ""), "n:InvalidEnumerationContext"},
		{"renewal with another body", message{action: wsman.ActionRenew, uri: volumeURI, body: "<n:Pull/>"}, "w:SchemaValidationError"},
		{"status with another body", message{action: wsman.ActionGetStatus, uri: volumeURI, body: "<n:Pull/>"}, "w:SchemaValidationError"},
		{"endless pull", pull(volumeURI, "x", `<n:MaxTime>forever</n:MaxTime>`), "w:SchemaValidationError"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w.fails(t, tt.message.windows(), tt.subcode)
			require.Zero(t, w.contexts.count())
		})
	}
}

func TestRelease(t *testing.T) {
	w := newWorld(t).withVolumes(3)
	id := w.ok(t, enumerate(volumeURI, "").windows()).context()
	require.Equal(t, 1, w.broker.open())
	r := w.ok(t, release(id).windows())
	require.Equal(t, wsman.ActionRelease+"Response", r.Action)
	require.Nil(t, r.Body)
	require.Zero(t, w.broker.open(), "the broker's enumeration has returned")
	w.fails(t, pull(volumeURI, id, "").windows(), "n:InvalidEnumerationContext")
	w.fails(t, release(id).windows(), "n:InvalidEnumerationContext")
}

func TestEnumerationBelongsToItsUser(t *testing.T) {
	w := newWorld(t).withVolumes(3)
	id := w.ok(t, enumerate(volumeURI, "").windows()).context()
	w.postAs(t, "other", pull(volumeURI, id, "").windows()).requireFault(t, "n:InvalidEnumerationContext")
	w.postAs(t, "other", release(id).windows()).requireFault(t, "n:InvalidEnumerationContext")
	require.Len(t, w.ok(t, pull(volumeURI, id, "").windows()).items(), 1)
}

func TestEnumerationExpires(t *testing.T) {
	w := newWorld(t).withVolumes(3)
	idle := w.config.Limits.ContextIdle
	id := w.ok(t, enumerate(volumeURI, "").windows()).context()
	for range 2 {
		w.clock.add(idle - time.Second) // each Pull gives it new time
		require.Len(t, w.ok(t, pull(volumeURI, id, "").windows()).items(), 1)
	}
	w.clock.add(idle)
	w.fails(t, pull(volumeURI, id, "").windows(), "n:InvalidEnumerationContext")
	require.Zero(t, w.contexts.count())
	require.Zero(t, w.broker.open())
}

func TestEnumerationQuotas(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Limits.Contexts, c.Limits.ContextsPerUser = 3, 2 }).withVolumes(3)
	first := w.ok(t, enumerate(volumeURI, "").windows()).context()
	w.ok(t, enumerate(volumeURI, "").windows())
	w.fails(t, enumerate(volumeURI, "").windows(), "w:QuotaLimit")
	require.Equal(t, 200, w.postAs(t, "b", enumerate(volumeURI, "").windows()).status)
	w.postAs(t, "c", enumerate(volumeURI, "").windows()).requireFault(t, "a:EndpointUnavailable")
	require.Equal(t, 3, w.broker.open(), "the refused ones have not begun")
	w.ok(t, release(first).windows())
	require.Equal(t, 200, w.postAs(t, "c", enumerate(volumeURI, "").windows()).status)
}

// However small the envelope, everything arrives, once and in order.
func TestEnvelopeSizeSplitsBatches(t *testing.T) {
	for _, size := range []int{8192, 16384, 40000} {
		w := newWorld(t).withVolumes(200)
		msg := enumerate(volumeURI, `<w:OptimizeEnumeration/><w:MaxElements>32000</w:MaxElements>`)
		msg.maxSize = size
		write := func(m message) string { m.maxSize = size; return m.windows() }
		batches := w.walk(t, write, msg, `<n:MaxElements>32000</n:MaxElements>`)
		require.Greater(t, len(batches), 1)
		var all []string
		for _, b := range batches {
			all = append(all, b...)
		}
		require.Len(t, all, 200)
		for i, id := range all {
			require.Equal(t, fmt.Sprintf("V%d", i), id)
		}
	}
}

func TestEnvelopeSizeIsKept(t *testing.T) {
	w := newWorld(t).withVolumes(300)
	for _, size := range []int{8192, 9000, 10001, 30000} {
		m := enumerate(volumeURI, `<w:OptimizeEnumeration/><w:MaxElements>32000</w:MaxElements>`)
		m.maxSize = size
		r := w.ok(t, m.windows())
		require.LessOrEqual(t, len(r.text), size)
		require.Greater(t, len(r.text), size/2)
		w.ok(t, release(r.context()).windows())
	}
}

// In UTF-16 the same text has twice the bytes.
func TestEnvelopeSizeIsKeptInUTF16(t *testing.T) {
	w := newWorld(t).withVolumes(300)
	m := enumerate(volumeURI, `<w:OptimizeEnumeration/><w:MaxElements>32000</w:MaxElements>`)
	m.maxSize = 20000
	r := httpRequest(string(soap.UTF16LE.Encode([]byte(m.windows()))))
	rec := w.serve(t, r)
	require.Equal(t, 200, rec.Code)
	require.LessOrEqual(t, rec.Body.Len(), m.maxSize)
	require.Greater(t, rec.Body.Len(), m.maxSize/2)
}

func TestInstanceLargerThanTheEnvelope(t *testing.T) {
	w := newWorld(t)
	w.broker.put("T_Volume", "SystemName", "host", "DeviceID", strings.Repeat("x", 9000))
	m := enumerate(volumeURI, `<w:OptimizeEnumeration/>`)
	m.maxSize = 8192
	r := w.fails(t, m.windows(), "w:EncodingLimit")
	require.Equal(t, "MaxEnvelopeSizeExceeded", r.faultDetail())
	require.Zero(t, w.contexts.count(), "nobody knows its id")

	id := w.ok(t, enumerate(volumeURI, "").windows()).context()
	p := pull(volumeURI, id, "")
	p.maxSize = 8192
	w.fails(t, p.windows(), "w:EncodingLimit")
	p.maxSize = 100000
	require.Len(t, w.ok(t, p.windows()).items(), 1, "the client may try again")
}

func TestBatchIsBounded(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Limits.Batch = 7 }).withVolumes(10)
	r := w.ok(t, enumerate(volumeURI, `<w:OptimizeEnumeration/><w:MaxElements>32000</w:MaxElements>`).windows())
	require.Len(t, r.items(), 7)
}

func TestEnumerationFailsOnTheWay(t *testing.T) {
	w := newWorld(t).withVolumes(5)
	boom := errors.New("disk on fire")
	w.broker.each = func(_ context.Context, n int) error {
		if n == 3 {
			return boom
		}
		return nil
	}
	id := w.ok(t, enumerate(volumeURI, "").windows()).context()
	w.ok(t, pull(volumeURI, id, "").windows())
	r := w.fails(t, pull(volumeURI, id, `<n:MaxElements>9</n:MaxElements>`).windows(), "w:InternalError")
	require.NotContains(t, r.text, "fire")
	w.fails(t, pull(volumeURI, id, "").windows(), "n:InvalidEnumerationContext")
	require.Zero(t, w.broker.open())
}

// blocksAt makes the broker's enumerations stop at the n-th instance until they are
// ended or the returned function lets them go on.
func (w *world) blocksAt(n int) (goOn func()) {
	released := make(chan struct{})
	w.broker.each = func(ctx context.Context, i int) error {
		if i != n {
			return nil
		}
		select {
		case <-released:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return func() { close(released) }
}

// inTime runs a test in a bubble, whose time passes when everybody waits.
func inTime(t *testing.T, volumes int, test func(*testing.T, *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		test(t, newWorld(t, func(c *Config) { c.Time = time.Now }).withVolumes(volumes))
	})
}

// A request whose time is up sends what there is, and the enumeration goes on.
func TestPullSendsWhatItHasInTime(t *testing.T) {
	for name, limit := range map[string]struct{ inner, timeout string }{
		"MaxTime":          {inner: `<n:MaxTime>PT2S</n:MaxTime>`},
		"OperationTimeout": {timeout: "PT2.000S"},
		"both":             {inner: `<n:MaxTime>PT2S</n:MaxTime>`, timeout: "PT5S"},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, 5, func(t *testing.T, w *world) {
				goOn := w.blocksAt(3)
				id := w.ok(t, enumerate(volumeURI, "").windows()).context()
				p := pull(volumeURI, id, `<n:MaxElements>9</n:MaxElements>`+limit.inner)
				p.timeout = limit.timeout
				start := time.Now()
				r := w.ok(t, p.windows())
				require.Equal(t, 2*time.Second, time.Since(start))
				require.Len(t, r.items(), 3)
				require.Equal(t, id, r.context())
				want := "n:TimedOut"
				if limit.inner == "" {
					want = "w:TimedOut"
				}
				for range 2 {
					w.fails(t, p.windows(), want)
				}
				require.Equal(t, 1, w.contexts.count(), "a fault for the time does not end it")
				goOn()
				r = w.ok(t, p.windows())
				require.Len(t, r.items(), 2, "nothing is lost")
				require.True(t, r.ended())
				require.Zero(t, w.contexts.count())
			})
		})
	}
}

func TestEnumerateSendsWhatItHasInTime(t *testing.T) {
	inTime(t, 5, func(t *testing.T, w *world) {
		goOn := w.blocksAt(2)
		m := enumerate(volumeURI, `<w:OptimizeEnumeration/><w:MaxElements>9</w:MaxElements>`)
		m.timeout = "PT1S"
		r := w.ok(t, m.windows())
		require.Len(t, r.items(), 2)
		goOn()
		require.Len(t, w.ok(t, pull(volumeURI, r.context(), `<n:MaxElements>9</n:MaxElements>`).windows()).items(), 3)
	})
}

// An Enumerate that has nothing to send in time is a fault and ends, for nobody
// knows its context; one that is to send nothing waits no longer.
func TestEnumerateTimesOut(t *testing.T) {
	inTime(t, 5, func(t *testing.T, w *world) {
		goOn := w.blocksAt(0)
		m := enumerate(volumeURI, `<w:OptimizeEnumeration/><w:MaxElements>9</w:MaxElements>`)
		m.timeout = "PT1S"
		w.fails(t, m.windows(), "w:TimedOut")
		synctest.Wait()
		require.Zero(t, w.contexts.count())
		require.Zero(t, w.broker.open(), "it was cancelled")
		m.body = enumerate(volumeURI, "").body
		id := w.ok(t, m.windows()).context()
		require.NotEmpty(t, id)
		goOn()
		require.Len(t, w.ok(t, pull(volumeURI, id, `<n:MaxElements>9</n:MaxElements>`).windows()).items(), 5)
	})
}

// A client that hangs up while it waits loses nothing.
func TestPullThatIsGivenUp(t *testing.T) {
	w := newWorld(t).withVolumes(5)
	reached := make(chan struct{})
	goOn := make(chan struct{})
	w.broker.each = func(_ context.Context, n int) error {
		if n == 3 {
			close(reached)
			<-goOn
		}
		return nil
	}
	id := w.ok(t, enumerate(volumeURI, "").windows()).context()
	p := pull(volumeURI, id, `<n:MaxElements>9</n:MaxElements>`)
	ctx, hangUp := context.WithCancel(t.Context())
	go func() {
		<-reached
		hangUp()
	}()
	w.serve(t, httpRequest(p.windows()).WithContext(ctx))
	close(goOn)
	require.Len(t, w.ok(t, p.windows()).items(), 5)
}

func TestEnumerationIsForOneRequestAtATime(t *testing.T) {
	w := newWorld(t).withVolumes(5)
	reached, goOn := make(chan struct{}), make(chan struct{})
	w.broker.each = func(_ context.Context, n int) error {
		if n == 2 {
			close(reached)
			<-goOn
		}
		return nil
	}
	id := w.ok(t, enumerate(volumeURI, "").windows()).context()
	slow := make(chan reply)
	go func() { slow <- w.post(t, pull(volumeURI, id, `<n:MaxElements>9</n:MaxElements>`).windows()) }()
	<-reached
	w.fails(t, pull(volumeURI, id, "").windows(), "w:Concurrency")
	w.fails(t, release(id).windows(), "w:Concurrency")
	close(goOn)
	require.Len(t, (<-slow).items(), 5)
}

// What runs when the service ends is cancelled and closed by its own request.
func TestCloseEndsEnumerationsInUse(t *testing.T) {
	w := newWorld(t).withVolumes(5)
	reached := make(chan struct{})
	w.broker.each = func(ctx context.Context, n int) error {
		if n == 2 {
			close(reached)
			<-ctx.Done()
			return ctx.Err()
		}
		return nil
	}
	idle := w.ok(t, enumerate(volumeURI, "").windows()).context()
	require.NotEmpty(t, idle)
	slow := make(chan reply)
	go func() {
		slow <- w.post(t, enumerate(volumeURI, `<w:OptimizeEnumeration/><w:MaxElements>9</w:MaxElements>`).windows())
	}()
	<-reached
	w.Close()
	r := <-slow
	r.requireFault(t, "a:EndpointUnavailable")
	require.Zero(t, w.broker.open())
	require.Zero(t, w.contexts.count())
}
