package daemon

import (
	"errors"
	"fmt"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"twinlun/blockdev/iscsi"
	"twinlun/blockdev/iscsi/pdu"
	"twinlun/blockdev/scsi"
)

// ioMetrics counts what initiators do, by target: each exposed volume has one. It
// is an iscsi.Observer.
type ioMetrics struct {
	refused  *prometheus.CounterVec
	commands *prometheus.HistogramVec
	failed   *prometheus.CounterVec
	bytes    *prometheus.CounterVec

	mu   sync.Mutex
	seen map[string]bool // targets that may have figures; guarded by mu
}

func newIOMetrics(r prometheus.Registerer) (*ioMetrics, error) {
	m := &ioMetrics{
		seen: map[string]bool{},
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "twinlun_iscsi_logins_refused_total", Help: "Logins that failed, by status class and detail.",
		}, []string{"status"}),
		commands: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "twinlun_iscsi_command_seconds", Help: "Time that SCSI commands took in the target.",
			Buckets: prometheus.ExponentialBuckets(0.00005, 4, 9),
		}, []string{"target", "operation"}),
		failed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "twinlun_iscsi_commands_failed_total", Help: "SCSI commands that did not end with status GOOD.",
		}, []string{"target", "operation"}),
		bytes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "twinlun_iscsi_bytes_total", Help: "Bytes read from and written to targets.",
		}, []string{"target", "direction"}),
	}
	var errs []error
	for _, c := range []prometheus.Collector{m.refused, m.commands, m.failed, m.bytes} {
		errs = append(errs, r.Register(c))
	}
	return m, errors.Join(errs...)
}

// SessionOpened implements iscsi.Observer.
func (m *ioMetrics) SessionOpened(s iscsi.SessionInfo) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.seen[s.Target] = true
}

// SessionClosed implements iscsi.Observer.
func (m *ioMetrics) SessionClosed(iscsi.SessionInfo) {}

// LoginFailed implements iscsi.Observer.
func (m *ioMetrics) LoginFailed(_ string, status pdu.LoginStatus) {
	m.refused.WithLabelValues(fmt.Sprintf("%04x", uint16(status))).Inc()
}

// CommandDone implements iscsi.Observer.
func (m *ioMetrics) CommandDone(c iscsi.CommandInfo) {
	op := operationOf(c.Opcode)
	m.commands.WithLabelValues(c.Target, op).Observe(c.Took.Seconds())
	if c.Status != scsi.StatusGood {
		m.failed.WithLabelValues(c.Target, op).Inc()
		return
	}
	switch op {
	case "read":
		m.bytes.WithLabelValues(c.Target, op).Add(float64(c.In))
	case "write":
		m.bytes.WithLabelValues(c.Target, op).Add(float64(c.Out))
	}
}

// operationOf sorts the operation codes of SBC-4 by what they do to a volume.
func operationOf(opcode byte) string {
	switch opcode {
	case 0x08, 0x28, 0x88, 0xa8: // READ
		return "read"
	case 0x0a, 0x2a, 0x8a, 0xaa, 0x2e, 0x8e, 0x41, 0x93, 0x89: // WRITE, AND VERIFY, SAME; COMPARE AND WRITE
		return "write"
	case 0x35, 0x91: // SYNCHRONIZE CACHE
		return "flush"
	case 0x42: // UNMAP
		return "unmap"
	}
	return "other"
}

// keep drops the figures of targets that are no more.
func (m *ioMetrics) keep(targets map[string]bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for t := range m.seen {
		if targets[t] {
			continue
		}
		delete(m.seen, t)
		l := prometheus.Labels{"target": t}
		m.commands.DeletePartialMatch(l)
		m.failed.DeletePartialMatch(l)
		m.bytes.DeletePartialMatch(l)
	}
}
