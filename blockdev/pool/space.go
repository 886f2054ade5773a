package pool

import (
	"fmt"

	"twinlun/blockdev"
	"twinlun/blockdev/layer"
)

const (
	// defaultReserve is Config.Reserve if that is 0, unless the place is small.
	defaultReserve = 64 << 20
	// reserveShare is the part of a small place that is reserved.
	reserveShare = 100
)

// openBudget reserves what Config says of the pool's space.
func (p *LayerPool) openBudget() error {
	if p.spared == 0 {
		total, _, err := p.fs.Space()
		if err != nil {
			return blockdev.Wrap(blockdev.KindIO, "open pool "+p.name, err)
		}
		p.spared = min(defaultReserve, total/reserveShare)
	}
	p.spared = max(0, p.spared)
	p.budget = layer.NewBudget(p.fs.Space, p.spared)
	return nil
}

// spare says whether more than the reserve is left, for new volumes.
func (p *LayerPool) spare(op string) error {
	if err := p.budget.Spare(); err != nil {
		return blockdev.Wrap(blockdev.KindOf(err), op, err)
	}
	return nil
}

// withinLimit says whether volumes may get more bytes longer together; structure or mu
// is held.
func (p *LayerPool) withinLimit(op string, more int64) error {
	if p.limit <= 0 || more <= 0 || more <= p.limit-p.tree.provisioned {
		return nil
	}
	return blockdev.Wrap(blockdev.KindNoSpace, op, &LimitError{Pool: p.name, Limit: p.limit, Provisioned: p.tree.provisioned, More: more})
}

// LimitError says that volumes were asked for that go beyond Config.MaxProvisioned.
type LimitError struct {
	Pool                     string
	Limit, Provisioned, More int64 // bytes: of all volumes together, of those that there are, of those asked for
}

// Error names the figures.
func (e *LimitError) Error() string {
	return fmt.Sprintf("%d bytes more than the %d that pool %s has provisioned go beyond its limit of %d", e.More, e.Provisioned, e.Pool, e.Limit)
}
