package e2e

import "time"

const (
	waitLimit = 60 * time.Second
	pollEvery = 10 * time.Millisecond
)
