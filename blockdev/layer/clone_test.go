package layer

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestClonesCostNothing: where files can share blocks, Fill and Sink copy no more than
// a block for each range, and what they make is the same.
func TestClonesCostNothing(t *testing.T) {
	for name, move := range map[string]func(s *stack, pace Pace) (*Chain, error){
		"fill": func(s *stack, pace Pace) (*Chain, error) {
			return NewChain(s.layers[2], nil), s.layers[2].Fill(s.t.Context(), s.below(2), pace)
		},
		"sink": func(s *stack, pace Pace) (*Chain, error) {
			return NewChain(s.layers[1], s.below(1)), s.layers[2].Sink(s.t.Context(), s.layers[1], false, pace)
		},
		"sink to the ground": func(s *stack, pace Pace) (*Chain, error) {
			if err := s.layers[1].Sink(s.t.Context(), s.layers[0], true, pace); err != nil {
				return nil, err
			}
			return NewChain(s.layers[0], nil), s.layers[2].Sink(s.t.Context(), s.layers[0], true, pace)
		},
	} {
		for _, clones := range []bool{false, true} {
			s := newStack(t, 77, 3, 3<<20+512)
			s.fs.SetCloning(clones)
			total := int64(0)
			chain, err := move(s, func(_ context.Context, _, copied int64) error {
				total += copied
				return nil
			})
			require.NoError(t, err, name)
			s.check(chain, s.shows[2])
			require.Equal(t, clones, total < blockSize, "%s: %d bytes were copied", name, total)
		}
	}
}
