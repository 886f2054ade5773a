package layer

// Written calls fn for the runs of blocks in [off, off+n) that any of the layers, all of
// which stand on others, has: data or zeros. They come in ascending order, do not touch
// each other, and are whole blocks but at the ends of the range. fn says whether to go
// on.
func Written(layers []*Layer, off, n int64, fn func(off, n int64) bool) {
	from, end := off, off+n // [from, off) is written
	for off < end {
		written, to := stretch(layers, off, end)
		if !written {
			if from < off && !fn(from, off-from) {
				return
			}
			from = to
		}
		off = to
	}
	if from < end {
		fn(from, end-from)
	}
}

// stretch says whether the block at off is written, and how far that is so at least.
func stretch(layers []*Layer, off, end int64) (written bool, to int64) {
	block, limit := blockRange(off, end-off)
	longest, shortest := int64(0), limit
	for _, l := range layers {
		st, n := l.blocks.run(block, limit)
		if st == absent {
			shortest = min(shortest, n)
		} else {
			longest = max(longest, n)
		}
	}
	if longest > 0 {
		return true, min(end, (block+longest)*blockSize)
	}
	return false, min(end, (block+shortest)*blockSize)
}

// Has says whether the layer, which stands on another, has all of [off, off+n): what is
// below does not show there.
func (l *Layer) Has(off, n int64) bool {
	for block, count := blockRange(off, n); count > 0; {
		st, run := l.blocks.run(block, count)
		if st == absent {
			return false
		}
		block, count = block+run, count-run
	}
	return true
}
