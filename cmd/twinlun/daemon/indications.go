package daemon

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"twinlun/cim"
	"twinlun/cim/classes"
	"twinlun/cim/mof"
	"twinlun/replication"
	"twinlun/replication/setting"
	"twinlun/schemas"
)

// subscribers get the indications. *eventing.Manager is one.
type subscribers interface {
	// Publish must not wait.
	Publish(in *cim.Instance)
	// Wanted says whether anybody would get what is published.
	Wanted() bool
}

// openIndicator builds what the classes are served with, and the Indicator on it. It
// stands between the making of the service and its start, so that what the start
// changes is heard of.
func (d *Daemon) openIndicator() error {
	schema, err := mof.Load(schemas.Files())
	if err != nil {
		return fmt.Errorf("schema: %w", err)
	}
	settings, err := setting.New(setting.Config{Store: d.store, Time: time.Now, Rand: rand.Reader})
	if err != nil {
		return err
	}
	d.classes = classes.Config{
		Schema: schema, System: d.system, Version: d.options.Version, PoolNames: d.poolNames(),
		Portals: d.portals, Time: time.Now, Logger: d.log,
		Replicator: d.service, Relationships: d.service, Groups: d.service, Volumes: d.service,
		Pools: d.service, Jobs: d.service, Exports: d.exports, Editor: d.service, Settings: settings,
		Space: d.cfg.spaceLevels(),
	}
	d.indicator, err = classes.NewIndicator(classes.IndicatorConfig{
		Classes: d.classes, Emit: d.publish, Wanted: d.wanted, Rand: rand.Reader,
	})
	if err != nil {
		return err
	}
	return d.registry.Register(indicationMetrics{d.indicator})
}

// notify takes the events of the service, from its start on.
func (d *Daemon) notify(e replication.Event) { d.indicator.Notify(e) }

// publish and wanted pass indications on to the subscribers, if there can be any.
func (d *Daemon) publish(in *cim.Instance) {
	if d.subscribers != nil {
		d.subscribers.Publish(in)
	}
}

func (d *Daemon) wanted() bool { return d.subscribers != nil && d.subscribers.Wanted() }

// spaceInterval is how often the space of the pools is compared with the alarm
// levels.
const spaceInterval = 2 * time.Second

// watchPools looks at the space of the pools until ctx ends.
func (d *Daemon) watchPools(ctx context.Context) error {
	tick := time.NewTicker(spaceInterval)
	defer tick.Stop()
	for {
		if err := d.indicator.CheckPools(ctx); err != nil && ctx.Err() == nil {
			d.log.Warn("the space of the pools is not known", slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// reportDamage makes an indication of damage.
func (d *Daemon) reportDamage(ctx context.Context, r classes.DamageReport) {
	d.indicator.ReportDamage(ctx, r)
}

// runIndicator makes indications until ctx ends.
func (d *Daemon) runIndicator(ctx context.Context) error {
	d.indicator.Run(ctx)
	return nil
}

// indicationMetrics shows what the Indicator has done.
type indicationMetrics struct{ of *classes.Indicator }

// Describe implements prometheus.Collector.
func (m indicationMetrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range [...]func() *prometheus.Desc{raisedDesc, droppedDesc, failedDesc, waitingDesc} {
		ch <- d()
	}
}

// Collect implements prometheus.Collector.
func (m indicationMetrics) Collect(ch chan<- prometheus.Metric) {
	s := m.of.Stats()
	for class, n := range s.Raised {
		ch <- prometheus.MustNewConstMetric(raisedDesc(), prometheus.CounterValue, float64(n), class)
	}
	ch <- prometheus.MustNewConstMetric(droppedDesc(), prometheus.CounterValue, float64(s.Dropped))
	ch <- prometheus.MustNewConstMetric(failedDesc(), prometheus.CounterValue, float64(s.Failed))
	ch <- prometheus.MustNewConstMetric(waitingDesc(), prometheus.GaugeValue, float64(s.Waiting))
}

func raisedDesc() *prometheus.Desc {
	return prometheus.NewDesc("twinlun_indications_raised_total", "Indications that were made, by class.", []string{"class"}, nil)
}

func droppedDesc() *prometheus.Desc {
	return prometheus.NewDesc("twinlun_indications_dropped_events_total", "Events that came faster than indications could be made of them.", nil, nil)
}

func failedDesc() *prometheus.Desc {
	return prometheus.NewDesc("twinlun_indications_failed_total", "Indications that could not be made; the log tells why.", nil, nil)
}

func waitingDesc() *prometheus.Desc {
	return prometheus.NewDesc("twinlun_indications_waiting_events", "Events that wait to become indications.", nil, nil)
}
