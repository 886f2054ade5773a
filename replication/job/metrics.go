package job

import "github.com/prometheus/client_golang/prometheus"

// metrics counts jobs; nil counts nothing.
type metrics struct{ ends *prometheus.CounterVec }

// newMetrics registers what is counted, and running as a gauge.
func newMetrics(reg prometheus.Registerer, running func() float64) (*metrics, error) {
	if reg == nil {
		return nil, nil
	}
	m := &metrics{ends: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "twinlun_jobs_ended_total", Help: "Jobs that ended, by how.",
	}, []string{"state"})}
	gauge := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "twinlun_jobs_running", Help: "Jobs that are being worked on.",
	}, running)
	if err := reg.Register(gauge); err != nil {
		return nil, err
	}
	return m, reg.Register(m.ends)
}

// ended counts a job that ended.
func (m *metrics) ended(s State) {
	if m != nil {
		m.ends.WithLabelValues(s.String()).Inc()
	}
}
