package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"twinlun/blockdev"
	"twinlun/blockdev/pool"
)

// acked are the first and the last acknowledged change of each writer of a volume.
type acked [writers]struct{ first, last uint64 }

// promised is what must be there.
type promised struct {
	volumes   map[string]acked
	snapshots map[string]snapshot
	lines     int
}

// snapshot is one that must be there, or may be.
type snapshot struct {
	of   string
	has  acked // at least
	must bool
}

// read takes up one note.
func (p *promised) read(line string) error {
	var name, of string
	var i int
	var n uint64
	kind, rest, _ := strings.Cut(line, " ")
	var err error
	switch kind {
	case "ack":
		if _, err = fmt.Sscan(rest, &name, &i, &n); err == nil {
			a := p.volumes[name]
			a[i].first, a[i].last = cmp.Or(a[i].first, n), n
			p.volumes[name] = a
		}
	case "ask":
		_, err = fmt.Sscan(rest, &name, &of)
		p.snapshots[name] = snapshot{of: of, has: p.volumes[of]}
	case "snap":
		s := p.snapshots[rest]
		s.must = true
		p.snapshots[rest] = s
	case "drop":
		s := p.snapshots[rest]
		s.must = false
		p.snapshots[rest] = s
	default:
		err = errors.New("no such note")
	}
	p.lines++
	return err
}

// notes reads all whole lines.
func notes(path string) (*promised, error) {
	all, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	p := &promised{volumes: map[string]acked{}, snapshots: map[string]snapshot{}}
	whole := all[:bytes.LastIndexByte(all, '\n')+1]
	for s := bufio.NewScanner(bytes.NewReader(whole)); s.Scan(); {
		if err := p.read(s.Text()); err != nil {
			return nil, fmt.Errorf("note %q: %w", s.Text(), err)
		}
	}
	return p, nil
}

// check compares the pool with the notes, before its merges and after them.
func check(ctx context.Context, dir, path string) error {
	want, err := notes(path)
	if err != nil {
		return err
	}
	p, closeAll, err := open(ctx, dir)
	if err != nil {
		return err
	}
	first := compare(ctx, p, want)
	err = errors.Join(first, p.WaitIdle(ctx), compare(ctx, p, want), closeAll())
	if err == nil {
		fmt.Printf("%d notes hold, %d snapshots\n", want.lines, len(want.snapshots))
	}
	return err
}

func compare(ctx context.Context, p *pool.LayerPool, want *promised) error {
	list, err := p.List(ctx)
	if err != nil {
		return err
	}
	byName := map[string]pool.Volume{}
	for _, v := range list {
		byName[v.Name] = v
	}
	for _, name := range slices.Sorted(maps.Keys(want.volumes)) {
		err = errors.Join(err, holds(ctx, p, byName[name], name, want.volumes[name]))
	}
	for _, name := range slices.Sorted(maps.Keys(want.snapshots)) {
		switch s, v := want.snapshots[name], byName[name]; {
		case v.ID != "":
			err = errors.Join(err, holds(ctx, p, v, s.of, s.has))
		case s.must:
			err = errors.Join(err, fmt.Errorf("snapshot %s is gone", name))
		}
	}
	return err
}

// holds says, as an error, what a volume with the content of the one called name lacks.
func holds(ctx context.Context, p *pool.LayerPool, v pool.Volume, name string, a acked) error {
	d, err := p.Open(ctx, v.ID)
	if err != nil {
		return fmt.Errorf("volume %s: %w", name, err)
	}
	defer d.Close()
	got := make([]byte, blockdev.BlockSize)
	for i := range writers {
		for b := range uint64(own) {
			if err := d.ReadAt(ctx, got, offset(i, b)); err != nil {
				return fmt.Errorf("volume %s: %w", v.Name, err)
			}
			least := last(a[i].last, b)
			if least < a[i].first {
				least = 0 // from before the notes
			}
			if err := isBlock(got, name, i, b, least); err != nil {
				return fmt.Errorf("volume %s, writer %d, block %d: %w", v.Name, i, b, err)
			}
		}
	}
	return nil
}

// isBlock says, as an error, what is wrong with a block, each sector of which must be
// of a change that went there, least or later.
func isBlock(p []byte, name string, i int, b, least uint64) error {
	for ; len(p) > 0; p = p[blockdev.SectorSize:] {
		n := binary.LittleEndian.Uint64(p[24:])
		switch {
		case n%own != b || !bytes.Equal(p[:blockdev.SectorSize], block(name, i, n)[:blockdev.SectorSize]):
			return fmt.Errorf("it holds what was never written there: %x", p[:32])
		case n < least:
			return fmt.Errorf("it has change %d, %d was acknowledged", n, least)
		}
	}
	return nil
}

// last is the last change up to n that went to block b.
func last(n, b uint64) uint64 {
	if n < own {
		return 0
	}
	return n - (n+own-b)%own
}
