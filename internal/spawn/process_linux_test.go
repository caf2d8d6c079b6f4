package spawn

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestExitCode(t *testing.T) {
	noLeak(t)
	for _, code := range []int{0, 1, 255} {
		p, err := Start(child("exit", strconv.Itoa(code)))
		if err != nil {
			t.Fatal(err)
		}
		s := exit(p)
		if s.Running || s.ExitCode != code || s.Signal != 0 {
			t.Errorf("Exit = %+v, want code %d", s, code)
		}
		if s.User+s.System <= 0 || s.MaxRSS < 1<<20 {
			t.Errorf("no usage was counted: %+v", s)
		}
	}
}

func TestSignals(t *testing.T) {
	noLeak(t)
	for _, sig := range []syscall.Signal{unix.SIGKILL, unix.SIGTERM, unix.SIGHUP} {
		if signal.Ignored(sig) {
			continue // under nohup, and in our children as well
		}
		c := start(t, child("wait"))
		c.line(t)
		if s := c.Exit(); s != running {
			t.Errorf("Exit of a running process = %+v", s)
		}
		send := func() error { return c.Signal(sig) }
		if sig == unix.SIGKILL {
			send = c.Kill
		}
		if err := send(); err != nil {
			t.Error(err)
		}
		if s := exit(c.Process); s.Running || s.ExitCode != -1 || s.Signal != sig {
			t.Errorf("Exit = %+v, want signal %v", s, sig)
		}
		if err := c.Signal(sig); !errors.Is(err, os.ErrProcessDone) {
			t.Errorf("Signal after the end: %v", err)
		}
		if err := c.SetNice(1); !errors.Is(err, os.ErrProcessDone) {
			t.Errorf("SetNice after the end: %v", err)
		}
	}
}

// One hundred waiting children cost no threads.
func TestThreads(t *testing.T) {
	noLeak(t)
	threads := func() int {
		n, err := strconv.Atoi(procStatus(t, os.Getpid(), "Threads"))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	exit(start(t, child("exit", "0")).Process) // the spawner's thread is there now
	before := threads()
	const n = 100
	var children [n]*talk
	for i := range children {
		children[i] = start(t, child("wait"))
	}
	for _, c := range children {
		c.line(t)
	}
	if after := threads(); after > before+n/10 {
		t.Errorf("%d threads with %d children, %d without", after, n, before)
	}
	for _, c := range children {
		_ = c.in.Close()
		if s := exit(c.Process); s.ExitCode != 0 {
			t.Errorf("Exit = %+v", s)
		}
	}
}

// watched is a process that the test has forked itself.
func watched(pid, pidFD int) *Process {
	p := newProcess(pid, pidFD)
	go p.watch()
	return p
}

// The way without a pidfd: an old kernel, or a sandbox.
func TestWithoutPidFD(t *testing.T) {
	file, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	null := file.Fd()
	for _, sig := range []syscall.Signal{0, unix.SIGKILL} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		spec := child("wait")
		pid, err := syscall.ForkExec(selfExe, spec.Args, &syscall.ProcAttr{Env: spec.Env, Files: []uintptr{r.Fd(), null, 2}})
		if err != nil {
			t.Fatal(err)
		}
		_ = r.Close()
		p := watched(pid, -1)
		if err := p.Signal(sig); err != nil {
			t.Error(err)
		}
		_ = w.Close()
		if s := exit(p); s.Signal != sig || s.Running {
			t.Errorf("Exit = %+v, want signal %v", s, sig)
		}
		if err := p.Kill(); !errors.Is(err, os.ErrProcessDone) {
			t.Errorf("Kill after the end: %v", err)
		}
	}
}

// A descriptor that epoll refuses, as if it refused pidfds.
func TestUnpollable(t *testing.T) {
	noLeak(t)
	fd, err := unix.Open(t.TempDir(), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	spec := child("exit", "7")
	pid, err := syscall.ForkExec(selfExe, spec.Args, &syscall.ProcAttr{Env: spec.Env, Files: []uintptr{0, 1, 2}})
	if err != nil {
		t.Fatal(err)
	}
	if s := exit(watched(pid, fd)); s.ExitCode != 7 {
		t.Errorf("Exit = %+v, want code 7", s)
	}
}

// Somebody else has waited for the child.
func TestStolenStatus(t *testing.T) {
	spec := child("exit", "0")
	pid, err := syscall.ForkExec(selfExe, spec.Args, &syscall.ProcAttr{Env: spec.Env, Files: []uintptr{0, 1, 2}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := unix.Wait4(pid, nil, 0, nil); err != nil {
		t.Fatal(err)
	}
	if s := exit(watched(pid, -1)); s != (State{ExitCode: -1, Unknown: true}) {
		t.Errorf("Exit = %+v", s)
	}
}

// A tracer takes the death of its tracee first. The parent, woken too early,
// must not fall asleep for good.
func TestTraced(t *testing.T) {
	noLeak(t)
	c := start(t, child("wait"))
	c.line(t)
	tracer := start(t, child("tracer", strconv.Itoa(c.PID())))
	if s := tracer.line(t); s != "ready" {
		t.Skipf("tracing is not allowed here: %s", s)
	}
	if err := c.Kill(); err != nil {
		t.Error(err)
	}
	_ = tracer.in.Close()
	if s := exit(c.Process); s.Signal != unix.SIGKILL {
		t.Errorf("Exit = %+v", s)
	}
}

// refusedHere reports whether the kernel, or a sandbox, refuses a thread to set
// even its own processors, as it says in err.
func refusedHere(err error) bool {
	var set unix.CPUSet
	own := unix.SchedGetaffinity(0, &set)
	if own == nil {
		own = unix.SchedSetaffinity(0, &set)
	}
	return own != nil && errors.Is(err, own)
}

func TestLimits(t *testing.T) {
	noLeak(t)
	c := start(t, child("busy"))
	c.line(t)
	const gig = 1 << 30
	affinity := c.SetAffinity([]int{0})
	if affinity != nil && !refusedHere(affinity) {
		t.Fatal(affinity)
	}
	if err := errors.Join(c.SetNice(5), c.SetMemory(gig)); err != nil {
		t.Fatal(err)
	}
	tasks := fmt.Sprintf("/proc/%d/task/", c.PID())
	list, err := os.ReadDir(tasks)
	if err != nil || len(list) < 5 {
		t.Fatalf("%d threads, %v", len(list), err)
	}
	for _, entry := range list {
		stat, err := os.ReadFile(tasks + entry.Name() + "/stat")
		if err != nil {
			t.Fatal(err)
		}
		// The fields behind the name in parentheses; nice is number 19 of proc(5).
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		if fields[19-3] != "5" {
			t.Errorf("thread %s has nice %s", entry.Name(), fields[19-3])
		}
		status, err := os.ReadFile(tasks + entry.Name() + "/status")
		if err != nil || affinity == nil && !strings.Contains(string(status), "Cpus_allowed_list:\t0\n") {
			t.Errorf("thread %s may use other processors (%v)", entry.Name(), err)
		}
	}
	var limit unix.Rlimit
	if err := unix.Prlimit(c.PID(), unix.RLIMIT_DATA, nil, &limit); err != nil || limit.Cur != gig || limit.Max != gig {
		t.Errorf("RLIMIT_DATA = %+v, %v", limit, err)
	}
	for _, err := range []error{c.SetAffinity(nil), c.SetAffinity([]int{-1}), c.SetAffinity([]int{1 << 20}), c.SetMemory(0)} {
		if err == nil {
			t.Error("a limit without sense was set")
		}
	}
}

func TestDying(t *testing.T) {
	c := exec.Command("/proc/self/exe", "-test.run", "^$")
	if Dying(os.Getpid()) {
		t.Error("this process is dying")
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if !Dying(c.Process.Pid) { // the signal is pending, or taken
		t.Error("a process that was killed is not dying")
	}
	if err := unix.Waitid(unix.P_PID, c.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
	if !Dying(c.Process.Pid) {
		t.Error("a zombie is not dying")
	}
	_ = c.Wait()
	if Dying(c.Process.Pid) {
		t.Error("a process that was reaped is dying")
	}
}
