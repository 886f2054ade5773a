package daemon

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"twinlun/blockdev/export"
	"twinlun/blockdev/pool"
	"twinlun/replication"
	"twinlun/replication/pairstate"
)

// stateTimeout bounds what one reading of the metrics asks for.
const stateTimeout = 10 * time.Second

// exporter shows which volumes are exposed. *export.Exports is one.
type exporter interface {
	Exports(context.Context) ([]export.Export, error)
}

// replicator shows pools, volumes and what is replicated. *replication.Service is
// one.
type replicator interface {
	Pools(context.Context) ([]pool.Info, error)
	EachVolume(context.Context, func(pool.Volume) error) error
	Relationships(context.Context) ([]replication.Relationship, error)
}

// stateMetrics shows pools, exports and relationships as they are when they are
// asked for. What cannot be read is left out and logged.
type stateMetrics struct {
	service replicator
	exports exporter
	io      *ioMetrics
	timeout time.Duration
	now     func() time.Time
	log     *slog.Logger
}

// Describe implements prometheus.Collector: the metrics are checked when they are
// collected.
func (m *stateMetrics) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (m *stateMetrics) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), m.timeout)
	defer cancel()
	byID := map[replication.VolumeRef]pool.Volume{}
	err := m.service.EachVolume(ctx, func(v pool.Volume) error {
		byID[replication.VolumeRef{Pool: v.Pool, ID: v.ID}] = v
		return nil
	})
	if err != nil {
		m.log.Warn("metrics: volumes", slog.Any("error", err))
	}
	g := gauges{ch}
	for what, collect := range map[string]func(context.Context, gauges, map[replication.VolumeRef]pool.Volume) error{
		"pools": m.pools, "volumes": m.volumes, "exports": m.exported, "relationships": m.relationships,
	} {
		if err := collect(ctx, g, byID); err != nil {
			m.log.Warn("metrics: "+what, slog.Any("error", err))
		}
	}
}

// gauges sends gauges. Labels and their values are given in turn.
type gauges struct{ ch chan<- prometheus.Metric }

func (g gauges) set(name, help string, value float64, labels ...string) {
	var names, values []string
	for i := 0; i+1 < len(labels); i += 2 {
		names, values = append(names, labels[i]), append(values, labels[i+1])
	}
	desc := prometheus.NewDesc(name, help, names, nil)
	metric, err := prometheus.NewConstMetric(desc, prometheus.GaugeValue, value, values...)
	if err != nil {
		metric = prometheus.NewInvalidMetric(desc, err)
	}
	g.ch <- metric
}

func (m *stateMetrics) pools(ctx context.Context, g gauges, _ map[replication.VolumeRef]pool.Volume) error {
	all, err := m.service.Pools(ctx)
	for _, p := range all {
		g.set("twinlun_pool_total_bytes", "Size of the filesystem that holds the pool.", float64(p.Total), "pool", p.Name)
		g.set("twinlun_pool_free_bytes", "Free space of that filesystem.", float64(p.Free), "pool", p.Name)
		g.set("twinlun_pool_reserve_bytes", "Of the free space, what volumes cannot take.", float64(p.Reserve), "pool", p.Name)
		g.set("twinlun_pool_allocated_bytes", "Space that volumes occupy.", float64(p.Allocated), "pool", p.Name)
		g.set("twinlun_pool_shared_bytes", "Of what volumes occupy, what belongs to more than one.", float64(p.Shared), "pool", p.Name)
		g.set("twinlun_pool_metadata_bytes", "Of what volumes occupy, maps and checksums.", float64(p.Metadata), "pool", p.Name)
		g.set("twinlun_pool_reclaimable_bytes", "What merges that wait give back at most.", float64(p.Reclaimable), "pool", p.Name)
		g.set("twinlun_pool_merging_layers", "Layers that wait to be merged.", float64(p.Merging), "pool", p.Name)
		g.set("twinlun_pool_provisioned_bytes", "Sum of the sizes of the volumes.", float64(p.Provisioned), "pool", p.Name)
		if p.MaxProvisioned > 0 {
			g.set("twinlun_pool_provisioned_limit_bytes", "What that is limited to.", float64(p.MaxProvisioned), "pool", p.Name)
		}
		g.set("twinlun_pool_lost_bytes", "Files moved aside because the store does not know their layers.", float64(p.Lost), "pool", p.Name)
		g.set("twinlun_pool_damaged_bytes", "Content that is known to be damaged.", float64(p.Damaged), "pool", p.Name)
		g.set("twinlun_pool_volumes", "Volumes.", float64(p.Volumes), "pool", p.Name)
	}
	return err
}

func (m *stateMetrics) volumes(_ context.Context, g gauges, all map[replication.VolumeRef]pool.Volume) error {
	for _, v := range all {
		labels := []string{"pool", v.Pool, "volume", v.Name}
		g.set("twinlun_volume_size_bytes", "Size of a volume.", float64(v.Size), labels...)
		g.set("twinlun_volume_allocated_bytes", "Space that belongs to it alone.", float64(v.Allocated), labels...)
		g.set("twinlun_volume_shared_bytes", "Space of what it shares with others.", float64(v.Shared), labels...)
		g.set("twinlun_volume_damaged_bytes", "What is known to be damaged of what it stands on.", float64(v.Damaged), labels...)
	}
	return nil
}

func (m *stateMetrics) exported(ctx context.Context, g gauges, volumes map[replication.VolumeRef]pool.Volume) error {
	all, err := m.exports.Exports(ctx)
	if err != nil {
		return err
	}
	targets := make(map[string]bool, len(all))
	for _, x := range all {
		targets[x.Target] = true
		name := volumes[replication.VolumeRef{Pool: x.Volume.Pool, ID: x.Volume.ID}].Name
		g.set("twinlun_iscsi_target_info", "Which volume a target is of.", 1, "target", x.Target, "pool", x.Volume.Pool, "volume", name)
		g.set("twinlun_iscsi_sessions", "Sessions that are logged in.", float64(x.Sessions), "target", x.Target)
	}
	m.io.keep(targets)
	return nil
}

func (m *stateMetrics) relationships(ctx context.Context, g gauges, volumes map[replication.VolumeRef]pool.Volume) error {
	all, err := m.service.Relationships(ctx)
	for _, r := range all {
		labels := []string{"relationship", r.ID, "name", r.Name, "type", r.Type.String()}
		g.set("twinlun_replication_percent_synced", "How much of the work to reach synchronization is done.", float64(r.Percent), labels...)
		g.set("twinlun_replication_synced_bytes", "The same in bytes of the source, to a percent; its growth is the rate of the copy.",
			float64(volumes[r.Source].Size)*float64(r.Percent)/100, labels...)
		if r.Type == pairstate.Mirror {
			g.set("twinlun_replication_lag_seconds", "How far a mirror's target is behind its source.", m.lag(r).Seconds(), labels...)
		}
	}
	return err
}

// lag is the age of what a mirror's target shows.
func (m *stateMetrics) lag(r replication.Relationship) time.Duration {
	since := r.WhenSynchronized
	switch {
	case r.Mode == pairstate.Synchronous && r.State.Copy == pairstate.Synchronized:
		return 0
	case since.IsZero():
		since = r.WhenEstablished
	}
	return max(0, m.now().Sub(since))
}
