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
	d := system.Start(t)
	c := d.Client()
	sources := make([]string, instantVolumes)
	for i := range sources {
		sources[i] = fmt.Sprintf("src%d", i)
		d.Must("volume", "create", sources[i], "--size", fmt.Sprint(instantBlock*instantBlocks), "--export")
	}
	paths, err := system.Volumes(t.Context(), c)
	require.NoError(t, err)
	var refs []cim.Value
	for _, s := range sources {
		refs = append(refs, paths[s])
	}

	ctx, stop := context.WithCancel(t.Context())
	var written atomic.Int64
	ended := make(chan error, 1)
	go func() { ended <- writeSequence(ctx, d, sources, &written) }()

	var sets []string
	for i, syncType := range []int{7, 8, 7, 8, 7} {
		waitFor(t, &written, int64(i+1)*150)
		name := fmt.Sprintf("set%d", i)
		reply, err := d.Invoke(t.Context(), c, "CIM_ReplicationService", "CreateGroupReplicaFromElements",
			system.Arg("RelationshipName", name), system.Arg("SyncType", syncType), system.Arg("SourceElements", refs),
			system.Arg("Consistency", 3), system.Arg("WaitForCopyState", 4))
		require.NoError(t, err)
		require.Contains(t, []cim.Value{uint64(0), uint64(4096)}, reply.Return, reply.Reason)
		sets = append(sets, name)
	}
	stop()
	require.NoError(t, <-ended)
	for _, name := range sets {
		requirePrefix(t, d, name)
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
func requirePrefix(t *testing.T, d *system.Daemon, set string) {
	t.Helper()
	var numbers []uint64
	for i := range instantVolumes {
		name := fmt.Sprintf("%s_%d", set, i+1)
		d.Must("volume", "expose", name)
		disk, err := d.Disk(t.Context(), name)
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
