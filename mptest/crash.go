package mptest

import (
	"os"
	"strconv"
	"testing"

	"multiproc/internal/failpoint"
	"multiproc/mp"
)

// KillAt returns options for a process that ends itself with SIGKILL when it
// comes to the named failpoint for the n-th time; names are those of the
// failpoint.Hit calls in the source. Failpoints exist in binaries that were
// built with the tag mpcrash; in others the test is skipped.
//
// A process passes some points before its task begins. A task that is to be
// killed at a certain place in its own work calls Arm there instead.
func KillAt(t testing.TB, point string, n int) mp.StartOptions {
	t.Helper()
	if !failpoint.Enabled {
		t.Skip("no failpoints in this binary; run go test -tags mpcrash")
	}
	env := append(os.Environ(), "MP_FAILPOINT="+point+":"+strconv.Itoa(n))
	return mp.StartOptions{Env: env}
}
