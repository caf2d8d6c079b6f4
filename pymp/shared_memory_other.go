//go:build !linux

package pymp

import (
	"runtime"

	"multiproc/internal/mperr"
)

func noShared() error {
	return &mperr.UnsupportedError{Facility: "named shared memory", Platform: runtime.GOOS + "/" + runtime.GOARCH}
}

// createShared refuses and names the platform.
func createShared(string, int) ([]byte, error) { return nil, noShared() }

// openShared refuses and names the platform.
func openShared(string) ([]byte, error) { return nil, noShared() }

// unlinkShared refuses and names the platform.
func unlinkShared(string) error { return noShared() }

// unmapShared is not reached: nothing is ever mapped.
func unmapShared([]byte) error { return noShared() }
