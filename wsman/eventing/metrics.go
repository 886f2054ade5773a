package eventing

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// Why events are dropped.
const (
	dropOverflow = "overflow" // too many waited
	dropTooLarge = "too_large"
	dropEnded    = "ended" // with the subscription
)

// endReason is why a subscription ended.
type endReason string

const (
	endUnsubscribed endReason = "unsubscribed"
	endExpired      endReason = "expired"
	endFailed       endReason = "delivery failed"
	endUser         endReason = "user"
	endShutdown     endReason = "shutdown"
)

// metrics are what the event source counts of itself.
type metrics struct {
	published prometheus.Counter
	delivered *prometheus.CounterVec // mode
	dropped   *prometheus.CounterVec // reason
	failures  prometheus.Counter
	ended     *prometheus.CounterVec // reason
}

func newMetrics(r prometheus.Registerer, m *Manager) (*metrics, error) {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	vector := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label})
	}
	x := &metrics{
		published: counter("twinlun_wsman_events_published_total", "Indications that were published."),
		delivered: vector("twinlun_wsman_events_delivered_total", "Events that subscribers got, by delivery mode.", "mode"),
		dropped:   vector("twinlun_wsman_events_dropped_total", "Events that subscribers wanted and did not get, by reason.", "reason"),
		failures:  counter("twinlun_wsman_delivery_failures_total", "Messages to subscribers that did not arrive, tries counted one by one."),
		ended:     vector("twinlun_wsman_subscriptions_ended_total", "Subscriptions that ended, by reason.", "reason"),
	}
	if r == nil {
		return x, nil
	}
	subscriptions := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "twinlun_wsman_subscriptions", Help: "Subscriptions to indications.",
	}, func() float64 { return float64(m.Count()) })
	return x, errors.Join(
		r.Register(x.published), r.Register(x.delivered), r.Register(x.dropped),
		r.Register(x.failures), r.Register(x.ended), r.Register(subscriptions),
	)
}

func (m *Manager) countDropped(reason string, n int) {
	if n > 0 {
		m.metrics.dropped.WithLabelValues(reason).Add(float64(n))
	}
}

// modeName is a delivery mode in metrics.
func modeName(uri string) string {
	for i := len(uri) - 1; i >= 0; i-- {
		if uri[i] == '/' {
			return uri[i+1:]
		}
	}
	return uri
}
