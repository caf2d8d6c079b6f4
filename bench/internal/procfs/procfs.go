// Package procfs reads from /proc what other processes cost and what this one occupies.
package procfs

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of utime and stime; USER_HZ is 100 on every Linux that Go runs on.
const tick = time.Second / 100

// CPUTime returns the processor time that a process has used: utime and stime of /proc/PID/stat, or the sum of its
// threads' run times from schedstat where that says more. The first counts in ticks of 10 ms, which a hundred idle
// processes can hide a second in; the second in nanoseconds, but it forgets threads that have ended.
func CPUTime(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	coarse, err := statTime(stat)
	if err != nil {
		return 0, fmt.Errorf("/proc/%d/stat: %w", pid, err)
	}
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil {
		return 0, err
	}
	var fine time.Duration
	for _, name := range threads {
		// A thread that ended since the listing, and a kernel without schedstat, count as nothing.
		if b, err := os.ReadFile(name); err == nil {
			fine += schedTime(b)
		}
	}
	return max(coarse, fine), nil
}

// statTime adds fields 14 and 15 of a stat line; the name in field 2 may hold spaces and brackets.
func statTime(stat []byte) (time.Duration, error) {
	end := bytes.LastIndexByte(stat, ')')
	if end < 0 {
		return 0, errors.New("no name in brackets")
	}
	fields := strings.Fields(string(stat[end+1:]))
	if len(fields) < 13 {
		return 0, errors.New("too few fields")
	}
	user, err := strconv.ParseInt(fields[11], 10, 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseInt(fields[12], 10, 64)
	if err != nil {
		return 0, err
	}
	return time.Duration(user+system) * tick, nil
}

// schedTime is the first field of a schedstat line: nanoseconds on a processor.
func schedTime(line []byte) time.Duration {
	first, _, _ := strings.Cut(string(line), " ")
	ns, err := strconv.ParseInt(first, 10, 64)
	if err != nil {
		return 0
	}
	return time.Duration(ns)
}

// Children returns the processes whose parent is this one, zombies included.
func Children() ([]int, error) {
	all, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	var children []int
	for _, name := range all {
		stat, err := os.ReadFile(name)
		if err != nil {
			continue // it ended since the listing
		}
		pid, parent, err := statParent(stat)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if parent == os.Getpid() {
			children = append(children, pid)
		}
	}
	return children, nil
}

// statParent is fields 1 and 4 of a stat line.
func statParent(stat []byte) (pid, parent int, err error) {
	head, _, _ := bytes.Cut(stat, []byte(" "))
	pid, err = strconv.Atoi(string(head))
	if err != nil {
		return 0, 0, err
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 2 {
		return 0, 0, errors.New("too few fields")
	}
	parent, err = strconv.Atoi(fields[1])
	return pid, parent, err
}

// Resident returns the bytes of anonymous and shared memory that this process occupies. It reads proportional sizes: a
// page that a ring maps twice in a row is one page.
func Resident() (int64, error) { return ResidentOf(os.Getpid()) }

// ResidentOf is Resident of another process of this user.
func ResidentOf(pid int) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0, err
	}
	return resident(b)
}

func resident(rollup []byte) (int64, error) {
	var total int64
	found := 0
	for line := range strings.Lines(string(rollup)) {
		name, value, _ := strings.Cut(line, ":")
		if name != "Pss_Anon" && name != "Pss_Shmem" {
			continue
		}
		kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("smaps_rollup: %s: %w", name, err)
		}
		total += kib << 10
		found++
	}
	if found != 2 {
		return 0, errors.New("smaps_rollup has no Pss_Anon and Pss_Shmem (they came with Linux 5.4)")
	}
	return total, nil
}
