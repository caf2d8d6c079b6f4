package spawn

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Soften makes the end of this process's starter a request to end, where it
// was SIGKILL. A child calls it once it can deal with SIGTERM, on its main
// thread: the kernel keeps the wish by thread, and Start has set it for that
// one.
//
// It is the second net. The first is end of file on the control socket, which
// needs a goroutine of the child to be awake, and a socket that no other
// process holds open by mistake. The signal needs neither. A process that
// somebody has stopped hears nothing of either. So another thread asks for
// SIGCONT: the kernel sends what each thread has asked for.
//
// Cost: a thread, for the life of the process.
func Soften() error {
	if unix.Gettid() != os.Getpid() {
		return fmt.Errorf("spawn: Soften was not called on the main thread: %w", unix.EINVAL)
	}
	// In this order: until both are in place it is SIGKILL.
	ready := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := askForDeath(unix.SIGCONT)
		ready <- err
		if err == nil {
			select {}
		}
	}()
	if err := <-ready; err != nil {
		return err
	}
	return askForDeath(unix.SIGTERM)
}

// Dying reports whether a process is ending: SIGKILL is pending for one of its
// threads, as it is for all of them when a signal or exit_group ends the process,
// or the first one has ended or is about to. On a busy machine a process may take
// long from there to its end, thread by thread. False if that cannot be seen.
func Dying(pid int) bool {
	dir := viewProc().dir(pid)
	if exiting(dir) {
		return true
	}
	threads, _ := os.ReadDir(dir + "/task")
	for _, t := range threads {
		if doomed(dir + "/task/" + t.Name()) {
			return true
		}
	}
	return doomed(dir)
}

// exiting reports whether the first thread of a process is on its way out: it
// has taken the signal then, which is not pending any more.
func exiting(dir string) bool {
	b, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return false
	}
	// "pid (name) state parent group session tty tpgid flags …"; the name may
	// contain anything.
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(f) < 7 {
		return false
	}
	const pfExiting = 4 // PF_EXITING of include/linux/sched.h
	flags, err := strconv.ParseUint(f[6], 10, 64)
	return err == nil && flags&pfExiting != 0
}

// doomed reports whether a thread is dead, or has SIGKILL pending.
func doomed(dir string) bool {
	b, err := os.ReadFile(dir + "/status")
	if err != nil {
		return false
	}
	const kill = 1 << (unix.SIGKILL - 1)
	for line := range strings.Lines(string(b)) {
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch name {
		case "State":
			if strings.HasPrefix(value, "Z") || strings.HasPrefix(value, "X") {
				return true
			}
		case "SigPnd", "ShdPnd":
			if set, err := strconv.ParseUint(value, 16, 64); err == nil && set&kill != 0 {
				return true
			}
		}
	}
	return false
}

// askForDeath sets the signal that this thread's process gets when its starter
// ends.
func askForDeath(sig syscall.Signal) error {
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(sig), 0, 0, 0); err != nil {
		return fmt.Errorf("spawn: ask for a signal at the starter's end: %w", err)
	}
	return nil
}

// NameProcess names this process for ps and top, which show the name of its first
// thread: 15 bytes of it. Without a name it is called exe, after the file that was
// executed.
func NameProcess(name string) { _ = os.WriteFile("/proc/self/comm", []byte(name), 0) }

// KillSelf ends this process with SIGKILL: nothing that it has locked up can
// hold it.
func KillSelf() {
	_ = unix.Kill(os.Getpid(), unix.SIGKILL)
	select {} // the signal may take another thread first
}
