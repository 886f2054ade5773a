package server

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are what the service counts of itself.
type metrics struct {
	requests     *prometheus.HistogramVec // action, result
	authFailures *prometheus.CounterVec   // status
	refused      *prometheus.CounterVec   // limit
}

func newMetrics(r prometheus.Registerer, s *Server) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "twinlun_wsman_request_seconds",
			Help:    "Time that WS-Management requests took, by action and result: ok, or the fault's subcode.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 4, 10),
		}, []string{"action", "result"}),
		authFailures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "twinlun_wsman_auth_failures_total",
			Help: "Requests that were not let in, by HTTP status.",
		}, []string{"status"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "twinlun_wsman_refused_total",
			Help: "Connections that were closed and requests that were refused, by limit: connections, in_flight, user.",
		}, []string{"limit"}),
	}
	if r == nil {
		return m, nil
	}
	gauge := func(name, help string, f func() int) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return float64(f()) })
	}
	return m, errors.Join(
		r.Register(m.requests),
		r.Register(m.authFailures),
		r.Register(m.refused),
		r.Register(gauge("twinlun_wsman_in_flight", "WS-Management requests under way.", func() int { return len(s.inFlight) })),
		r.Register(gauge("twinlun_wsman_enumerations", "Enumerations under way.", s.contexts.count)),
		r.Register(gauge("twinlun_wsman_connections", "Open connections.", s.conns.count)),
	)
}

func (m *metrics) observe(action, result string, took time.Duration) {
	m.requests.WithLabelValues(action, result).Observe(took.Seconds())
}
