package replication

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"twinlun/replication/pairstate"
)

// metrics counts what the Service does, and shows its relationships when asked.
type metrics struct {
	book     *book
	pairs    *prometheus.Desc
	bytes    *prometheus.CounterVec
	refusals *prometheus.CounterVec
	events   *prometheus.CounterVec
}

// newMetrics registers the metrics; without a Registerer they are counted for
// nobody.
func newMetrics(reg prometheus.Registerer, b *book) (*metrics, error) {
	m := &metrics{
		book: b,
		pairs: prometheus.NewDesc("twinlun_replication_relationships",
			"Relationships by type of copy and copy state.", []string{"type", "state"}, nil),
		bytes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "twinlun_replication_copied_bytes_total", Help: "Bytes that background copies are done with.",
		}, []string{"type"}),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "twinlun_replication_refused_total", Help: "Requests that failed, by return code.",
		}, []string{"code"}),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "twinlun_replication_events_total", Help: "Changes that were told of, by what changed and how.",
		}, []string{"object", "change"}),
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m, m.bytes, m.refusals, m.events} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// Describe implements prometheus.Collector.
func (m *metrics) Describe(ch chan<- *prometheus.Desc) { ch <- m.pairs }

// Collect implements prometheus.Collector.
func (m *metrics) Collect(ch chan<- prometheus.Metric) {
	type kind struct {
		t pairstate.SyncType
		c pairstate.CopyState
	}
	count := map[kind]int{}
	for _, r := range m.book.records() {
		count[kind{r.Type, r.State.Copy}]++
	}
	for k, n := range count {
		ch <- prometheus.MustNewConstMetric(m.pairs, prometheus.GaugeValue, float64(n), k.t.String(), k.c.String())
	}
}

func (m *metrics) copied(t pairstate.SyncType, n int64) {
	if n > 0 {
		m.bytes.WithLabelValues(t.String()).Add(float64(n))
	}
}

func (m *metrics) refusal(k Kind) {
	m.refusals.WithLabelValues(strconv.FormatUint(uint64(k), 10)).Inc()
}

func (m *metrics) event(of ObjectKind, what ChangeKind) {
	m.events.WithLabelValues(of.String(), what.String()).Inc()
}
