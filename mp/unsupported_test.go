//go:build !linux

package mp_test

import (
	"errors"
	"runtime"
	"strings"
	"testing"

	"multiproc/mp"
)

// On a platform without support programs compile, and the first call that
// needs it says where it does not work.
func TestRefusal(t *testing.T) {
	_, err := mp.NewQueue[int](1)
	if !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), runtime.GOOS) {
		t.Errorf("NewQueue: %v", err)
	}
}
