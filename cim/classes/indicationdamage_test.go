package classes

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev/pool"
	"twinlun/cim"
)

// report has the Indicator tell of damage of the first volumes of the fake.
func (l *listener) report(ranges int, ids ...pool.VolumeID) []*cim.Instance {
	l.got = nil
	l.ReportDamage(l.t.Context(), DamageReport{
		Pool: "fast", First: pool.Damage{Pool: "fast", Off: 8192, Len: 4096}, Ranges: ranges, Bytes: int64(ranges) * 4096, Volumes: ids,
	})
	return l.got
}

func TestDamageIsTold(t *testing.T) {
	l := newListener(t)
	l.fake.pools[0].Damaged, l.fake.volumes[0].Damaged, l.fake.volumes[4].Damaged = 4096, 4096, 4096
	got := l.report(1, volumeIDOf(1), volumeIDOf(5), "gone")
	require.Len(t, got, 3)
	for i, name := range []string{"db", "db-snap"} {
		require.Equal(t, classInstModification, got[i].Class.Name)
		checkIndication(t, got[i])
		is, was := got[i].Get("SourceInstance").(*cim.Instance), got[i].Get("PreviousInstance").(*cim.Instance)
		require.Equal(t, name, is.Get("ElementName"))
		require.Equal(t, []cim.Value{uint64(6)}, is.Get("OperationalStatus"))
		require.Equal(t, []cim.Value{uint64(2)}, was.Get("OperationalStatus"))
	}
	alert := one(t, got[2:], classAlertIndication)
	text := "4096 bytes in pool fast are damaged: 4096 at offset 8192 of db, db-snap"
	require.Equal(t, map[string]cim.Value{
		"AlertType": uint64(5), "PerceivedSeverity": uint64(6), "ProbableCause": uint64(10), "OwningEntity": "TWINLUN", "MessageID": "TWINLUN4",
		"MessageArguments":       []cim.Value{"fast", "4096", "8192", "4096", "db", "db-snap"},
		"AlertingManagedElement": poolPath("fast").String(), "EventID": "pool-damage:fast", "Message": text,
	}, values(alert, "AlertType", "PerceivedSeverity", "ProbableCause", "OwningEntity", "MessageID", "MessageArguments", "AlertingManagedElement", "EventID", "Message"))

	more := l.report(3, volumeIDOf(1))
	require.Equal(t, "12288 bytes in pool fast are damaged: 4096 at offset 8192 of db, and 2 more ranges", one(t, more, classAlertIndication).Get("Message"),
		"that the volume is damaged is known")
	l.got = nil
	require.NoError(t, l.CheckPools(t.Context()))
	require.Empty(t, l.got)

	l.fake.pools[0].Damaged, l.fake.volumes[0].Damaged = 0, 0
	l.fake.volumes = append(l.fake.volumes[:4], l.fake.volumes[5:]...)
	require.NoError(t, l.CheckPools(t.Context()))
	require.Len(t, l.got, 2, "one volume is whole again, the other has gone")
	require.Equal(t, []cim.Value{uint64(2)}, l.got[0].Get("SourceInstance").(*cim.Instance).Get("OperationalStatus"))
	require.Equal(t, map[string]cim.Value{
		"MessageID": "TWINLUN5", "PerceivedSeverity": uint64(2), "ProbableCause": uint64(59), "EventID": "pool-damage:fast",
		"CorrelatedIndications": []cim.Value{more[0].Get("IndicationIdentifier")},
	}, values(one(t, l.got[1:], classAlertIndication), "MessageID", "PerceivedSeverity", "ProbableCause", "EventID", "CorrelatedIndications"))
	require.Empty(t, l.hurt)
	require.Empty(t, l.report(0)[1:], "the next is told")
}

func TestDamageOfManyVolumes(t *testing.T) {
	l := newListener(t)
	var ids []pool.VolumeID
	for i := range 20 {
		ids = append(ids, volumeIDOf(100+i))
		l.fake.volumes = append(l.fake.volumes, pool.Volume{ID: ids[i], Pool: "fast", Name: fmt.Sprint("v", i), Size: 1 << 20})
	}
	text, _ := one(t, l.report(1, ids...), classAlertIndication).Get("Message").(string)
	require.Contains(t, text, "v7 and 12 more")
	text, _ = one(t, l.report(1), classAlertIndication).Get("Message").(string)
	require.Contains(t, text, "no volume that is still there")
}

func TestDamageThatNobodyWants(t *testing.T) {
	l := newListener(t)
	l.wanted = false
	require.Empty(t, l.report(1, volumeIDOf(1)))
	require.Empty(t, l.hurt)
}

// TestReserveIsNoRoom: a pool is full when only the reserve is left.
func TestReserveIsNoRoom(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		free, want float64
	}{{1000, 0}, {550, 50}, {190, 90}, {101, 99.9}, {100.5, 100}, {100, 100}, {10, 100}} {
		p := pool.Info{Total: 1000 * mib, Free: int64(c.free * mib), Reserve: 100 * mib}
		require.InDelta(t, c.want, usedSpace(p), 0.12, "%v MiB free", c.free)
	}
	require.EqualValues(t, 0, usedSpace(pool.Info{}))
	require.EqualValues(t, 100, usedSpace(pool.Info{Total: 10, Free: 10, Reserve: 10}))
}
