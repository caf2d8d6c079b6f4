package machine

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// CPUTime is the processor time that a process has used, all its threads together.
// Cost: a system call, some 2 µs.
func CPUTime(pid int) (time.Duration, error) {
	// The clock of another process, as clock_getcpuclockid(3) makes it of its pid.
	const cpuClockOfProcess = 2
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid)<<3|cpuClockOfProcess, &t); err != nil {
		return 0, fmt.Errorf("processor time of process %d: %w", pid, err)
	}
	return time.Duration(t.Nano()), nil
}

// Resident is the memory of a process that is in the machine's, without what it
// has mapped of files and shares with others. Cost: some 20 µs.
func Resident(pid int) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, err
	}
	f := strings.Fields(string(b))
	if len(f) < 3 {
		return 0, fmt.Errorf("/proc/%d/statm: %q", pid, b)
	}
	resident, err := strconv.ParseInt(f[1], 10, 64)
	if err != nil {
		return 0, err
	}
	shared, err := strconv.ParseInt(f[2], 10, 64)
	if err != nil {
		return 0, err
	}
	return max(resident-shared, 0) * int64(os.Getpagesize()), nil
}

// Available is how much memory can be had without that something is swapped out:
// that of the machine, or what the control groups of this process leave. Cost: some
// 100 µs.
func Available() int64 {
	n := int64(math.MaxInt64)
	if b, err := os.ReadFile("/proc/meminfo"); err == nil {
		for line := range lines(b) {
			var kib int64
			if _, err := fmt.Sscanf(line, "MemAvailable: %d kB", &kib); err == nil {
				n = kib << 10
			}
		}
	}
	return min(n, ownGroups().left())
}

// left is the least that a limit of the groups leaves of its memory. What the
// group has of files counts as free.
func (g groups) left() int64 {
	least := int64(math.MaxInt64)
	g.each("memory", func(version int, dir string) {
		limit, usage := "memory.max", "memory.current"
		if version == 1 {
			limit, usage = "memory.limit_in_bytes", "memory.usage_in_bytes"
		}
		most, used := g.numbers(dir, limit), g.numbers(dir, usage)
		if len(most) == 1 && len(used) == 1 && most[0] > 0 {
			files := g.counter(dir, "memory.stat", "inactive_file") + g.counter(dir, "memory.stat", "active_file")
			least = min(least, max(most[0]-used[0]+files, 0))
		}
	})
	return least
}

// OutOfMemoryKills is how many processes the kernel has killed for want of memory,
// in the control groups of this process, or on the machine where there are none
// that say so. It only grows. Cost: some 100 µs.
func OutOfMemoryKills() int64 { return ownGroups().kills() }

func (g groups) kills() (n int64) {
	g.each("memory", func(version int, dir string) {
		file := "memory.events"
		if version == 1 {
			file = "memory.oom_control"
		}
		n = max(n, g.counter(dir, file, "oom_kill"))
	})
	if b, err := g.read("/proc/vmstat"); err == nil {
		n = max(n, counterIn(b, "oom_kill"))
	}
	return n
}

// counter is a number in a file of names and numbers, 0 if it is not there.
func (g groups) counter(dir, file, name string) int64 {
	b, err := g.read(dir + "/" + file)
	if err != nil {
		return 0
	}
	return counterIn(b, name)
}

func counterIn(b []byte, name string) int64 {
	for line := range bytes.Lines(b) {
		if f := bytes.Fields(line); len(f) == 2 && string(f[0]) == name {
			n, _ := strconv.ParseInt(string(f[1]), 10, 64)
			return n
		}
	}
	return 0
}
