package budget

import (
	"bufio"
	"bytes"
	"math"
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// machine is how much memory this process can use, as far as is known.
func machine() int64 {
	n := int64(math.MaxInt64)
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) == nil {
		n = int64(min(uint64(info.Totalram)*uint64(info.Unit), math.MaxInt64))
	}
	for _, resource := range []int{unix.RLIMIT_AS, unix.RLIMIT_DATA} {
		var r unix.Rlimit
		if unix.Getrlimit(resource, &r) == nil && r.Cur < math.MaxInt64 {
			n = min(n, int64(r.Cur))
		}
	}
	groups, _ := os.ReadFile("/proc/self/cgroup")
	mounts, _ := os.ReadFile("/proc/self/mountinfo")
	return min(n, groupLimit(groups, mounts, os.ReadFile))
}

// groupLimit is the least limit of the control groups that a process is in, of
// both versions, with those around them. groups is its /proc/self/cgroup, mounts
// its /proc/self/mountinfo.
func groupLimit(groups, mounts []byte, read func(string) ([]byte, error)) int64 {
	least := int64(math.MaxInt64)
	for _, m := range groupMounts(mounts) {
		in, ok := groupIn(groups, m.version)
		if !ok {
			continue
		}
		rest, ok := strings.CutPrefix(in, strings.TrimSuffix(m.root, "/"))
		if !ok { // seen from within another namespace: what is mounted is all there is
			rest = ""
		}
		for dir := path.Join("/", rest); ; dir = path.Dir(dir) {
			for _, file := range m.files() {
				if b, err := read(path.Join(m.at, dir, file)); err == nil {
					if n, err := strconv.ParseInt(string(bytes.TrimSpace(b)), 10, 64); err == nil && n > 0 {
						least = min(least, n)
					}
				}
			}
			if dir == "/" {
				break
			}
		}
	}
	return least
}

// groupMount is where control groups for memory are mounted.
type groupMount struct {
	version  int
	root, at string // which group is seen there
}

func (m groupMount) files() []string {
	if m.version == 1 {
		return []string{"memory.limit_in_bytes"}
	}
	return []string{"memory.max", "memory.high"}
}

func groupMounts(mounts []byte) (all []groupMount) {
	for line := range lines(mounts) {
		before, after, ok := strings.Cut(line, " - ")
		f, kind := strings.Fields(before), strings.Fields(after)
		if !ok || len(f) < 5 || len(kind) < 3 {
			continue
		}
		switch {
		case kind[0] == "cgroup2":
			all = append(all, groupMount{2, f[3], f[4]})
		case kind[0] == "cgroup" && strings.Contains(","+kind[2]+",", ",memory,"):
			all = append(all, groupMount{1, f[3], f[4]})
		}
	}
	return all
}

// groupIn is the path of the group that the process is in.
func groupIn(groups []byte, version int) (string, bool) {
	for line := range lines(groups) {
		var id, controllers, in string
		parts := strings.SplitN(line, ":", 3)
		if len(parts) != 3 {
			continue
		}
		id, controllers, in = parts[0], parts[1], parts[2]
		if version == 2 && id == "0" && controllers == "" ||
			version == 1 && strings.Contains(","+controllers+",", ",memory,") {
			return in, true
		}
	}
	return "", false
}

func lines(b []byte) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for s := bufio.NewScanner(bytes.NewReader(b)); s.Scan(); {
			if !yield(s.Text()) {
				return
			}
		}
	}
}
