package spawn

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// SetNice gives the process a priority from -20, the highest, to 19. Below
// the present one it needs a privilege, and the error is EPERM.
func (p *Process) SetNice(n int) error {
	return p.alive("set its nice value", func() error {
		return p.eachThread(func(tid int) error {
			return unix.Setpriority(unix.PRIO_PROCESS, tid, n)
		})
	})
}

// SetAffinity confines the process to some processors, counted from 0. A Go
// program asks once, when it starts, how many it may use: what comes later
// does not change its GOMAXPROCS.
func (p *Process) SetAffinity(cpus []int) error {
	var set unix.CPUSet
	for _, cpu := range cpus {
		if cpu < 0 {
			return fmt.Errorf("spawn: there is no processor %d", cpu)
		}
		if set.Set(cpu); !set.IsSet(cpu) {
			return fmt.Errorf("spawn: processor %d is beyond those that can be named", cpu)
		}
	}
	return p.alive("set its processors", func() error {
		return p.eachThread(func(tid int) error {
			return unix.SchedSetaffinity(tid, &set)
		})
	})
}

// SetMemory limits the private memory that the process may map for writing
// (RLIMIT_DATA), in bytes. Segments shared with others do not count. A Go program
// that reaches the limit ends with "fatal error: runtime: out of memory".
// What is mapped already stays; an idle Go program has mapped some 80 MiB, most
// of it never touched, and its heap grows in steps of 64 MiB.
func (p *Process) SetMemory(bytes int64) error {
	if bytes <= 0 {
		return fmt.Errorf("spawn: a memory limit of %d bytes", bytes)
	}
	return p.alive("limit its memory", func() error {
		limit := unix.Rlimit{Cur: uint64(bytes), Max: uint64(bytes)}
		return unix.Prlimit(p.pid, unix.RLIMIT_DATA, &limit, nil)
	})
}

// eachThread calls f with every thread of the process. Linux keeps priority
// and processors by thread, whatever POSIX says: given a pid, it changes the
// first thread only. A new thread takes them from the one that makes it.
// So one goes through the list until it holds no thread that is not done.
//
// alive's lock is held.
func (p *Process) eachThread(f func(tid int) error) error {
	done := map[int]bool{}
	view := viewProc()
	tasks := view.dir(p.pid) + "/task"
	for more := true; more; {
		more = false
		list, err := view.list(tasks)
		if err != nil {
			return err
		}
		for _, dir := range list {
			tid, ok := view.number(dir)
			if !ok || done[tid] {
				continue
			}
			if err := f(tid); err != nil && !errors.Is(err, unix.ESRCH) {
				return err // ESRCH: this thread has ended meanwhile
			}
			done[tid], more = true, true
		}
	}
	return nil
}
