//go:build !soak

package faults

import "time"

// calls is how many calls of each kind are made, and bound how long that may
// take at most: fewer are made then.
const (
	calls = 5_000
	bound = 500 * time.Millisecond
)
