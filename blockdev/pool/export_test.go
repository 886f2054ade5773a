package pool

// Sinking says whether the top of a volume that is in use goes down.
func (p *LayerPool) Sinking(id VolumeID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	v := p.tree.volumes[id]
	return v.live != nil && v.live.Chain().Sinking()
}
