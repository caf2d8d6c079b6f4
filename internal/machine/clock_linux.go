package machine

import (
	"time"

	"golang.org/x/sys/unix"
)

// epoch is CLOCK_MONOTONIC at the time started.
var started, epoch = clock()

func clock() (time.Time, int64) {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &t) // there is no Linux without it
	return time.Now(), t.Nano()
}
