package machine

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// MemoryGroup is a control group for the memory of the processes in it and of those
// that they start: version 2, or the memory controller of version 1. One goroutine
// uses it at a time.
//
// Source: the kernel's documents admin-guide/cgroup-v2 and cgroup-v1/memory.
type MemoryGroup struct {
	dir     string
	version int
	limit   int64
}

// NewMemoryGroup makes a group in the directory of another one, which this process
// may write to. In version 2 groups with processes of their own have none in them
// whose memory is bounded: those of the directory move to a group "main" in it, and
// the controller is enabled. Cost: some 100 µs.
func NewMemoryGroup(in, name string) (*MemoryGroup, error) {
	g := &MemoryGroup{dir: filepath.Join(in, name), version: 1}
	if _, err := os.Stat(filepath.Join(in, "cgroup.controllers")); err == nil {
		g.version = 2
		if err := enable(in, "memory"); err != nil {
			return nil, err
		}
	} else if _, err := os.Stat(filepath.Join(in, "memory.limit_in_bytes")); err != nil {
		return nil, fmt.Errorf("%s is not a control group with the memory controller", in)
	}
	if err := os.Mkdir(g.dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("make a control group: %w", err)
	}
	if g.version == 2 {
		// The children that a task has started end with its worker.
		_ = write(g.dir, "memory.oom.group", "1")
	}
	return g, nil
}

// enable enables a controller for the groups in dir.
func enable(dir, controller string) error {
	on := func() bool {
		b, _ := os.ReadFile(filepath.Join(dir, "cgroup.subtree_control"))
		for _, name := range bytes.Fields(b) {
			if string(name) == controller {
				return true
			}
		}
		return false
	}
	if on() {
		return nil
	}
	err := write(dir, "cgroup.subtree_control", "+"+controller)
	if errors.Is(err, unix.EBUSY) {
		if err = empty(dir); err == nil {
			err = write(dir, "cgroup.subtree_control", "+"+controller)
		}
	}
	if err != nil {
		return fmt.Errorf("enable the %s controller in %s: %w", controller, dir, err)
	}
	return nil
}

// empty moves the processes of a group to one in it.
func empty(dir string) error {
	inner := filepath.Join(dir, "main")
	if err := os.Mkdir(inner, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	for range 100 { // they may start others meanwhile
		pids := processes(dir)
		if len(pids) == 0 {
			return nil
		}
		for _, pid := range pids {
			if err := write(inner, "cgroup.procs", strconv.Itoa(pid)); err != nil && !errors.Is(err, unix.ESRCH) {
				return err
			}
		}
	}
	return nil
}

// processes are those of a group, without those in groups in it.
func processes(dir string) (pids []int) {
	b, _ := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	for _, f := range bytes.Fields(b) {
		if pid, err := strconv.Atoi(string(f)); err == nil && pid > 0 {
			pids = append(pids, pid)
		}
	}
	return pids
}

func write(dir, file, text string) error {
	return os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644)
}

// Add moves a process into the group. What memory it has remains where it was.
func (g *MemoryGroup) Add(pid int) error {
	if err := write(g.dir, "cgroup.procs", strconv.Itoa(pid)); err != nil {
		return fmt.Errorf("move a process into a control group: %w", err)
	}
	return nil
}

// Limit bounds the memory of the group, in bytes; 0 is no bound. Who exceeds it is
// killed by the kernel. It is an error to bound it below what it has, in version 1
// only.
func (g *MemoryGroup) Limit(bytes int64) error {
	if bytes == g.limit {
		return nil
	}
	var err error
	if g.version == 2 {
		text, swap := "max", "max"
		if bytes > 0 {
			text, swap = strconv.FormatInt(bytes, 10), "0"
		}
		_ = write(g.dir, "memory.swap.max", swap) // it is not there without swap
		err = write(g.dir, "memory.max", text)
	} else {
		text := strconv.FormatInt(max(bytes, 0), 10)
		if bytes <= 0 {
			text = "-1"
		}
		// That of memory and swap together is never to be below: whichever of the
		// two is refused now is right after the other.
		const memory, both = "memory.limit_in_bytes", "memory.memsw.limit_in_bytes"
		_ = write(g.dir, both, text)
		if err = write(g.dir, memory, text); err == nil {
			_ = write(g.dir, both, text)
		}
	}
	if err != nil {
		return fmt.Errorf("bound the memory of a control group: %w", err)
	}
	g.limit = bytes
	return nil
}

// Kills is how many processes of the group the kernel has killed for want of memory.
func (g *MemoryGroup) Kills() int64 {
	file := "memory.events"
	if g.version == 1 {
		file = "memory.oom_control"
	}
	return groups{read: os.ReadFile}.counter(g.dir, file, "oom_kill")
}

// Peak is the most memory that the group has had, 0 if the kernel does not say.
func (g *MemoryGroup) Peak() int64 {
	file := "memory.peak" // since Linux 5.19
	if g.version == 1 {
		file = "memory.max_usage_in_bytes"
	}
	if n := (groups{read: os.ReadFile}).numbers(g.dir, file); len(n) == 1 {
		return n[0]
	}
	return 0
}

// Remove kills the processes that are left in the group, and takes it away as soon
// as they are gone. It waits for that for a second at most.
func (g *MemoryGroup) Remove() error {
	var err error
	for range 1000 {
		if err = os.Remove(g.dir); err == nil || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		for _, pid := range processes(g.dir) {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
		time.Sleep(time.Millisecond)
	}
	return fmt.Errorf("remove a control group: %w", err)
}

// SweepMemoryGroups takes away what processes that are gone have left in a directory:
// groups without processes whose names are the prefix, the number of who has made
// them, and "-" and anything.
func SweepMemoryGroups(in, prefix string) {
	list, _ := os.ReadDir(in)
	for _, e := range list {
		rest, ok := strings.CutPrefix(e.Name(), prefix)
		number, _, more := strings.Cut(rest, "-")
		pid, err := strconv.Atoi(number)
		if ok && more && err == nil && pid > 0 && errors.Is(unix.Kill(pid, 0), unix.ESRCH) {
			_ = os.Remove(filepath.Join(in, e.Name()))
		}
	}
}
