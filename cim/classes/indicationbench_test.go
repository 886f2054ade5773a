package classes

import (
	"context"
	"testing"

	"twinlun/cim"
	"twinlun/replication"
)

func BenchmarkIndications(b *testing.B) {
	f := newFake()
	wanted := true
	n, err := NewIndicator(IndicatorConfig{Classes: testConfig(b, f), Emit: func(*cim.Instance) {}, Wanted: func() bool { return wanted }})
	if err != nil {
		b.Fatal(err)
	}
	e := replication.Event{Relationship: turned(f.pairs[1], func(r *replication.Relationship) { r.Percent = 41 }), Time: when}
	b.Run("built", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			n.handle(context.Background(), &e)
		}
	})
	b.Run("unwanted", func(b *testing.B) {
		b.ReportAllocs()
		wanted = false
		for b.Loop() {
			n.Notify(e)
			e := <-n.queue
			n.handle(context.Background(), &e)
		}
	})
}
