package e2e

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev/iscsi/initiator"
	"twinlun/cim"
	"twinlun/test/system"
)

const (
	instantVolumes = 4
	instantBlock   = 4096
	instantBlocks  = 4096 // of each volume
)

// TestGroupReplicaIsOneInstant writes numbered blocks round-robin over several
// volumes, each acknowledged before the next is sent, while group replicas are
// made. Every replica set must hold a prefix of the sequence with no gap.
func TestGroupReplicaIsOneInstant(t *testing.T) {
	l := newLab(t)
	sources := make([]string, instantVolumes)
	for i := range sources {
		sources[i] = fmt.Sprintf("src%d", i)
	}
	l.volumes(instantBlock*instantBlocks, sources...)
	l.expose(sources...)
	refs := l.refs(sources...)

	ctx, stop := context.WithCancel(t.Context())
	var written atomic.Int64
	ended := make(chan error, 1)
	go func() { ended <- writeSequence(ctx, l.d, sources, &written) }()

	var sets []string
	for i, syncType := range []int{7, 8, 7, 8, 7} {
		waitFor(t, &written, int64(i+1)*150)
		name := fmt.Sprintf("set%d", i)
		reply := l.create(createGroup, arg("RelationshipName", name), arg("SyncType", syncType), arg("SourceElements", refs),
			arg("Consistency", 3), arg("WaitForCopyState", 4))
		require.Contains(t, []cim.Value{uint64(done), uint64(started)}, reply.Return, reply.Reason)
		sets = append(sets, name)
	}
	stop()
	require.NoError(t, <-ended)
	for _, name := range sets {
		requirePrefix(l, name)
	}
}

// writeSequence writes 1, 2, 3 ... until ctx ends or the volumes are full.
func writeSequence(ctx context.Context, d *system.Daemon, volumes []string, written *atomic.Int64) error {
	var disks []*initiator.Disk
	for _, v := range volumes {
		disk, err := d.Disk(context.WithoutCancel(ctx), v)
		if err != nil {
			return err
		}
		defer disk.Close()
		disks = append(disks, disk)
	}
	block := make([]byte, instantBlock)
	for k := int64(0); k < instantVolumes*instantBlocks && ctx.Err() == nil; k++ {
		binary.LittleEndian.PutUint64(block, uint64(k+1))
		if err := disks[k%instantVolumes].WriteAt(context.WithoutCancel(ctx), block, k/instantVolumes*instantBlock); err != nil {
			return err
		}
		written.Store(k + 1)
	}
	return nil
}

// waitFor returns when at least n blocks are written.
func waitFor(t *testing.T, written *atomic.Int64, n int64) {
	t.Helper()
	require.Eventually(t, func() bool { return written.Load() >= n }, waitLimit, pollEvery)
}

// requirePrefix reads a replica set and checks that it holds 1 .. n.
func requirePrefix(l *lab, set string) {
	t := l.t
	t.Helper()
	var numbers []uint64
	for i := range instantVolumes {
		name := fmt.Sprintf("%s_%d", set, i+1)
		l.expose(name)
		disk, err := l.d.Disk(t.Context(), name)
		require.NoError(t, err)
		content := make([]byte, instantBlock*instantBlocks)
		require.NoError(t, disk.ReadAt(t.Context(), content, 0))
		require.NoError(t, disk.Close())
		for off := 0; off < len(content); off += instantBlock {
			if k := binary.LittleEndian.Uint64(content[off:]); k != 0 {
				require.EqualValues(t, off/instantBlock*instantVolumes+i+1, k, "%s holds a number in the wrong place", name)
				numbers = append(numbers, k)
			}
		}
	}
	slices.Sort(numbers)
	require.NotEmpty(t, numbers)
	require.EqualValues(t, len(numbers), numbers[len(numbers)-1], "%s has a gap", set)
}
