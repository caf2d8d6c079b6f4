package spawn

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// A mark is a number that a process puts on itself and that everything it
// starts inherits, at the moment of the fork, through exec, setsid, a changed
// environment and the death of whoever is in between. By it a family knows its
// orphans, their zombies, and the programs that a task has started.
//
// It stands in RLIMIT_LOCKS. That is the one inherited number that nothing
// uses: the kernel has not looked at it since Linux 2.4.25, the shell shows it
// as "ulimit -x". Other marks were considered. An environment variable is gone
// where a program gets a clean environment, and cannot be read from a zombie.
// A process group of its own would take every task out of the terminal's
// foreground: no Ctrl-Z, and SIGTTIN for who reads a password. A cgroup needs
// a writable one.
//
// A process can set its limit to anything below the hard one, which is
// infinite nearly everywhere. Where it is not, or a sandbox refuses the call,
// there is no mark, and what depends on it does not happen.

// SetMark marks this process, and all that it starts from now on. The mark must
// be less than 1<<63.
func SetMark(m uint64) error { return setMark(0, m) }

// SetMark marks the process, and all that it starts from now on.
func (p *Process) SetMark(m uint64) error {
	return p.alive("mark it", func() error { return setMark(p.pid, m) })
}

func setMark(pid int, m uint64) error {
	var limit unix.Rlimit
	if err := sys.prlimit(pid, unix.RLIMIT_LOCKS, nil, &limit); err != nil {
		return fmt.Errorf("spawn: look at RLIMIT_LOCKS: %w", err)
	}
	limit.Cur = m
	if err := sys.prlimit(pid, unix.RLIMIT_LOCKS, &limit, nil); err != nil {
		return fmt.Errorf("spawn: set RLIMIT_LOCKS: %w", err)
	}
	return nil
}

// MarkOf returns a process's mark, also a zombie's. There is none, 0, if there
// is no such process.
func MarkOf(pid int) uint64 {
	var limit unix.Rlimit
	err := sys.prlimit(pid, unix.RLIMIT_LOCKS, nil, &limit)
	if errors.Is(err, unix.EPERM) { // another user's, setuid for example: all may read the file
		b, _ := os.ReadFile(viewProc().dir(pid) + "/limits")
		if _, line, ok := strings.Cut(string(b), "\nMax file locks "); ok {
			word, _, _ := strings.Cut(strings.TrimLeft(line, " "), " ")
			limit.Cur, err = strconv.ParseUint(word, 10, 64)
		}
	}
	if err != nil {
		return 0
	}
	return limit.Cur
}

// KillMarked ends the process with SIGKILL if it has this mark, and no other
// process, should the pid be another's meanwhile. Where there are no pidfds
// that is nearly certain. It reports whether it sent the signal.
func KillMarked(pid int, match func(mark uint64) bool) bool {
	fd, err := sys.pidfdOpen(pid, 0)
	if err == nil {
		defer func() { _ = unix.Close(fd) }()
	} else if errors.Is(err, unix.ESRCH) {
		return false
	}
	if !match(MarkOf(pid)) {
		return false
	}
	if err == nil {
		if err = sys.pidfdSendSignal(fd, unix.SIGKILL, nil, 0); !refused(err) {
			return err == nil
		}
	}
	return unix.Kill(pid, unix.SIGKILL) == nil
}

// EndMarked kills every process that matches, other than this one, and what they
// start meanwhile. It returns how many there were. match is given a mark, and a
// function that returns the process's session id, 0 if there is none.
//
// It looks at every process of the machine or container, a microsecond each.
func EndMarked(match func(mark uint64, session func() int) bool) (n int) {
	killed := map[int]bool{os.Getpid(): true}
	for {
		before := len(killed)
		for _, pid := range viewProc().pids() {
			session := func() int {
				id, _ := unix.Getsid(pid)
				return id
			}
			is := func(m uint64) bool { return match(m, session) }
			if !killed[pid] && is(MarkOf(pid)) && KillMarked(pid, is) {
				killed[pid] = true
			}
		}
		// What was born during the look was born before its parent was killed:
		// a process with SIGKILL pending cannot fork. One more look finds it.
		if len(killed) == before {
			return len(killed) - 1
		}
	}
}

// Session is the session id of this process.
func Session() int {
	id, _ := unix.Getsid(0)
	return id
}
