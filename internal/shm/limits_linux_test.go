package shm

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestLimitsAreNamed(t *testing.T) {
	for err, want := range map[error]string{
		unix.EFBIG:  "ulimit -f",
		unix.EMFILE: "ulimit -n",
		unix.EINVAL: "",
	} {
		if got := explain(err); !errors.Is(got, err) || !strings.Contains(got.Error(), want) {
			t.Errorf("%v became %v, want %q in it", err, got, want)
		}
	}
}
