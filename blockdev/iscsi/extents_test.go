package iscsi

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev/iscsi/initiator"
	"twinlun/blockdev/memdev"
	"twinlun/blockdev/scsi"
)

// What the initiator learns of holes is what the device knows, also where one answer
// has no place for all of it.
func TestExtentsOverISCSI(t *testing.T) {
	ctx, r := context.Background(), rand.New(rand.NewPCG(1, 9))
	dev := memdev.New(64 << 20)
	for range 1500 {
		require.NoError(t, dev.WriteAt(ctx, []byte{1}, r.Int64N(64<<20)))
	}
	u, err := scsi.NewUnit(scsi.Config{Device: dev, ID: "602544c0000000000000000000000001"})
	require.NoError(t, err)
	d := start(t, Config{}, oneDisk(u)).dial(initiator.Options{})
	for _, c := range []struct {
		off, n int64
		limit  int
	}{{0, 64 << 20, 0}, {0, 64 << 20, 1}, {0, 64 << 20, 700}, {5 << 20, 9 << 20, 0}, {7 * 512, 512, 0}, {64 << 20, 0, 0}} {
		want, err := dev.Extents(ctx, c.off, c.n, c.limit)
		require.NoError(t, err)
		got, err := d.Extents(ctx, c.off, c.n, c.limit)
		require.NoError(t, err)
		require.Equal(t, want, got, "%+v", c)
	}
}
