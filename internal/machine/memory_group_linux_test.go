package machine

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// What is written to a group of version 2, in a directory that only looks like one.
func TestMemoryGroupOfVersion2(t *testing.T) {
	in := t.TempDir()
	put := func(file, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(in, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	says := func(file, want string) {
		t.Helper()
		if b, err := os.ReadFile(filepath.Join(in, file)); err != nil || string(b) != want {
			t.Errorf("%s: %q, %v, want %q", file, b, err, want)
		}
	}
	if _, err := NewMemoryGroup(in, "g"); err == nil {
		t.Error("a group in a directory that is none")
	}
	put("cgroup.controllers", "cpu memory\n")
	put("cgroup.subtree_control", "cpu\n")
	g, err := NewMemoryGroup(in, "g")
	if err != nil {
		t.Fatal(err)
	}
	says("cgroup.subtree_control", "+memory")
	says("g/memory.oom.group", "1")
	if err := errors.Join(g.Add(17), g.Limit(4096)); err != nil {
		t.Fatal(err)
	}
	says("g/cgroup.procs", "17")
	says("g/memory.max", "4096")
	says("g/memory.swap.max", "0")
	if err := g.Limit(0); err != nil {
		t.Fatal(err)
	}
	says("g/memory.max", "max")
	says("g/memory.swap.max", "max")
	if g.Kills() != 0 || g.Peak() != 0 {
		t.Errorf("%d kills, at most %d bytes", g.Kills(), g.Peak())
	}
	put("g/memory.events", "low 0\noom 3\noom_kill 2\noom_group_kill 1\n")
	put("g/memory.peak", "8192\n")
	if g.Kills() != 2 || g.Peak() != 8192 {
		t.Errorf("%d kills, at most %d bytes", g.Kills(), g.Peak())
	}
}

// The kernel's own: a group in the one that this process is in.
func TestMemoryGroupOfTheKernel(t *testing.T) {
	g, err := NewMemoryGroup(ownMemoryGroup(t), "multiproc-test")
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.EROFS) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command("sleep", "60")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(g.Add(c.Process.Pid), g.Limit(64<<20), g.Limit(0), g.Limit(32<<20), g.Limit(128<<20)); err != nil {
		t.Error(err)
	}
	if n := g.Kills(); n != 0 {
		t.Errorf("%d kills", n)
	}
	done := make(chan error)
	go func() { done <- c.Wait() }()
	if err := g.Remove(); err != nil {
		t.Error(err)
	}
	if err := <-done; err == nil {
		t.Error("it was not killed")
	}
	if err := g.Remove(); err != nil {
		t.Errorf("a group that is gone: %v", err)
	}
}

func TestSweepMemoryGroups(t *testing.T) {
	in := t.TempDir()
	c := exec.Command("true")
	if err := c.Run(); err != nil {
		t.Fatal(err)
	}
	gone, own := strconv.Itoa(c.Process.Pid), strconv.Itoa(os.Getpid())
	stays := []string{"mp-" + own + "-1", "mp-x-1", "mp-" + gone, "other-" + gone + "-1", "mp-" + gone + "-2"}
	for _, name := range append(stays, "mp-"+gone+"-1", "mp-"+gone+"-2/inner") {
		if err := os.MkdirAll(filepath.Join(in, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	SweepMemoryGroups(in, "mp-")
	for _, name := range stays {
		if _, err := os.Stat(filepath.Join(in, name)); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(filepath.Join(in, "mp-"+gone+"-1")); err == nil {
		t.Error("what a process left that is gone stays")
	}
}

// ownMemoryGroup is the directory of the innermost group of version 1, or of version
// 2 if it bounds memory.
func ownMemoryGroup(t *testing.T) (dir string) {
	ownGroups().each("memory", func(version int, d string) {
		b, _ := os.ReadFile(filepath.Join(d, "cgroup.subtree_control"))
		if dir == "" && (version == 1 || strings.Contains(string(b), "memory")) {
			dir = d
		}
	})
	if dir == "" {
		t.Skip("no control group that bounds memory")
	}
	return dir
}

// A group whose processes are in the way: they move to one in it. hugetlb stands for
// memory, which may belong to version 1.
func TestEnable(t *testing.T) {
	dir := ""
	ownGroups().each("hugetlb", func(version int, d string) {
		b, _ := os.ReadFile(filepath.Join(d, "cgroup.subtree_control"))
		if version == 2 && strings.Contains(string(b), "hugetlb") {
			dir = d
		}
	})
	for _, m := range groupMounts(ownGroups().mounts, "") {
		if b, _ := os.ReadFile(filepath.Join(m.at, "cgroup.controllers")); dir == "" && m.version == 2 && strings.Contains(string(b), "hugetlb") {
			if write(m.at, "cgroup.subtree_control", "+hugetlb") == nil {
				t.Cleanup(func() { _ = write(m.at, "cgroup.subtree_control", "-hugetlb") })
				dir = m.at
			}
		}
	}
	in := filepath.Join(dir, "multiproc-enable")
	if dir == "" || os.Mkdir(in, 0o755) != nil {
		t.Skip("no control groups of version 2 that this process may change")
	}
	c := exec.Command("sleep", "60")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
		for _, d := range []string{filepath.Join(in, "main"), in} {
			if err := (&MemoryGroup{dir: d}).Remove(); err != nil {
				t.Error(err)
			}
		}
	})
	if err := (&MemoryGroup{dir: in}).Add(c.Process.Pid); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := enable(in, "hugetlb"); err != nil {
			t.Fatal(err)
		}
	}
	if pids := processes(filepath.Join(in, "main")); len(pids) != 1 || pids[0] != c.Process.Pid {
		t.Errorf("%v in the inner group, want %d", pids, c.Process.Pid)
	}
	if err := enable(in, "nothing"); err == nil {
		t.Error("enabled a controller that is none")
	}
}
