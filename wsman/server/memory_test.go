package server

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/wsman"
)

// footprint is the memory in use, of the heap and of stacks, and the number of
// goroutines.
func footprint() (bytes, goroutines int) {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // the second empties the pools
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc + m.StackInuse), runtime.NumGoroutine()
}

// crowd is many clients that enumerate at the same time.
type crowd struct {
	*world
	t   *testing.T
	ids []string // contexts by client
}

// each calls f for clients from..to, a few at a time.
func (c *crowd) each(from, to int, f func(client int)) {
	const workers = 16
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := from + w; i < to; i += workers {
				f(i)
			}
		})
	}
	wg.Wait()
}

// send posts a message as one of several users and returns the context and how many
// items came.
func (c *crowd) send(client int, body string) (id string, items int) {
	r := httpRequest(body)
	r.SetBasicAuth(fmt.Sprintf("user%d", client%10), "pw")
	rec := httptest.NewRecorder()
	c.Handler().ServeHTTP(rec, r)
	if rec.Code != http.StatusOK {
		c.t.Error(rec.Code, rec.Body)
		return "", 0
	}
	text := rec.Body.String()
	_, after, _ := strings.Cut(text, "<n:EnumerationContext>")
	id, _, _ = strings.Cut(after, "<")
	return id, strings.Count(text, `<p:T_Job xmlns:p="`)
}

const (
	crowdClients = 1000
	crowdSize    = 10000
	// mostPerContext is what an enumeration may hold between requests: the stack of
	// its source, an instance that waits, and its entries in tables.
	mostPerContext = 24 << 10
)

// A thousand clients enumerate ten thousand instances each, and half of them walk
// away. The service holds little of each, and nothing in the end.
func TestMemoryStaysFlat(t *testing.T) {
	c := &crowd{t: t, ids: make([]string, crowdClients), world: newWorld(t, func(c *Config) {
		c.Limits.Contexts, c.Limits.ContextsPerUser = crowdClients, crowdClients
	})}
	for i := range crowdSize {
		c.broker.put("T_Job", "InstanceID", fmt.Sprintf("J%d", i))
	}
	const every = 100
	key := c.broker.schema.Class("T_Job").Keys[0].Index
	c.broker.queries = map[string]fakeFilter{"select": {c.broker.schema.Class("T_Job"), func(in *cim.Instance) bool {
		id, _ := in.At(key).(string)
		return strings.HasSuffix(id, "99")
	}}}
	all := enumerate(strings.Replace(volumeURI, "T_Volume", "T_Job", 1), `<w:OptimizeEnumeration/><w:MaxElements>10</w:MaxElements>`)
	some := enumerate(wsman.AllClassesURI, `<w:OptimizeEnumeration/><w:MaxElements>10</w:MaxElements><w:Filter Dialect="`+wsman.DialectWQL+`">select</w:Filter>`)
	// All are padded: what is held must not hold the messages.
	padding := "<!--" + strings.Repeat("x", 32<<10) + "-->"
	first := func(client int) message {
		if client%100 == 1 {
			return all
		}
		return some
	}
	c.send(0, getOne(some).windows()) // warm up
	before, goroutines := footprint()

	c.each(0, crowdClients, func(i int) {
		m := first(i)
		m.body = padding + m.body
		id, n := c.send(i, m.windows())
		if c.ids[i] = id; n != 10 || id == "" {
			t.Error(n, id)
		}
	})
	require.Equal(t, crowdClients, c.contexts.count())
	held, _ := footprint()
	t.Logf("%d bytes for each enumeration that is open", (held-before)/crowdClients)
	require.Less(t, (held-before)/crowdClients, mostPerContext)

	// The odd ones go on to the end.
	c.each(0, crowdClients, func(i int) {
		if i%2 == 0 {
			return
		}
		want, got := crowdSize/every, 10
		if i%100 == 1 {
			want = crowdSize
		}
		for c.ids[i] != "" {
			p := pull(first(i).uri, c.ids[i], `<n:MaxElements>1000</n:MaxElements>`+padding)
			id, n := c.send(i, p.windows())
			c.ids[i], got = id, got+n
		}
		if got != want {
			t.Error(i, got, want)
		}
	})
	require.Equal(t, crowdClients/2, c.contexts.count())
	held, _ = footprint()
	require.Less(t, (held-before)/crowdClients, mostPerContext)

	c.clock.add(c.config.Limits.ContextIdle)
	c.contexts.sweep(c.clock.time())
	require.Zero(t, c.contexts.count())
	require.Zero(t, c.broker.open())
	for deadline := time.Now().Add(time.Minute); runtime.NumGoroutine() > goroutines; runtime.Gosched() {
		require.True(t, time.Now().Before(deadline), "%d goroutines, before there were %d", runtime.NumGoroutine(), goroutines)
	}
	after, _ := footprint()
	t.Logf("%d bytes are left", after-before)
	require.Less(t, after-before, 4<<20)
}

// getOne is an enumeration that is over at once.
func getOne(m message) message {
	m.body = strings.Replace(m.body, `>10<`, `>32000<`, 1)
	return m
}

// The source of an enumeration keeps nothing of the message that began it.
func TestEnumerationsForgetTheirMessages(t *testing.T) {
	w := newWorld(t).withPairs().queries("select", "T_Volume")
	filters := []string{
		"", `<w:Filter Dialect="` + wsman.DialectWQL + `">select</w:Filter>`, `<w:Filter>p:DeviceID</w:Filter>`,
		`<w:Filter Dialect="` + wsman.DialectSelector + `"><w:SelectorSet><w:Selector Name="SystemName">host</w:Selector></w:SelectorSet></w:Filter>`,
		`<w:Filter Dialect="` + wsman.DialectAssociation + `"><b:AssociatedInstances><b:Object>` + refTo("V0") +
			`</b:Object><b:Role>Source</b:Role><b:IncludeResultProperty>Size</b:IncludeResultProperty></b:AssociatedInstances></w:Filter>`,
	}
	const size = 1 << 20
	for _, filter := range filters {
		m := enumerate(volumeURI, filter)
		m.body = strings.Repeat("<!--"+strings.Repeat("x", size/16)+"-->", 16) + m.body
		m.selectors = [][2]string{{"__cimnamespace", testNamespace}}
		body := m.windows()
		before, _ := footprint()
		id := w.ok(t, body).context()
		after, _ := footprint()
		require.Less(t, after-before, size/2, filter)
		require.NotEmpty(t, id)
		runtime.KeepAlive(body)
	}
}
