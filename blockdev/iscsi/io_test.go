package iscsi

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/iscsi/initiator"
	"twinlun/blockdev/iscsi/pdu"
)

func fill(p []byte, seed uint64) []byte {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	_, _ = rand.NewChaCha8(key).Read(p)
	return p
}

// What was negotiated decides how data travels; in every combination it must
// come back as it was sent, for sizes around each boundary.
func TestWriteReadCombinations(t *testing.T) {
	const kib = 1024
	offers := []struct {
		name  string
		offer pdu.Keys
		sizes []int
	}{
		{"defaults", nil, []int{512, 4 * kib, 256 * kib, 256*kib + 512, 1 << 20, 1<<20 + 512, 3 << 20}},
		{"everything asked for", keysOf("InitialR2T=Yes", "ImmediateData=No", "MaxOutstandingR2T=1"), []int{512, 8 * kib, 1 << 20}},
		{"immediate only", keysOf("InitialR2T=Yes", "ImmediateData=Yes", "FirstBurstLength=4096"), []int{512, 4096, 4608, 64 * kib}},
		{"unsolicited only", keysOf("InitialR2T=No", "ImmediateData=No", "FirstBurstLength=8192"), []int{512, 8192, 8704, 64 * kib}},
		{"small bursts", keysOf("FirstBurstLength=1024", "MaxBurstLength=1536", "MaxRecvDataSegmentLength=512"), []int{512, 1024, 1536, 2048, 3072, 16 * kib}},
		{"digests", keysOf("HeaderDigest=CRC32C", "DataDigest=CRC32C"), []int{512, 4 * kib, 300 * kib}},
		{"header digest", keysOf("HeaderDigest=CRC32C,None"), []int{512, 300 * kib}},
		{"data digest", keysOf("DataDigest=CRC32C,None"), []int{512, 300 * kib}},
	}
	for _, o := range offers {
		t.Run(o.name, func(t *testing.T) {
			h := start(t, Config{}, oneDisk(newFakeUnit(8<<11)))
			d := h.dial(initiator.Options{Offer: o.offer})
			require.EqualValues(t, 4<<20, int(d.Size())/2)
			ctx := context.Background()
			for i, n := range o.sizes {
				want := fill(make([]byte, n), uint64(i))
				require.NoError(t, d.WriteAt(ctx, want, 512))
				got := make([]byte, n)
				require.NoError(t, d.ReadAt(ctx, got, 512))
				require.Equal(t, want, got, "%d bytes", n)
			}
			require.NoError(t, d.Flush(ctx))
		})
	}
}

func TestManyCommandsAtOnce(t *testing.T) {
	h := start(t, Config{Limits: Limits{Window: 8}}, oneDisk(newFakeUnit(64<<11)))
	d := h.dial(initiator.Options{})
	var wg sync.WaitGroup
	for worker := range 32 {
		wg.Go(func() {
			size := 512 << (worker % 9)
			off := int64(worker) << 20
			for i := range 20 {
				want, got := fill(make([]byte, size), uint64(worker*100+i)), make([]byte, size)
				if err := d.WriteAt(context.Background(), want, off); err != nil {
					t.Error(err)
					return
				}
				if err := d.ReadAt(context.Background(), got, off); err != nil || string(want) != string(got) {
					t.Error("worker", worker, "read", err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestDiskIsADevice(t *testing.T) {
	h := start(t, Config{}, oneDisk(newFakeUnit(100)))
	d := h.dial(initiator.Options{})
	ctx := context.Background()
	b := make([]byte, 512)
	require.True(t, blockdev.Is(d.ReadAt(ctx, b, 100*512), blockdev.KindOutOfRange))
	require.True(t, blockdev.Is(d.WriteAt(ctx, b, -512), blockdev.KindOutOfRange))
	require.True(t, blockdev.Is(d.ReadAt(ctx, b[:100], 0), blockdev.KindInvalid))
	require.NoError(t, d.ReadAt(ctx, nil, 512))
	r, err := d.Command(ctx, []byte{0xff}, nil, nil)
	require.NoError(t, err)
	require.EqualValues(t, 2, r.Status)
	require.EqualValues(t, 0x20, r.Sense[12])
	require.NoError(t, d.Close())
	require.NoError(t, d.Close())
	require.True(t, blockdev.Is(d.ReadAt(ctx, b, 0), blockdev.KindClosed))
	require.True(t, blockdev.Is(d.Flush(ctx), blockdev.KindClosed))
}

func TestDiscover(t *testing.T) {
	h := start(t, Config{})
	var want []initiator.Found
	for i := range 300 { // more than one text PDU holds
		name := fmt.Sprintf("%s%03d", testTarget, i)
		require.NoError(t, h.AddTarget(Target{Name: name}))
		want = append(want, initiator.Found{Target: name, Addresses: []string{h.addr + ",1"}})
	}
	require.NoError(t, h.AddTarget(Target{Name: testTarget, Initiators: []string{"iqn.2000-01.other:one"}}))
	o := initiator.Options{Name: testInitiator, Offer: keysOf("MaxRecvDataSegmentLength=512")}
	got, err := initiator.Discover(context.Background(), h.addr, o)
	require.NoError(t, err)
	require.Equal(t, want, got)
	o.Name = "IQN.2000-01.other:ONE" // names are compared regardless of case
	got, err = initiator.Discover(context.Background(), h.addr, o)
	require.NoError(t, err)
	require.Len(t, got, 301)
}
