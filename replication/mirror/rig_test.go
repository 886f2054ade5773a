package mirror

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev"
	"twinlun/replication/store"
)

var ctx = context.Background()

var errPower = errors.New("no power")

// power fails after a number of operations, for all devices and the store at once.
type power struct {
	mu   sync.Mutex
	left int // operations until it fails; negative: it does not
	off  bool
}

// use counts an operation; false: the power is off.
func (p *power) use() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left == 0 {
		p.off = true
	}
	p.left--
	return !p.off
}

// disk is a device that forgets what was not flushed when the power fails: then
// each block has its old or its new content.
type disk struct {
	power *power

	mu       sync.Mutex
	data     []byte
	durable  []byte
	volatile map[int64]struct{} // blocks
	failing  error              // of writes and flushes
	failRead error

	// Called after the operation, outside of the lock, while the caller waits.
	afterRead, afterWrite, afterFlush func(off int64)
}

// after runs one of the hooks, which may change the hooks.
func (d *disk) after(hook *func(int64), off int64) {
	d.mu.Lock()
	f := *hook
	d.mu.Unlock()
	if f != nil {
		f(off)
	}
}

// once sets a hook that runs for the first operation only.
func (d *disk) once(hook *func(int64), f func(off int64)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	*hook = func(off int64) {
		d.mu.Lock()
		*hook = nil
		d.mu.Unlock()
		f(off)
	}
}

func newDisk(p *power, size int) *disk {
	return &disk{power: p, data: make([]byte, size), durable: make([]byte, size), volatile: map[int64]struct{}{}}
}

func (d *disk) ReadAt(_ context.Context, p []byte, off int64) error {
	defer d.after(&d.afterRead, off)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.failRead != nil {
		return d.failRead
	}
	copy(p, d.data[off:])
	return nil
}

func (d *disk) WriteAt(_ context.Context, p []byte, off int64) error {
	defer d.after(&d.afterWrite, off)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.failing != nil {
		return d.failing
	}
	if !d.power.use() {
		return errPower
	}
	copy(d.data[off:], p)
	for b := off / blockdev.BlockSize; b*blockdev.BlockSize < off+int64(len(p)); b++ {
		d.volatile[b] = struct{}{}
	}
	return nil
}

func (d *disk) Flush(context.Context) error {
	defer d.after(&d.afterFlush, 0)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.failing != nil {
		return d.failing
	}
	if !d.power.use() {
		return errPower
	}
	for b := range d.volatile {
		d.settle(b, true)
	}
	return nil
}

// settle ends what is open about a block.
func (d *disk) settle(b int64, keep bool) {
	from, to := b*blockdev.BlockSize, min((b+1)*blockdev.BlockSize, int64(len(d.data)))
	if keep {
		copy(d.durable[from:to], d.data[from:to])
	} else {
		copy(d.data[from:to], d.durable[from:to])
	}
	delete(d.volatile, b)
}

// crash is what is found after the power failed.
func (d *disk) crash(rnd *rand.Rand) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for b := range int64(len(d.data)/blockdev.BlockSize + 1) {
		if _, open := d.volatile[b]; open {
			d.settle(b, rnd.IntN(2) == 0)
		}
	}
}

func (d *disk) fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failing = err
}

func (d *disk) content() []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	return bytes.Clone(d.data)
}

func (d *disk) Size() int64  { return int64(len(d.data)) }
func (d *disk) Close() error { return nil }

// volume is a device with at most one hook in its write path.
type volume struct {
	dev blockdev.Device

	mu   sync.RWMutex // held for reading by every change
	hook blockdev.Hook
}

func (v *volume) attach(h blockdev.Hook) (func(), error) {
	v.set(h)
	return func() { v.set(nil) }, nil
}

func (v *volume) set(h blockdev.Hook) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.hook = h
}

// change is what a host does.
func (v *volume) change(ctx context.Context, c blockdev.Change) error {
	v.mu.RLock()
	defer v.mu.RUnlock()
	c.Len = max(c.Len, int64(len(c.Data)))
	next := func() error {
		switch {
		case c.Op == blockdev.OpFlush:
			return v.dev.Flush(ctx)
		case c.Op == blockdev.OpZero:
			return blockdev.Zero(ctx, v.dev, c.Off, c.Len)
		case c.FUA:
			return blockdev.WriteFUA(ctx, v.dev, c.Data, c.Off)
		}
		return v.dev.WriteAt(ctx, c.Data, c.Off)
	}
	if v.hook == nil {
		return next()
	}
	return v.hook.Apply(ctx, c, next)
}

func (v *volume) write(off int64, p []byte) error {
	return v.change(ctx, blockdev.Change{Op: blockdev.OpWrite, Off: off, Data: p})
}

// news keeps what a Mirror tells.
type news struct {
	mu       sync.Mutex
	words    []string
	progress [][2]int64
	came     chan struct{}
}

func newNews() *news { return &news{came: make(chan struct{}, 100)} }

func (n *news) add(word string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.words = append(n.words, word)
	poke(n.came)
}

func (n *news) Synchronized()      { n.add("synchronized") }
func (n *news) Diverged(err error) { n.add("diverged: " + err.Error()) }
func (n *news) Broken(err error)   { n.add("broken: " + err.Error()) }
func (n *news) Progress(done, total int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.progress = append(n.progress, [2]int64{done, total})
}

// wait returns when the last words are these.
func (n *news) wait(t testing.TB, words ...string) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		n.mu.Lock()
		all := append([]string(nil), n.words...)
		n.mu.Unlock()
		if len(all) >= len(words) {
			require.Equal(t, words, all[:len(words)])
			return
		}
		select {
		case <-n.came:
		case <-deadline:
			t.Fatalf("waiting for %v, have %v", words, all)
		}
	}
}

const (
	region = 64 << 10
	size   = 16 * region
)

// rig is a pair with all that belongs to it.
type rig struct {
	power          *power
	store          store.Store
	source, target *disk
	volume         *volume
	news           *news
	mirror         *Mirror
}

func newRig() *rig {
	p := &power{left: -1}
	r := &rig{power: p, store: store.NewMem(), source: newDisk(p, size), target: newDisk(p, size+region), news: newNews()}
	r.volume = &volume{dev: r.source}
	return r
}

func (r *rig) config() Config {
	return Config{
		ID: "m", Store: r.store, Source: r.source, Target: r.target, Region: region,
		Attach: r.volume.attach, Events: r.news, CleanEvery: time.Hour,
	}
}

func (r *rig) start(t testing.TB, change func(*Config)) {
	c := r.config()
	if change != nil {
		change(&c)
	}
	m, err := Start(ctx, c)
	require.NoError(t, err)
	r.mirror = m
	t.Cleanup(func() { m.Stop(ctx) })
}

func (r *rig) requireEqual(t testing.TB) {
	t.Helper()
	s, d := r.source.content(), r.target.content()[:size]
	for b := 0; b < size; b += 512 {
		if !bytes.Equal(s[b:b+512], d[b:b+512]) {
			t.Fatalf("sector %d (region %d): source %x, target %x", b/512, b/region, s[b:b+8], d[b:b+8])
		}
	}
}

// fill puts noise on a disk, durably.
func fill(d *disk, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 0))
	for i := 0; i < len(d.data); i += 8 {
		binary.LittleEndian.PutUint64(d.data[i:], rnd.Uint64())
	}
	copy(d.durable, d.data)
}

// writers let n hosts write, zero and flush at random until each has done so many
// operations or fails.
func (r *rig) writers(seed uint64, n, each int) *sync.WaitGroup {
	var wg sync.WaitGroup
	for w := range n {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(seed, uint64(w)))
			for range each {
				if r.volume.change(ctx, randomChange(rnd)) != nil {
					return
				}
			}
		})
	}
	return &wg
}

func randomChange(rnd *rand.Rand) blockdev.Change {
	if rnd.IntN(12) == 0 {
		return blockdev.Change{Op: blockdev.OpFlush}
	}
	off := rnd.Int64N(size/512) * 512
	n := min((1+rnd.Int64N(40))*512, size-off)
	if rnd.IntN(10) == 0 {
		return blockdev.Change{Op: blockdev.OpZero, Off: off, Len: n}
	}
	p := bytes.Repeat([]byte{byte(rnd.Uint32()), byte(rnd.Uint32())}, int(n/2))
	return blockdev.Change{Op: blockdev.OpWrite, Off: off, Data: p, FUA: rnd.IntN(10) == 0}
}
