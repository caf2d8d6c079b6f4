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
