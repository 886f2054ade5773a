package memfs

import "twinlun/blockdev/vfs"

var _ vfs.Forgetter = (*file)(nil)

// Forget finds out what became of the sectors that a failed Sync has put in doubt.
func (f *file) Forget() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.stepLocked(OpRead); err != nil {
		return public(err)
	}
	for _, i := range sortedKeys(f.node.unsaved) {
		s := f.node.unsaved[i]
		if !s.doubt {
			continue
		}
		s.now = s.maybe[f.fs.rng.IntN(len(s.maybe))]
		s.maybe, s.doubt = []content{s.now}, false
		delete(f.node.unsaved, i)
	}
	return nil
}
