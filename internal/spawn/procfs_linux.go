package spawn

import (
	"bytes"
	"os"
	"strconv"
	"strings"
)

// procfs is what /proc is to this process. It may have been mounted in an
// outer pid namespace ("unshare --pid --fork" without a mount): then its
// numbers are not those that this process's system calls understand.
type procfs struct {
	self  string // this process's own number in it, "" without /proc
	depth int    // 0 if the numbers are ours; else how many a line NSpid has up to ours
}

func viewProc() procfs {
	self, err := os.Readlink("/proc/self")
	if err != nil {
		return procfs{}
	}
	v := procfs{self: self}
	if self != strconv.Itoa(os.Getpid()) {
		v.depth = len(nsPIDs("/proc/self"))
	}
	return v
}

// number is the process or thread id, in this process's namespace, of what has
// this directory in /proc.
func (v procfs) number(dir string) (int, bool) {
	if v.depth == 0 {
		n, err := strconv.Atoi(dir[strings.LastIndexByte(dir, '/')+1:])
		return n, err == nil
	}
	ids := nsPIDs(dir)
	if len(ids) < v.depth {
		return 0, false // it is in an outer namespace
	}
	n, err := strconv.Atoi(ids[v.depth-1])
	return n, err == nil
}

// nsPIDs are the ids that a process has in the namespaces from that of /proc
// inwards.
func nsPIDs(dir string) []string {
	b, _ := os.ReadFile(dir + "/status")
	for line := range bytes.Lines(b) {
		if rest, ok := bytes.CutPrefix(line, []byte("NSpid:")); ok {
			return strings.Fields(string(rest))
		}
	}
	return nil
}

// list lists what has a number as its name in a directory of /proc: the
// processes, or the threads of one.
func (v procfs) list(dir string) (dirs []string, err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	names, err := f.Readdirnames(-1)
	for _, name := range names {
		if name[0] >= '0' && name[0] <= '9' {
			dirs = append(dirs, dir+"/"+name)
		}
	}
	return dirs, err
}

// dir is the directory of a process, by its number in this namespace.
func (v procfs) dir(pid int) string {
	if v.depth > 0 {
		all, _ := v.list("/proc")
		for _, dir := range all {
			if n, ok := v.number(dir); ok && n == pid {
				return dir
			}
		}
	}
	return "/proc/" + strconv.Itoa(pid)
}

// pids lists all processes, or none without /proc.
func (v procfs) pids() (pids []int) {
	all, _ := v.list("/proc")
	for _, dir := range all {
		if pid, ok := v.number(dir); ok {
			pids = append(pids, pid)
		}
	}
	return pids
}

// inherited lists the children that this process may have inherited: those of
// its main thread, to which the kernel gives them. Others may be among them.
func (v procfs) inherited() (pids []int) {
	b, err := os.ReadFile("/proc/self/task/" + v.self + "/children")
	if err == nil {
		for word := range strings.FieldsSeq(string(b)) {
			if pid, ok := v.number("/proc/" + word); ok {
				pids = append(pids, pid)
			}
		}
		return pids
	}
	// A kernel without CONFIG_PROC_CHILDREN.
	all, _ := v.list("/proc")
	for _, dir := range all {
		b, err := os.ReadFile(dir + "/stat")
		if err != nil {
			continue
		}
		// "pid (name) state parent …"; the name may contain anything.
		if f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:])); len(f) < 2 || f[1] != v.self {
			continue
		}
		if pid, ok := v.number(dir); ok {
			pids = append(pids, pid)
		}
	}
	return pids
}
