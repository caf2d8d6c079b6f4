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
			err := unix.Setpriority(unix.PRIO_PROCESS, tid, n)
			if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) {
				return fmt.Errorf("%d for Options.Nice: %w: a value below the present one takes CAP_SYS_NICE, or room in RLIMIT_NICE (ulimit -e)", n, err)
			}
			return err
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
			err := unix.SchedSetaffinity(tid, &set)
			if errors.Is(err, unix.EINVAL) {
				return fmt.Errorf("%v for Options.Affinity: %w: this process may use none of them (see its cpuset)", cpus, err)
			}
			return err
		})
	})
}

// SetMemory limits the private memory that the process may map for writing
// (RLIMIT_DATA), in bytes. Segments shared with others do not count. A Go program
// that reaches the limit ends with "fatal error: runtime: out of memory".
// A lower limit that it has inherited (ulimit -d) stays.
// What is mapped already stays; an idle Go program has mapped some 80 MiB, most
// of it never touched, and its heap grows in steps of 64 MiB.
func (p *Process) SetMemory(bytes int64) error {
	if bytes <= 0 {
		return fmt.Errorf("spawn: a memory limit of %d bytes", bytes)
	}
	return p.alive("limit its memory", func() error {
		var limit unix.Rlimit
		if err := sys.prlimit(p.pid, unix.RLIMIT_DATA, nil, &limit); err != nil {
			return fmt.Errorf("RLIMIT_DATA, for Options.MemoryLimit: %w", err)
		}
		limit.Max = min(limit.Max, uint64(bytes)) // more than it has inherited would take a privilege
		limit.Cur = limit.Max
		if err := sys.prlimit(p.pid, unix.RLIMIT_DATA, &limit, nil); err != nil {
			return fmt.Errorf("RLIMIT_DATA to %d bytes, for Options.MemoryLimit: %w", limit.Max, err)
		}
		return nil
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
	if view.self == "" {
		return errors.New("/proc, which lists its threads, is not mounted here: mount -t proc proc /proc")
	}
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
