package manager

import (
	"math"
	"runtime/debug"

	"multiproc/internal/budget"
)

// LimitMemory makes Go's garbage collector keep this process near the limit
// that a server with these Limits has, for processes that do nothing but
// serve: the one of Start and the command mp have called it. A memory limit
// that was set already, by $GOMEMLIMIT for example, stays if it is lower. It
// does nothing for Limits without a limit.
func LimitMemory(l Limits) {
	l = l.withDefaults()
	if l.Bytes == 0 {
		return
	}
	ceiling := budget.Ceiling(l.Bytes)
	if now := debug.SetMemoryLimit(-1); now == math.MaxInt64 || now > ceiling {
		debug.SetMemoryLimit(ceiling)
	}
}
