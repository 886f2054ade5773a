package eventing_test

import (
	"fmt"
	"testing"

	"twinlun/wsman"
)

// What an indication costs who makes it, with so many subscribers that want it.
func BenchmarkPublish(b *testing.B) {
	for _, n := range []int{0, 1, 100} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			w := newWorld(b)
			w.config.Limits.PerUser = 200
			w.restart()
			for range n {
				w.subscribe(alice, request(wsman.DeliveryPull))
			}
			in := w.indication("T_Alert", 1, "text")
			b.ReportAllocs()
			for b.Loop() {
				w.Publish(in)
			}
		})
	}
}
