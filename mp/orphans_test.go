//go:build linux

package mp_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"multiproc/mp"
	"multiproc/mptest"
)

// below lists the processes that have this one as their parent, zombies too.
func below(pid int) (pids []int) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		b, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
		if len(f) > 1 && f[1] == strconv.Itoa(pid) {
			n, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			pids = append(pids, n)
		}
	}
	return pids
}

// gone reports whether nothing is left of a process, not even a zombie.
func gone(pid int) bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }

// asInit makes a program the first process of a pid namespace, which inherits
// all orphans. /proc stays that of the outer one.
func asInit(t *testing.T, cmd *exec.Cmd) {
	cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWPID
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
	}
	if err := exec.Command("unshare", "--user", "--pid", "--fork", "true").Run(); err != nil && os.Getuid() != 0 {
		t.Skipf("no pid namespace for us: %v", err)
	}
}

// lineage runs familyOf: a root, a child, a grandchild, a deaf one below that.
func lineage(t *testing.T, prepare func(*testing.T, *exec.Cmd)) (root *exec.Cmd, out *bufio.Reader, pids []int) {
	t.Helper()
	root, out = prepared(t, "family", prepare)
	for range 3 {
		if line, err := out.ReadString('\n'); err != nil || !strings.HasPrefix(line, "pid ") {
			t.Fatalf("%q, %v", line, err)
		}
	}
	for parent := root.Process.Pid; len(pids) < 3; parent = pids[len(pids)-1] {
		children := below(parent)
		if len(children) != 1 {
			t.Fatalf("process %d has the children %v, want one", parent, children)
		}
		pids = append(pids, children[0])
	}
	return root, out, pids
}

func plainly(*testing.T, *exec.Cmd) {}

// An orphan goes although it is stopped, and the root reaps it: as the first
// process of its container, too, where nobody else would.
func TestOrphansAreBuried(t *testing.T) {
	for name, prepare := range map[string]func(*testing.T, *exec.Cmd){"a process": plainly, "the first process": asInit} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root, out, pids := lineage(t, prepare)
			must(t, syscall.Kill(pids[2], syscall.SIGSTOP))
			must(t, syscall.Kill(pids[1], syscall.SIGSTOP))
			must(t, syscall.Kill(pids[0], syscall.SIGKILL))
			if line, err := out.ReadString('\n'); err != nil || !strings.HasPrefix(line, "ended: ") {
				t.Fatalf("%q, %v", line, err)
			}
			for _, pid := range pids {
				mptest.Eventually(t, func() bool { return gone(pid) }, "process %d is gone; the root has the children %v", pid, below(root.Process.Pid))
			}
			if left := below(root.Process.Pid); len(left) != 0 {
				t.Errorf("the root is left with the children %v", left)
			}
		})
	}
}

// With the root gone everybody below goes, those that are stopped as well.
func TestStoppedOrphansOfADeadRoot(t *testing.T) {
	t.Parallel()
	root, _, pids := lineage(t, plainly)
	for _, pid := range pids {
		must(t, syscall.Kill(pid, syscall.SIGSTOP))
	}
	must(t, root.Process.Kill())
	for _, pid := range pids {
		mptest.Eventually(t, func() bool { return !mptest.Alive(pid) }, "process %d ended", pid)
	}
}

// The same if they have not come as far as Init.
func TestStoppedInInitialization(t *testing.T) {
	t.Parallel()
	root, _ := program(t, "unborn")
	var child int
	mptest.Eventually(t, func() bool {
		if c := below(root.Process.Pid); len(c) == 1 {
			child = c[0]
		}
		return child != 0
	}, "there is a child")
	must(t, syscall.Kill(child, syscall.SIGSTOP))
	must(t, root.Process.Kill())
	mptest.Eventually(t, func() bool { return !mptest.Alive(child) }, "process %d ended", child)
}

// unborn is a program with a child that does not come as far as Init.
func unborn() {
	mp.Init()
	p, err := Nothing.With(mp.StartOptions{Env: append(os.Environ(), hangEnv+"=1")}).Start(context.Background(), mp.None{})
	if err == nil {
		err = p.Wait(context.Background())
	}
	fmt.Println("ended:", err)
}

// What the program has started by other means is the program's to reap.
func TestChildrenOfOthersAreNotReaped(t *testing.T) {
	get(WhoAmI.Run(t.Context(), 1))(t) // a grandchild: from here on this process inherits
	var started []*exec.Cmd
	for range 20 {
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = append(os.Environ(), programEnv+"=seven")
		must(t, cmd.Start())
		started = append(started, cmd)
	}
	for _, cmd := range started {
		mptest.Eventually(t, func() bool { return !mptest.Alive(cmd.Process.Pid) }, "process %d has ended", cmd.Process.Pid)
	}
	get(WhoAmI.Run(t.Context(), 1))(t)
	for _, cmd := range started {
		if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 7 {
			t.Errorf("wait: %v, want exit code 7", err)
		}
	}
}
