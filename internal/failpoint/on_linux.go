//go:build mpcrash && linux

package failpoint

import (
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

// Enabled tells whether this binary was built with the tag mpcrash.
const Enabled = true

var (
	armed atomic.Pointer[string]
	left  atomic.Int64
	hook  atomic.Pointer[func(string)]
)

func init() {
	spec := os.Getenv("MP_FAILPOINT")
	if spec == "" {
		return
	}
	name, count, found := strings.Cut(spec, ":")
	n := int64(1)
	if found {
		v, err := strconv.ParseInt(count, 10, 64)
		if err != nil || v < 1 {
			panic("MP_FAILPOINT: want name or name:count, have " + spec)
		}
		n = v
	}
	Arm(name, n)
}

// Arm makes this process kill itself at the n-th Hit of name from now on.
func Arm(name string, n int64) {
	left.Store(n)
	armed.Store(&name)
}

// SetHook calls f at every Hit, until it is set to nil. The hook runs on the
// goroutine that hit, between the two stores.
func SetHook(f func(name string)) {
	if f == nil {
		hook.Store(nil)
		return
	}
	hook.Store(&f)
}

// Hit marks a place between two stores.
func Hit(name string) {
	if f := hook.Load(); f != nil {
		(*f)(name)
	}
	if want := armed.Load(); want != nil && *want == name && left.Add(-1) == 0 {
		_ = syscall.Kill(syscall.Getpid(), syscall.SIGKILL)
		select {} // the signal may reach another thread first
	}
}
