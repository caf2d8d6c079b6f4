package mp

import (
	"fmt"
	"runtime"
	"strings"

	"multiproc/internal/mperr"
)

// errEarly is what New functions say in package initialization.
var errEarly = fmt.Errorf("a shared object in package initialization: %w; every process initializes its packages and would make an object of its own: make it in main, after mp.Init, and pass it to the tasks in their arguments", mperr.ErrNoInit)

// initializing reports whether the caller runs in package initialization: a
// variable's initializer or an init function. One that it has started as a
// goroutine is not recognized.
func initializing() bool {
	pcs := make([]uintptr, 128)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	for more := true; more; {
		var f runtime.Frame
		f, more = frames.Next()
		if strings.HasPrefix(f.Function, "runtime.doInit") {
			return true
		}
	}
	return false
}
