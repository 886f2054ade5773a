package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
)

// image writes a sparse file of a size with some random parts.
func image(t *testing.T, size int64) (name string, content []byte) {
	t.Helper()
	content = make([]byte, size)
	r := rand.NewChaCha8([32]byte{1})
	for _, at := range []int64{0, 70 << 10, size/2 - 100, size - 700} {
		if at >= 0 && at < size {
			_, _ = r.Read(content[at:min(at+700, size)])
		}
	}
	name = filepath.Join(t.TempDir(), "image")
	f, err := os.Create(name)
	require.NoError(t, err)
	for at, run := range runs(content) {
		_, err := f.WriteAt(run, int64(at))
		require.NoError(t, err)
	}
	require.NoError(t, f.Truncate(size))
	require.NoError(t, f.Close())
	return name, content
}

// allocated is the space that a file occupies.
func allocated(t *testing.T, name string) int64 {
	var st syscall.Stat_t
	require.NoError(t, syscall.Stat(name, &st))
	return st.Blocks * 512
}

// What was imported comes back byte for byte, whatever its size, and holes stay
// holes on both ways.
func TestImportExport(t *testing.T) {
	w := start(t)
	for name, size := range map[string]int64{"tiny": 1, "odd": 1000, "chunk": 1 << 20, "large": 9<<20 + 513} {
		file, content := image(t, size)
		o := w.run("volume", "import", file, name)
		require.Zero(t, o.code, o.err)
		require.Contains(t, o.err, "import: 100 %\n")
		require.Contains(t, o.out, name)
		v := w.record("volume", "show", name)
		whole := (size + 511) / 512 * 512
		require.Equal(t, float64(whole), v["size"], "whole sectors")
		require.Equal(t, "", v["target"], "it is hidden again")
		require.LessOrEqual(t, v["allocated"], float64(5*sparseUnit), "sparse")

		back := filepath.Join(t.TempDir(), "back")
		o = w.run("volume", "export", name, back)
		require.Zero(t, o.code, o.err)
		require.Contains(t, o.err, "export: 100 %\n")
		got, err := os.ReadFile(back)
		require.NoError(t, err)
		require.Len(t, got, int(whole))
		require.True(t, bytes.Equal(content, got[:size]), name)
		require.Empty(t, bytes.Trim(got[size:], "\x00"))
		require.LessOrEqual(t, allocated(t, back), int64(5*sparseUnit))
	}
	require.Empty(t, w.records("replica", "list"), "no snapshot is left")
	require.Len(t, w.records("volume", "list"), 4)
}

func TestImportRefuses(t *testing.T) {
	w := start(t)
	w.sources("taken")
	file, _ := image(t, 4096)
	w.fails(1, "no such file", "volume", "import", "/none", "v")
	w.fails(1, "is a directory", "volume", "import", t.TempDir(), "v")
	w.fails(1, "it is empty", "volume", "import", os.DevNull, "v")
	w.fails(1, "taken", "volume", "import", file, "taken")
	w.fails(3, `"none"`, "volume", "import", file, "v", "--pool", "none")
	require.Equal(t, []string{"taken"}, column(w.records("volume", "list"), "name"))
}

func TestExportRefuses(t *testing.T) {
	w := start(t)
	w.sources("v")
	there := file(t, "precious")
	w.fails(1, "file exists", "volume", "export", "v", there)
	kept, err := os.ReadFile(there)
	require.NoError(t, err)
	require.Equal(t, "precious", string(kept))
	fresh := filepath.Join(t.TempDir(), "fresh")
	w.fails(3, `"none"`, "volume", "export", "none", fresh)
	w.fails(1, "no such file", "volume", "export", "v", filepath.Join(fresh, "x"))
	require.NoFileExists(t, fresh)
	w.fails(1, "no regular file", "volume", "export", "--force", "v", t.TempDir())
	w.fails(1, "no regular file", "volume", "export", "--force", "v", os.DevNull)
	require.Empty(t, w.records("replica", "list"), "no snapshot is left")
}

// names lists a folder.
func names(t *testing.T, dir string) (all []string) {
	list, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range list {
		all = append(all, e.Name())
	}
	return all
}

// What is there is replaced if the user says so, and only by a whole image.
func TestExportReplaces(t *testing.T) {
	w := start(t)
	w.sources("v")
	there := file(t, "precious")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.Equal(t, exitFailed, run(ctx, "volume", "export", "--force", "v", there).code)
	kept, err := os.ReadFile(there)
	require.NoError(t, err)
	require.Equal(t, "precious", string(kept))
	w.must("volume", "export", "--force", "v", there)
	info, err := os.Stat(there)
	require.NoError(t, err)
	require.Equal(t, w.record("volume", "show", "v")["size"], float64(info.Size()))
	require.Equal(t, []string{filepath.Base(there)}, names(t, filepath.Dir(there)))
}

// Another file that comes up under the name meanwhile stays.
func TestExportIsNotRaced(t *testing.T) {
	name := filepath.Join(t.TempDir(), "image")
	f, err := createImage(name, false)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(name, []byte("precious"), 0o600))
	require.ErrorIs(t, f.keep(), os.ErrExist)
	kept, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Equal(t, "precious", string(kept))
	require.Equal(t, []string{"image"}, names(t, filepath.Dir(name)))
}

// A failure is about the file that the user named.
func TestExportNamesTheFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "image")
	f, err := createImage(name, false)
	require.NoError(t, err)
	defer f.discard()
	full := &os.PathError{Op: "write", Path: f.Name(), Err: syscall.ENOSPC}
	require.EqualError(t, f.named(full), "write "+name+": no space left on device")
	require.Equal(t, io.EOF, f.named(io.EOF))
}

// The iSCSI portal need not be where WS-Man is.
func TestTransferToAnotherAddress(t *testing.T) {
	w := startAt(t, "127.0.0.2:0")
	name, content := image(t, 3<<20)
	w.must("volume", "import", name, "v")
	back := filepath.Join(t.TempDir(), "back")
	w.must("volume", "export", "v", back)
	got, err := os.ReadFile(back)
	require.NoError(t, err)
	require.True(t, bytes.Equal(content, got))
}

// sparseDisk knows its holes, lets several reads wait for each other, and is never to be
// read where it has none.
type sparseDisk struct {
	t       *testing.T
	content []byte
	extents []blockdev.Extent
	mu      sync.Mutex
	busy    int
	most    int
	all     chan struct{} // closed when as many as may be are there
}

func (d *sparseDisk) Size() int64                                  { return int64(len(d.content)) }
func (d *sparseDisk) Flush(context.Context) error                  { return nil }
func (d *sparseDisk) WriteAt(context.Context, []byte, int64) error { return errors.New("read only") }

func (d *sparseDisk) Extents(_ context.Context, off, n int64, limit int) ([]blockdev.Extent, error) {
	var out []blockdev.Extent
	for _, e := range d.extents {
		if e.Off >= off && len(out) < min(limit, 3) {
			out = append(out, e)
		}
	}
	return out, nil
}

func (d *sparseDisk) ReadAt(_ context.Context, p []byte, off int64) error {
	d.mu.Lock()
	d.busy++
	if d.most = max(d.most, d.busy); d.most == transferDepth && d.all != nil {
		close(d.all)
		d.all = nil
	}
	all := d.all
	d.mu.Unlock()
	if all != nil {
		<-all
	}
	copy(p, d.content[off:])
	d.mu.Lock()
	defer d.mu.Unlock()
	d.busy--
	for _, e := range d.extents {
		if !e.Data && off < e.Off+e.Len && e.Off < off+int64(len(p)) {
			return errors.New("a hole was read")
		}
	}
	return nil
}

func TestDownloadLeavesHolesOut(t *testing.T) {
	d := &sparseDisk{t: t, content: make([]byte, 40<<20), all: make(chan struct{})}
	for i := range int64(10) {
		off := i * 4 << 20
		data := (i%3 + 1) * 1 << 20
		_, _ = rand.NewChaCha8([32]byte{byte(i)}).Read(d.content[off : off+data])
		d.extents = append(d.extents, blockdev.Extent{Off: off, Len: data, Data: true}, blockdev.Extent{Off: off + data, Len: 4<<20 - data})
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "back"))
	require.NoError(t, err)
	defer f.Close()
	s := &session{app: &app{Streams: Streams{Err: &buffer{}}}}
	require.NoError(t, s.download(t.Context(), d, f))
	require.Equal(t, transferDepth, d.most)
	got, err := os.ReadFile(f.Name())
	require.NoError(t, err)
	require.True(t, bytes.Equal(d.content, got))
	require.LessOrEqual(t, allocated(t, f.Name()), int64(20<<20))
}

// brokenDisk fails at the second access.
type brokenDisk struct {
	size int64
	n    atomic.Int64
}

func (d *brokenDisk) access() error {
	if d.n.Add(1) > 1 {
		return errors.New("the cable is out")
	}
	return nil
}

func (d *brokenDisk) ReadAt(_ context.Context, p []byte, _ int64) error {
	p[0] = 1
	return d.access()
}
func (d *brokenDisk) WriteAt(context.Context, []byte, int64) error { return d.access() }
func (d *brokenDisk) Flush(context.Context) error                  { return d.access() }
func (d *brokenDisk) Size() int64                                  { return d.size }

func TestTransferStopsAtTheFirstError(t *testing.T) {
	var errs buffer
	s := &session{app: &app{Streams: Streams{Err: &errs}}}
	name, _ := image(t, 8<<20)
	f, err := os.Open(name)
	require.NoError(t, err)
	defer f.Close()
	require.ErrorContains(t, s.upload(t.Context(), f, 8<<20, &brokenDisk{}), "the cable is out")
	steady := &brokenDisk{}
	steady.n.Store(-100)
	require.ErrorContains(t, s.upload(t.Context(), f, 9<<20, steady), "changed while it was read")
	back, err := os.Create(filepath.Join(t.TempDir(), "back"))
	require.NoError(t, err)
	defer back.Close()
	require.ErrorContains(t, s.download(t.Context(), &brokenDisk{size: 8 << 20}, back), "the cable is out")
}

// An import that is interrupted takes its volume back, and an export its snapshot
// and file.
func TestTransferInterrupted(t *testing.T) {
	w := start(t)
	const size = 20 << 20
	noise := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{2}).Read(noise)
	file := file(t, string(noise))
	for undone, args := range map[string][]string{
		`volume "v" was removed again`:   {"volume", "import", file, "v"},
		"the snapshot was removed again": {"volume", "export", "full", filepath.Join(t.TempDir(), "back")},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		stop := &trigger{at: ": 10 %", fire: cancel}
		a := &app{Streams: Streams{Out: &buffer{}, Err: stop}, loadSchema: testSchema}
		if args[1] == "export" {
			w.must("volume", "import", file, "full")
		}
		require.Equal(t, exitFailed, execute(ctx, a, args))
		cancel()
		require.Contains(t, stop.text.String(), "\ntwinlun: interrupted; "+undone+"\n")
		require.Empty(t, w.records("replica", "list"))
		require.NoFileExists(t, args[3])
	}
	require.Equal(t, []string{"full"}, column(w.records("volume", "list"), "name"))
	require.Equal(t, "", w.record("volume", "show", "full")["target"])
}

// trigger calls fire when a text is written.
type trigger struct {
	at   string
	fire func()
	text buffer
}

func (w *trigger) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(w.at)) {
		w.fire()
	}
	return w.text.Write(p)
}

func TestOrderPortals(t *testing.T) {
	require.Equal(t, []string{"10.0.0.2:3260", "10.0.0.1:3260", "[fd00::1]:3260", "10.0.0.2:3260"}[:3],
		orderPortals([]string{"10.0.0.1:3260", "10.0.0.2:3260", "[fd00::1]:3260", "nonsense"}, "10.0.0.2"))
	require.Equal(t, []string{"10.0.0.1:3260", "10.0.0.2:3261", "storage1:3260", "storage1:3261"},
		orderPortals([]string{"10.0.0.1:3260", "10.0.0.2:3261"}, "storage1"))
	require.Equal(t, []string{"10.0.0.1:3260", "[::1]:3260"}, orderPortals([]string{"10.0.0.1:3260"}, "::1"))
}

func TestRuns(t *testing.T) {
	p := make([]byte, 5*sparseUnit+100)
	p[0], p[sparseUnit], p[3*sparseUnit+7], p[5*sparseUnit+99] = 1, 1, 1, 1
	found := map[int]int{}
	for at, run := range runs(p) {
		found[at] = len(run)
	}
	require.Equal(t, map[int]int{0: 2 * sparseUnit, 3 * sparseUnit: sparseUnit, 5 * sparseUnit: 100}, found)
	for range runs(make([]byte, 1000)) {
		t.Fatal("zeros are left out")
	}
}

func FuzzRuns(f *testing.F) {
	f.Add(uint32(sparseUnit), uint32(5), uint32(70000))
	f.Fuzz(func(t *testing.T, n, a, b uint32) {
		p := make([]byte, n%(4*sparseUnit)+1)
		p[int(a)%len(p)], p[int(b)%len(p)] = 1, 2
		back := make([]byte, len(p))
		for at, run := range runs(p) {
			copy(back[at:], run)
		}
		require.True(t, bytes.Equal(p, back))
	})
}
