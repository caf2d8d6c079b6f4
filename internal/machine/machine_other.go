//go:build !linux

package machine

import (
	"math"
	"runtime"
)

// Memory is not known here.
func Memory() int64 { return math.MaxInt64 }

// Single reports whether the machine has one processor.
func Single() bool { return runtime.NumCPU() == 1 }
