package machine

import "time"

// Monotonic is the time in nanoseconds by this machine's clock that nobody sets, which
// is the same in all its processes: a microsecond more or less, for the kernel is asked
// once. It stands still while the machine is suspended.
func Monotonic() int64 { return epoch + int64(time.Since(started)) }
