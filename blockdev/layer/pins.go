package layer

import (
	"sync"
	"sync/atomic"
)

// pins counts who is inside something that can be retired.
type pins struct {
	n    atomic.Int64 // pinsOpen until retired, and 1 for each inside, or just looking
	end  sync.Once
	gone chan struct{}
}

const pinsOpen = 1 << 62

func (p *pins) init() {
	p.gone = make(chan struct{})
	p.n.Store(pinsOpen)
}

// enter says whether the caller is inside now; then it must leave.
func (p *pins) enter() bool { return p.n.Add(1) > pinsOpen || p.refused() }

// refused takes back an enter that came too late.
func (p *pins) refused() bool {
	p.leave()
	return false
}

func (p *pins) leave() {
	if p.n.Add(-1) == 0 {
		p.empty()
	}
}

// empty may be called again for those who came too late.
func (p *pins) empty() { p.end.Do(func() { close(p.gone) }) }

// retire is called once. It lets nobody in from now on, and tells when all have
// left.
func (p *pins) retire() <-chan struct{} {
	if p.n.Add(-pinsOpen) == 0 {
		p.empty()
	}
	return p.gone
}
