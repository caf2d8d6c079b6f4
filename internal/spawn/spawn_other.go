//go:build !linux

package spawn

import (
	"os"
	"runtime"
	"syscall"

	"multiproc/internal/mperr"
)

// Process does not exist on this platform: nothing makes one.
type Process struct{}

func refuse() error {
	return &mperr.UnsupportedError{Facility: "starting processes", Platform: runtime.GOOS + "/" + runtime.GOARCH}
}

// Start refuses and names the platform.
func Start(Spec) (*Process, error) { return nil, refuse() }

// MarkCloexec refuses and names the platform.
func MarkCloexec(int) error { return refuse() }

// Soften refuses and names the platform.
func Soften() error { return refuse() }

// NameProcess names this process for ps and top.
func NameProcess(string) {}

// Dying reports whether a process is ending.
func Dying(int) bool { return false }

// ChildEnded is a signal that never comes.
const ChildEnded = syscall.Signal(-1)

// Inherit refuses and names the platform.
func Inherit() error { return refuse() }

// ReapStrays does nothing: there are no children.
func ReapStrays(func(int, uint64) bool, func(int, uint64, State)) {}

// SetMark refuses and names the platform.
func SetMark(uint64) error { return refuse() }

// SetMark refuses and names the platform.
func (*Process) SetMark(uint64) error { return refuse() }

// MarkOf returns 0.
func MarkOf(int) uint64 { return 0 }

// KillMarked does nothing.
func KillMarked(int, func(uint64) bool) bool { return false }

// EndMarked does nothing.
func EndMarked(func(uint64, func() int) bool) int { return 0 }

// Session returns 0.
func Session() int { return 0 }

// PID returns 0.
func (*Process) PID() int { return 0 }

// Done returns nil: a channel that is never closed.
func (*Process) Done() <-chan struct{} { return nil }

// Exit returns the zero State.
func (*Process) Exit() State { return State{} }

// Signal refuses and names the platform.
func (*Process) Signal(syscall.Signal) error { return refuse() }

// Kill refuses and names the platform.
func (*Process) Kill() error { return refuse() }

// SetNice refuses and names the platform.
func (*Process) SetNice(int) error { return refuse() }

// SetAffinity refuses and names the platform.
func (*Process) SetAffinity([]int) error { return refuse() }

// SetMemory refuses and names the platform.
func (*Process) SetMemory(int64) error { return refuse() }

// KillSelf exits: there is no way to die without running anything more.
func KillSelf() { os.Exit(1) }
