package main

import (
	"math"
	"slices"
	"time"
)

// quantile is the value that a share q of the values does not exceed; NaN of
// none. The values are sorted in place.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	slices.Sort(values)
	return values[int(q*float64(len(values)-1)+0.5)]
}

func median(values []float64) float64 { return quantile(slices.Clone(values), 0.5) }

// milliseconds turns durations into numbers.
func milliseconds(all []time.Duration) []float64 {
	ms := make([]float64, len(all))
	for i, d := range all {
		ms[i] = float64(d) / float64(time.Millisecond)
	}
	return ms
}

// ratios divides round by round, so that what disturbed a round disturbs both.
func ratios(a, b []float64) []float64 {
	r := make([]float64, min(len(a), len(b)))
	for i := range r {
		r[i] = a[i] / b[i]
	}
	return r
}

// takeTurns runs each contestant once in every round, every second round backwards, so
// that none always has the same one before it, and gives the results by contestant.
func takeTurns[T any](rounds int, contestants ...func() (T, error)) ([][]T, error) {
	results := make([][]T, len(contestants))
	for round := range rounds {
		for i := range contestants {
			if round%2 == 1 {
				i = len(contestants) - 1 - i
			}
			v, err := contestants[i]()
			if err != nil {
				return nil, err
			}
			results[i] = append(results[i], v)
		}
	}
	return results, nil
}

// column takes one number out of each result.
func column[T any](results []T, f func(T) float64) []float64 {
	c := make([]float64, len(results))
	for i, r := range results {
		c[i] = f(r)
	}
	return c
}
