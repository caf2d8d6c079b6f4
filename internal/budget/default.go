package budget

import (
	"math"

	"multiproc/internal/machine"
)

// Default is the limit of a server that was given none: half of the memory that
// the process may use, which is that of the machine, its control groups' or its
// own limit, whichever is the least. Where that cannot be found out it is 2 GiB.
func Default() int64 {
	n := machine.Memory()
	if n == math.MaxInt64 {
		return unknown
	}
	return max(n/2, least)
}

const (
	unknown = 2 << 30
	least   = 64 << 20
)

// Ceiling is what Go's memory limit should be in a process that serves this
// budget and does nothing else: garbage, the heap's fragments and the runtime's
// own memory fit in between.
func Ceiling(limit int64) int64 { return limit + max(limit/slack, leastSlack) }
