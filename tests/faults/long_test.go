//go:build soak

package faults

import "time"

// calls is how many calls of each kind are made, and bound how long that may
// take at most.
const (
	calls = 1_000_000
	bound = 10 * time.Minute
)
