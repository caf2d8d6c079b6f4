package spawn

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// sys are the system calls that old kernels and sandboxes do not offer. Tests
// put others in their place.
var sys = struct {
	forkExec        func(path string, argv []string, attr *syscall.ProcAttr) (int, error)
	pidfdOpen       func(pid, flags int) (int, error)
	pidfdSendSignal func(fd int, sig unix.Signal, info *unix.Siginfo, flags int) error
	waitid          func(idType, id int, info *unix.Siginfo, options int, usage *unix.Rusage) error
	closeRange      func(first, last, flags uint) error
	prlimit         func(pid, resource int, set, old *unix.Rlimit) error
}{
	syscall.ForkExec, unix.PidfdOpen, unix.PidfdSendSignal, unix.Waitid, unix.CloseRange, unix.Prlimit,
}

// refused reports whether an error may mean that there is no such system call:
// a kernel that does not know it says ENOSYS, and of a flag EINVAL; a sandbox
// says what it likes, mostly EPERM.
func refused(err error) bool {
	return errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.EINVAL)
}
