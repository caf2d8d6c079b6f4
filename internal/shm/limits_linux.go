package shm

import (
	"errors"
	"fmt"
	"math"

	"golang.org/x/sys/unix"
)

// MaxFile is how large this process may make a memory file (RLIMIT_FSIZE,
// ulimit -f).
func MaxFile() int64 { return limit(unix.RLIMIT_FSIZE) }

// limit is a soft limit in bytes, math.MaxInt64 if there is none.
func limit(which int) int64 {
	var r unix.Rlimit
	if unix.Getrlimit(which, &r) != nil || r.Cur > math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(r.Cur)
}

// explain adds to the kernel's bare number the limit of the process that is
// behind it, if one is.
func explain(err error) error {
	switch as := limit(unix.RLIMIT_AS); {
	case errors.Is(err, unix.EFBIG):
		return fmt.Errorf("%w: this process may make files of %d bytes at most (RLIMIT_FSIZE, ulimit -f), and memory files count; raise the limit or make the object smaller, a queue or a pipe with mp.MaxBytes", err, MaxFile())
	case errors.Is(err, unix.ENOMEM) && as != math.MaxInt64:
		return fmt.Errorf("%w: this process may map %d bytes at most (RLIMIT_AS, ulimit -v); raise the limit or make the object smaller, a queue or a pipe with mp.MaxBytes", err, as)
	case errors.Is(err, unix.EMFILE):
		return fmt.Errorf("%w (RLIMIT_NOFILE, ulimit -n: %d); every object of a process takes one", err, limit(unix.RLIMIT_NOFILE))
	}
	return err
}
