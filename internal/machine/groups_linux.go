package machine

import (
	"bufio"
	"bytes"
	"math"
	"os"
	"path"
	"strconv"
	"strings"
)

// groups are the control groups that a process is in.
type groups struct {
	in     []byte // its /proc/self/cgroup
	mounts []byte // its /proc/self/mountinfo
	read   func(string) ([]byte, error)
}

func ownGroups() groups {
	g := groups{read: os.ReadFile}
	g.in, _ = os.ReadFile("/proc/self/cgroup")
	g.mounts, _ = os.ReadFile("/proc/self/mountinfo")
	return g
}

// memory is the least limit of the groups, of both versions, with those around
// them.
func (g groups) memory() int64 {
	least := int64(math.MaxInt64)
	g.each("memory", func(version int, dir string) {
		files := []string{"memory.max", "memory.high"}
		if version == 1 {
			files = []string{"memory.limit_in_bytes"}
		}
		for _, file := range files {
			if n := g.numbers(dir, file); len(n) == 1 && n[0] > 0 {
				least = min(least, n[0])
			}
		}
	})
	return least
}

// processors is the least share of processor time that the groups allow, in
// whole processors; without a limit it is infinite.
func (g groups) processors() float64 {
	least := math.Inf(1)
	g.each("cpu", func(version int, dir string) {
		n := g.numbers(dir, "cpu.max")
		if version == 1 {
			n = append(g.numbers(dir, "cpu.cfs_quota_us"), g.numbers(dir, "cpu.cfs_period_us")...)
		}
		if len(n) == 2 && n[0] > 0 && n[1] > 0 {
			least = min(least, float64(n[0])/float64(n[1]))
		}
	})
	return least
}

// numbers reads a file of numbers; none if any word of it is not one.
func (g groups) numbers(dir, file string) (list []int64) {
	b, err := g.read(path.Join(dir, file))
	if err != nil {
		return nil
	}
	for _, field := range bytes.Fields(b) {
		n, err := strconv.ParseInt(string(field), 10, 64)
		if err != nil {
			return nil
		}
		list = append(list, n)
	}
	return list
}

// each calls f with the directory of each group that has the controller, up to
// the outermost that is seen.
func (g groups) each(controller string, f func(version int, dir string)) {
	for _, m := range groupMounts(g.mounts, controller) {
		in, ok := groupIn(g.in, m.version, controller)
		if !ok {
			continue
		}
		rest, ok := strings.CutPrefix(in, strings.TrimSuffix(m.root, "/"))
		if !ok { // seen from within another namespace: what is mounted is all there is
			rest = ""
		}
		for dir := path.Join("/", rest); ; dir = path.Dir(dir) {
			f(m.version, path.Join(m.at, dir))
			if dir == "/" {
				break
			}
		}
	}
}

// groupMount is where control groups are mounted.
type groupMount struct {
	version  int
	root, at string // which group is seen there
}

func groupMounts(mounts []byte, controller string) (all []groupMount) {
	for line := range lines(mounts) {
		before, after, ok := strings.Cut(line, " - ")
		f, kind := strings.Fields(before), strings.Fields(after)
		if !ok || len(f) < 5 || len(kind) < 3 {
			continue
		}
		switch {
		case kind[0] == "cgroup2":
			all = append(all, groupMount{2, f[3], f[4]})
		case kind[0] == "cgroup" && strings.Contains(","+kind[2]+",", ","+controller+","):
			all = append(all, groupMount{1, f[3], f[4]})
		}
	}
	return all
}

// groupIn is the path of the group that the process is in.
func groupIn(groups []byte, version int, controller string) (string, bool) {
	for line := range lines(groups) {
		var id, controllers, in string
		parts := strings.SplitN(line, ":", 3)
		if len(parts) != 3 {
			continue
		}
		id, controllers, in = parts[0], parts[1], parts[2]
		if version == 2 && id == "0" && controllers == "" ||
			version == 1 && strings.Contains(","+controllers+",", ","+controller+",") {
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
