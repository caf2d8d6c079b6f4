//go:build !linux

package robust

import (
	"runtime"

	"multiproc/internal/mperr"
)

func (k *keeper) register() error {
	return &mperr.UnsupportedError{Facility: "robust locks", Platform: runtime.GOOS + "/" + runtime.GOARCH}
}

func onMainThread() bool { return false }

func threadGone(_, _ uint32) bool { return false }

func waitGone(int) {}
