//go:build mpcrash

package mptest

import "multiproc/internal/failpoint"

// Arm makes this process end itself with SIGKILL when it comes to the named
// failpoint for the n-th time from now on.
func Arm(point string, n int) { failpoint.Arm(point, int64(n)) }
