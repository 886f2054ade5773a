package pool_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/blockdev/pool"
	"twinlun/blockdev/pool/pooltest"
	"twinlun/blockdev/vfs/memfs"
)

// check runs Check on a pool that is closed.
func (p *summedPool) check(t *testing.T, o pool.CheckOptions) pool.Report {
	t.Helper()
	r, err := pool.Check(t.Context(), pool.Config{FS: p.fs, Name: "w", Meta: p.meta}, o)
	require.NoError(t, err)
	return r
}

// closed is a pool with a snapshot that is closed.
func closedPool(t *testing.T) *summedPool {
	p := newSummedPool(t, false)
	require.NoError(t, p.LayerPool.Close())
	return p
}

func (p *summedPool) put(t *testing.T, bucket, key, value string) {
	t.Helper()
	require.NoError(t, p.meta.Update(t.Context(), func(tx pool.MetaTx) error {
		return tx.Put(bucket, "w/"+key, []byte(value))
	}))
}

func (p *summedPool) create(t *testing.T, name string) {
	t.Helper()
	f, err := p.fs.Create(name)
	require.NoError(t, err)
	_, err = f.WriteAt([]byte{1}, 0)
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

func TestCheckOfAGoodPool(t *testing.T) {
	p := closedPool(t)
	before := p.fs.Calls()
	r := p.check(t, pool.CheckOptions{})
	require.Equal(t, pool.Report{Pool: "w", Volumes: 2, Layers: 3}, r)
	require.Greater(t, p.fs.Calls(), before)
	require.Equal(t, r, p.check(t, pool.CheckOptions{Repair: true, Purge: true}))
}

// TestCheckFinds breaks one thing after the other.
func TestCheckFinds(t *testing.T) {
	ghost := strings.Repeat("0a", 16)
	for _, c := range []struct {
		name   string
		harm   func(t *testing.T, p *summedPool)
		what   string
		mended bool
	}{
		{"missing data", func(t *testing.T, p *summedPool) { require.NoError(t, p.fs.Remove(p.frozen(t)+".data")) }, ".data is missing", false},
		{"missing map", func(t *testing.T, p *summedPool) { require.NoError(t, p.fs.Remove(p.filesOf(t, "map")[0])) }, "open map of layer", false},
		{"damaged map", func(t *testing.T, p *summedPool) { p.flip(t, p.filesOf(t, "map")[0], 40) }, "map file is damaged", false},
		{"later map", func(t *testing.T, p *summedPool) { p.flip(t, p.filesOf(t, "map")[0], 0) }, "does not begin like a map", false},
		{"damaged sums", func(t *testing.T, p *summedPool) { p.flip(t, p.filesOf(t, "sum")[0], 40) }, "file of sums is damaged", true},
		{"damaged sector of sums", func(t *testing.T, p *summedPool) { p.flip(t, p.filesOf(t, "sum")[0], 512+3) }, "file of sums is damaged: sector 0", true},
		{"lost sector of sums", func(t *testing.T, p *summedPool) {
			f, err := p.fs.Open(p.filesOf(t, "sum")[0])
			require.NoError(t, err)
			require.NoError(t, f.Truncate(512))
			require.NoError(t, f.Close())
		}, "file of sums is damaged: a sector is missing", true},
		{"short file", func(t *testing.T, p *summedPool) {
			f, err := p.fs.Open(p.filesOf(t, "data")[0])
			require.NoError(t, err)
			require.NoError(t, f.Truncate(3*blockdev.BlockSize))
			require.NoError(t, f.Close())
		}, "has 12288 bytes instead of 1048576", true},
		{"stranger", func(t *testing.T, p *summedPool) { p.create(t, ghost+".data") }, "the store does not know its layer", true},
		{"leftover", func(t *testing.T, p *summedPool) { p.create(t, p.frozen(t)+".map") }, "an interrupted operation left it", true},
		{"marked", func(t *testing.T, p *summedPool) {
			p.create(t, ghost+".data")
			p.put(t, "pool.files", ghost, `{"v":1,"is":"gone"}`)
		}, "an interrupted operation left it", true},
		{"unused layer", func(t *testing.T, p *summedPool) {
			p.create(t, ghost+".data")
			p.put(t, "pool.layers", ghost, `{"v":1,"size":1}`)
		}, "no volume stands on it", true},
		{"base that is not there", func(t *testing.T, p *summedPool) { p.setBase(t, p.s.ID, ghost) }, `can be reset to layer "` + ghost, true},
		{"base elsewhere", func(t *testing.T, p *summedPool) {
			p.setBase(t, p.s.ID, p.topOf(t, p.a.ID))
		}, "on which it does not stand", true},
		{"later record", func(t *testing.T, p *summedPool) { p.put(t, "pool.layers", ghost, `{"v":2,"size":1}`) }, "format version 2, this program knows 1", false},
		{"no record", func(t *testing.T, p *summedPool) { p.put(t, "pool.volumes", ghost, `nonsense`) }, "cannot be read", false},
		{"no top", func(t *testing.T, p *summedPool) { p.put(t, "pool.volumes", ghost, `{"v":1,"name":"x","top":"y"}`) }, `its layer "y" has no record`, false},
		{"same top", func(t *testing.T, p *summedPool) {
			p.put(t, "pool.volumes", ghost, `{"v":1,"name":"x","top":"`+strings.TrimSuffix(p.filesOf(t, "map")[0], ".map")+`"}`)
		}, "has the same layer", false},
		{"no parent", func(t *testing.T, p *summedPool) { p.put(t, "pool.layers", ghost, `{"v":1,"size":1,"parent":"y"}`) }, "which is not there", false},
		{"cycle", func(t *testing.T, p *summedPool) {
			p.put(t, "pool.layers", ghost, `{"v":1,"size":1,"parent":"`+ghost+`"}`)
		}, "stands on itself", false},
		{"on a top", func(t *testing.T, p *summedPool) {
			p.put(t, "pool.layers", ghost, `{"v":1,"size":1,"parent":"`+strings.TrimSuffix(p.filesOf(t, "map")[0], ".map")+`"}`)
		}, "writes to", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := closedPool(t)
			c.harm(t, p)
			records := p.meta.Len()
			r := p.check(t, pool.CheckOptions{})
			require.NotEmpty(t, r.Problems)
			texts := ""
			for _, problem := range r.Problems {
				texts += problem.Object + ": " + problem.What + "\n"
				require.False(t, problem.Repaired)
			}
			require.Contains(t, texts, c.what)
			require.Equal(t, records, p.meta.Len(), "nothing was changed")
			require.Equal(t, r, p.check(t, pool.CheckOptions{}), "nothing was changed")

			r = p.check(t, pool.CheckOptions{Repair: true})
			require.Equal(t, c.mended, r.Left() == 0, "%+v", r.Problems)
			again := p.check(t, pool.CheckOptions{})
			require.Equal(t, c.mended, len(again.Problems) == 0, "%+v", again.Problems)
			if c.mended {
				p.reopen(t, false)
				require.NoError(t, p.WaitSummed(t.Context()))
			}
		})
	}
}

// TestCheckNamesVolumes: a layer is nothing that people know.
func TestCheckNamesVolumes(t *testing.T) {
	p := closedPool(t)
	id := p.frozen(t)
	require.NoError(t, p.fs.Remove(id+".data"))
	require.Equal(t, "layer "+id+` of "a", "s"`, p.check(t, pool.CheckOptions{}).Problems[0].Object)
	for i := range 9 {
		p.put(t, "pool.volumes", strings.Repeat(strconv.Itoa(i), 32), fmt.Sprintf(`{"v":1,"name":"v%d","top":%q}`, i, id))
	}
	r := p.check(t, pool.CheckOptions{})
	require.Equal(t, "layer "+id+` of "a", "s", "v0", "v1", "v2", "v3", "v4", "v5", 3 more`, r.Problems[len(r.Problems)-1].Object)
}

// record is a volume's record.
func (p *summedPool) record(t *testing.T, id pool.VolumeID) (out map[string]any) {
	t.Helper()
	require.NoError(t, p.meta.View(t.Context(), func(tx pool.MetaTx) error {
		value, err := tx.Get("pool.volumes", "w/"+string(id))
		require.NoError(t, err)
		return json.Unmarshal(value, &out)
	}))
	return out
}

func (p *summedPool) topOf(t *testing.T, id pool.VolumeID) string {
	return p.record(t, id)["top"].(string)
}

func (p *summedPool) setBase(t *testing.T, id pool.VolumeID, base string) {
	t.Helper()
	r := p.record(t, id)
	require.NotEmpty(t, r["base"])
	r["base"] = base
	value, err := json.Marshal(r)
	require.NoError(t, err)
	p.put(t, "pool.volumes", string(id), string(value))
}

// TestCheckMendsBase: a snapshot whose base is wrong stays as it is, and is said not to
// be one.
func TestCheckMendsBase(t *testing.T) {
	p := closedPool(t)
	p.setBase(t, p.s.ID, strings.Repeat("0a", 16))
	require.Zero(t, p.check(t, pool.CheckOptions{Repair: true}).Left())
	require.NotContains(t, p.record(t, p.s.ID), "base")
	p.reopen(t, false)
	pooltest.Holds(t, pooltest.Open(t, p, p.s.ID), pooltest.Fill(1, 9000), 0)
	_, err := p.Reset(t.Context(), p.s.ID)
	require.True(t, blockdev.Is(err, blockdev.KindInvalid), "%v", err)
}

// TestCheckTellsWhatHappened: what a repair could not do, or did not come to, is not
// called repaired.
func TestCheckTellsWhatHappened(t *testing.T) {
	ghost := strings.Repeat("0a", 16)
	for _, op := range []memfs.Op{memfs.OpShelve, memfs.OpRemove, memfs.OpSyncDir} {
		p := closedPool(t)
		p.create(t, ghost+".data") // to be moved aside
		p.put(t, "pool.layers", ghost, `{"v":1,"size":1}`)
		p.create(t, p.frozen(t)+".map") // to be removed
		p.fs.SetFault(func(at memfs.Op, _ string) error {
			if at == op {
				return syscall.EIO
			}
			return nil
		})
		r, err := pool.Check(t.Context(), pool.Config{FS: p.fs, Name: "w", Meta: p.meta}, pool.CheckOptions{Repair: true})
		require.Len(t, r.Problems, 3) // the layer, its file, and the map
		repaired := map[string]bool{}
		for _, problem := range r.Problems {
			repaired[problem.Object] = problem.Repaired
		}
		if op == memfs.OpShelve { // the others are done, and that goes on
			require.NoError(t, err)
			require.Equal(t, map[string]bool{"layer " + ghost: false, "file " + ghost + ".data": false, "file " + p.frozen(t) + ".map": true}, repaired)
		} else {
			require.ErrorIs(t, err, syscall.EIO)
			require.Equal(t, 3, r.Left(), "%v", op)
		}
		p.fs.SetFault(nil)
		require.Zero(t, p.check(t, pool.CheckOptions{Repair: true}).Left())
		require.Empty(t, p.check(t, pool.CheckOptions{}).Problems)
	}
}

// TestPurge: what was moved aside goes when it is asked for, and not before.
func TestPurge(t *testing.T) {
	p := closedPool(t)
	p.create(t, strings.Repeat("0a", 16)+".data")
	r := p.check(t, pool.CheckOptions{Repair: true})
	require.Len(t, r.Lost, 1)
	require.Len(t, p.check(t, pool.CheckOptions{Repair: true}).Lost, 1)
	require.Empty(t, p.check(t, pool.CheckOptions{Purge: true}).Lost)
	require.Empty(t, p.check(t, pool.CheckOptions{}).Lost)
	p.reopen(t, false)
	info, err := p.Info(t.Context())
	require.NoError(t, err)
	require.Zero(t, info.LostFiles)
}

// TestCheckRefuses: a folder that is open, or is another's, is not touched.
func TestCheckRefuses(t *testing.T) {
	p := closedPool(t)
	names, err := p.fs.List()
	require.NoError(t, err)
	for _, name := range names {
		require.NoError(t, p.fs.Remove(name))
	}
	_, err = pool.Check(t.Context(), pool.Config{FS: p.fs, Name: "w", Meta: p.meta}, pool.CheckOptions{Repair: true})
	require.ErrorContains(t, err, "mounted")

	dir := t.TempDir()
	open := openDir(t, dir, p.meta)
	_, err = pool.Check(t.Context(), pool.Config{Dir: dir, Name: open.Name(), Meta: p.meta}, pool.CheckOptions{})
	require.True(t, blockdev.Is(err, blockdev.KindBusy), "%v", err)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p = closedPool(t)
	_, err = pool.Check(ctx, pool.Config{FS: p.fs, Name: "w", Meta: p.meta}, pool.CheckOptions{})
	require.ErrorIs(t, err, context.Canceled)
}

// TestRepairOfUnusedLayersIsOne: a repair that ends in the middle leaves no layer on one
// that is not there, which nobody could repair.
func TestRepairOfUnusedLayersIsOne(t *testing.T) {
	for n := 0; ; n++ {
		p := closedPool(t)
		low, high := strings.Repeat("0a", 16), strings.Repeat("0b", 16)
		p.put(t, "pool.layers", low, `{"v":1,"size":4096}`)
		p.put(t, "pool.layers", high, `{"v":1,"parent":"`+low+`","size":4096}`)
		calls := 0
		p.meta.SetCommit(func() (bool, error) {
			if calls++; calls > n {
				return false, syscall.EIO
			}
			return true, nil
		})
		_, err := pool.Check(t.Context(), pool.Config{FS: p.fs, Name: "w", Meta: p.meta}, pool.CheckOptions{Repair: true})
		p.meta.SetCommit(nil)
		require.Zero(t, p.check(t, pool.CheckOptions{Repair: true}).Left(), "after %d transactions", n)
		if p.reopen(t, false); err == nil {
			return
		}
	}
}
