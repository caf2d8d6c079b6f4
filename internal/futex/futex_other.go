//go:build !linux

package futex

import (
	"runtime"
	"time"

	"multiproc/internal/mperr"
)

// Wake wakes nobody on this platform.
func Wake(*uint32, int) int { return 0 }

// WakePinned wakes nobody on this platform.
func WakePinned(*uint32, int) int { return 0 }

// Wait refuses and names the platform.
func Wait(time.Duration, ...Word) error {
	return &mperr.UnsupportedError{Facility: "futex", Platform: runtime.GOOS + "/" + runtime.GOARCH}
}

// WaitHeld refuses and names the platform.
func WaitHeld(time.Duration, Word) error { return Wait(0) }

// Several says that nobody can sleep on several words here.
func Several() bool { return false }

// Kick wakes nobody on this platform.
func Kick(*uint32) {}
