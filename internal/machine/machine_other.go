//go:build !linux

package machine

import (
	"math"
	"runtime"
)

// Memory is not known here.
func Memory() int64 { return math.MaxInt64 }

// Processors is how many the machine has.
func Processors() int { return runtime.NumCPU() }
