//go:build race

package pool_test

// slowness divides the number of randomized runs.
const slowness = 10
