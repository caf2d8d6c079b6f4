//go:build linux

package mp_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"multiproc/mp"
)

// What package initialization gets when it makes objects, in the test's own
// process and in each child.
var (
	_, earlyQueue   = mp.NewQueue[int](1)
	_, earlyCounter = mp.NewCounter(1)
	earlyArray      error
)

func init() { _, earlyArray = mp.ArrayOf(1, 2) }

func TestObjectsOfPackageInitialization(t *testing.T) {
	for _, err := range []error{earlyQueue, earlyCounter, earlyArray} {
		if !errors.Is(err, mp.ErrNoInit) || !strings.Contains(err.Error(), "make it in main, after mp.Init") {
			t.Errorf("got %v", err)
		}
	}
	if os.Getenv(programEnv) != "" {
		t.Fatal("a program runs no tests")
	}
}
