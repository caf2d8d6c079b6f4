package spawn

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// ChildEnded is the signal that a process gets when a child of it has ended.
const ChildEnded = syscall.SIGCHLD

// Inherit makes this process the one that inherits the children of every
// process below it that dies (PR_SET_CHILD_SUBREAPER), where the first process
// of the machine or container would inherit them otherwise. Who inherits has
// to reap.
func Inherit() error {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("spawn: become a subreaper: %w", err)
	}
	return nil
}

// ReapStrays reaps the dead among the children that match, by pid and mark, and
// that Start has not started, and calls f for each. Those are children that
// this process has inherited. One that it has started by other means, with
// os/exec for example, is as little marked as this process: its status is not
// touched.
func ReapStrays(match func(pid int, mark uint64) bool, f func(pid int, mark uint64, s State)) {
	for again := true; again; {
		again = false // the list may leave some out while it changes
		for _, pid := range viewProc().inherited() {
			if m, s, ok := reapStray(pid, match); ok {
				again = true
				f(pid, m, s)
			}
		}
	}
}

func reapStray(pid int, match func(pid int, mark uint64) bool) (m uint64, s State, ok bool) {
	starting.Lock() // a pid that is free is not given to a child of Start's meanwhile
	defer starting.Unlock()
	if _, ours := started.Load(pid); ours {
		return 0, s, false
	}
	if m = MarkOf(pid); !match(pid, m) {
		return 0, s, false
	}
	s, ok, _ = collect(unix.P_PID, pid)
	return m, s, ok
}
