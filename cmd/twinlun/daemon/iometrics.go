package daemon

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

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

	mu      sync.RWMutex
	targets map[string]*targetFigures // those that may have figures; guarded by mu
}

// targetFigures is where the figures of one target go, by operation. Each is looked up
// once: among all figures that costs more than the rest of what is done for a command.
type targetFigures struct {
	commands [operations]atomic.Pointer[prometheus.Observer]
	bytes    [operations]atomic.Pointer[prometheus.Counter]
}

func newIOMetrics(r prometheus.Registerer) (*ioMetrics, error) {
	m := &ioMetrics{
		targets: map[string]*targetFigures{},
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
func (m *ioMetrics) SessionOpened(s iscsi.SessionInfo) { m.of(s.Target) }

// of finds or begins the figures of a target.
func (m *ioMetrics) of(target string) *targetFigures {
	m.mu.RLock()
	f := m.targets[target]
	m.mu.RUnlock()
	if f != nil {
		return f
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if f = m.targets[target]; f == nil {
		f = &targetFigures{}
		m.targets[target] = f
	}
	return f
}

// SessionClosed implements iscsi.Observer.
func (m *ioMetrics) SessionClosed(iscsi.SessionInfo) {}

// LoginFailed implements iscsi.Observer.
func (m *ioMetrics) LoginFailed(_ string, status pdu.LoginStatus) {
	m.refused.WithLabelValues(fmt.Sprintf("%04x", uint16(status))).Inc()
}

// CommandDone implements iscsi.Observer.
func (m *ioMetrics) CommandDone(c iscsi.CommandInfo) {
	op, f := operationOf(c.Opcode), m.of(c.Target)
	once(&f.commands[op], func() prometheus.Observer {
		return m.commands.WithLabelValues(c.Target, op.String())
	}).Observe(c.Took.Seconds())
	if c.Status != scsi.StatusGood {
		m.failed.WithLabelValues(c.Target, op.String()).Inc()
		return
	}
	moved := 0
	switch op {
	case opRead:
		moved = c.In
	case opWrite:
		moved = c.Out
	default:
		return
	}
	once(&f.bytes[op], func() prometheus.Counter {
		return m.bytes.WithLabelValues(c.Target, op.String())
	}).Add(float64(moved))
}

// once is what p has, or what find gives, which it has from then on. find gives the same
// every time.
func once[T any](p *atomic.Pointer[T], find func() T) T {
	if have := p.Load(); have != nil {
		return *have
	}
	found := find()
	p.Store(&found)
	return found
}

// operation is what a command does to a volume.
type operation uint8

const (
	opOther operation = iota
	opRead
	opWrite
	opFlush
	opUnmap
	operations // how many there are
)

// String is the value of the label.
func (o operation) String() string {
	return [operations]string{"other", "read", "write", "flush", "unmap"}[o]
}

// operationOf sorts the operation codes of SBC-4.
func operationOf(opcode byte) operation {
	switch opcode {
	case 0x08, 0x28, 0x88, 0xa8: // READ
		return opRead
	case 0x0a, 0x2a, 0x8a, 0xaa, 0x2e, 0x8e, 0x41, 0x93, 0x89: // WRITE, AND VERIFY, SAME; COMPARE AND WRITE
		return opWrite
	case 0x35, 0x91: // SYNCHRONIZE CACHE
		return opFlush
	case 0x42: // UNMAP
		return opUnmap
	}
	return opOther
}

// keep drops the figures of targets that are no more.
func (m *ioMetrics) keep(targets map[string]bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for t := range m.targets {
		if targets[t] {
			continue
		}
		delete(m.targets, t)
		l := prometheus.Labels{"target": t}
		m.commands.DeletePartialMatch(l)
		m.failed.DeletePartialMatch(l)
		m.bytes.DeletePartialMatch(l)
	}
}
