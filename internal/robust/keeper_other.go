//go:build !linux

package robust

import (
	"runtime"

	"multiproc/internal/mperr"
)

func registerList(*head) (uint64, error) {
	return 0, &mperr.UnsupportedError{Facility: "robust locks", Platform: runtime.GOOS + "/" + runtime.GOARCH}
}

func onMainThread() bool { return false }

func threadGone(_, _ uint32) bool { return false }

func keeperThread(_, _ uint32) bool { return true }

// SetFamily does nothing on this platform.
func SetFamily([]byte) {}

func waitGone(int) {}

func unprotect(*uint64) bool { return false }

func protect(*uint64) {}
