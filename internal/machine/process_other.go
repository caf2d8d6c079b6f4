//go:build !linux

package machine

import (
	"errors"
	"math"
	"time"
)

// CPUTime is not known here.
func CPUTime(int) (time.Duration, error) { return 0, errors.ErrUnsupported }

// Resident is not known here.
func Resident(int) (int64, error) { return 0, errors.ErrUnsupported }

// Available is not known here.
func Available() int64 { return math.MaxInt64 }

// OutOfMemoryKills is not known here.
func OutOfMemoryKills() int64 { return 0 }
