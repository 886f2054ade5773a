package layer

import "sync/atomic"

// pins counts who is inside something that can be retired.
type pins struct {
	n    atomic.Int64 // pinsOpen until retired, and 1 for each inside
	gone chan struct{}
}

const pinsOpen = 1 << 62

func (p *pins) init() {
	p.gone = make(chan struct{})
	p.n.Store(pinsOpen)
}

// enter says whether the caller is inside now; then it must leave.
func (p *pins) enter() bool {
	for {
		n := p.n.Load()
		if n < pinsOpen {
			return false
		}
		if p.n.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (p *pins) leave() {
	if p.n.Add(-1) == 0 {
		close(p.gone)
	}
}

// retire is called once. It lets nobody in from now on, and tells when all have
// left.
func (p *pins) retire() <-chan struct{} {
	if p.n.Add(-pinsOpen) == 0 {
		close(p.gone)
	}
	return p.gone
}
