package spawn

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// childEnv makes this test binary play a child: its value is the role.
const childEnv = "SPAWN_TEST_CHILD"

var roles = map[string]func(args []string){
	"exit":     func(args []string) { n, _ := strconv.Atoi(args[0]); os.Exit(n) },
	"wait":     func([]string) { wait("ready") },
	"waitpid":  func([]string) { wait("ready ", os.Getpid()) },
	"busy":     func([]string) { busy() },
	"describe": describe,
	"cloexec":  cloexec,
	"parent":   parent,
	"orphan":   func([]string) { orphan() },
	"tracer":   tracer,
}

// A child that calls Soften has to be on the main thread.
func init() {
	if os.Getenv(childEnv) != "" {
		runtime.LockOSThread()
	}
}

func TestMain(m *testing.M) {
	if role := os.Getenv(childEnv); role != "" {
		roles[role](os.Args[1:])
		os.Exit(0)
	}
	code := m.Run()
	// Whatever child is left, running or unreaped, would be found here.
	if pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); err != unix.ECHILD {
		fmt.Printf("a child survived the tests: wait4 = %d, %v\n", pid, err)
		code = 1
	}
	os.Exit(code)
}

func say(format string, args ...any) { fmt.Printf(format+"\n", args...) }

// wait says that it runs, and does nothing until its input ends.
func wait(words ...any) {
	say("%s", fmt.Sprint(words...))
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// busy keeps several threads alive until the input ends.
func busy() {
	for range 4 {
		ready := make(chan struct{})
		go func() {
			runtime.LockOSThread()
			close(ready)
			select {}
		}()
		<-ready
	}
	wait("ready")
}

// describe says what this process was given.
func describe(args []string) {
	dir, _ := os.Getwd()
	in, _ := io.ReadAll(os.Stdin)
	say("args %s", strings.Join(args, ","))
	say("dir %s", dir)
	say("var %s", os.Getenv("SPAWN_TEST_VAR"))
	say("stdin %q", in)
	for fd := 3; ; fd++ {
		// The runtime's own descriptors are close-on-exec, ours are not.
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err != nil || flags&unix.FD_CLOEXEC != 0 {
			break
		}
		b, _ := io.ReadAll(os.NewFile(uintptr(fd), "extra"))
		say("fd%d %q", fd, b)
	}
	if len(args) > 0 {
		fmt.Fprintln(os.Stderr, "said on stderr")
	}
}

// cloexec marks what it inherited and says which descriptors a program that
// it started would still get.
func cloexec(args []string) {
	mark := MarkCloexec
	switch args[0] {
	case "listed":
		mark = markListed
	case "each":
		mark = markEach
	}
	if err := mark(4); err != nil {
		say("%v", err)
	}
	for fd := 3; fd <= 6; fd++ {
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			say("open %d", fd)
		}
	}
}

// parent starts an orphan, or another role, and waits to be killed.
func parent(args []string) {
	role := "orphan"
	if len(args) > 0 {
		role = args[0]
	}
	spec := child(role)
	spec.Stdin = os.Stdin
	p, err := Start(spec)
	if err != nil {
		say("%v", err)
		return
	}
	<-p.Done()
}

// orphan reports what its starter's death does to it. Should that be nothing,
// the end of the test ends its input, and so itself.
func orphan() {
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	if err := Soften(); err != nil {
		say("%v", err)
		return
	}
	go func() {
		wait("ready ", os.Getpid())
		os.Exit(0)
	}()
	say("%v", <-terminated)
}

// tracer holds the process with the given pid, as a debugger does, until its
// input ends.
func tracer(args []string) {
	runtime.LockOSThread() // a tracer is a thread
	pid, _ := strconv.Atoi(args[0])
	if err := unix.PtraceSeize(pid); err != nil {
		say("%v", err)
		return
	}
	wait("ready")
}

// child is the Spec of a process that plays a role. Under -race every exit
// would last a second, in which late races could be reported.
func child(role string, args ...string) Spec {
	return Spec{
		Args: append([]string{"child"}, args...),
		Env:  append(os.Environ(), childEnv+"="+role, "GORACE=atexit_sleep_ms=0"),
	}
}

// talk is a running child whose input and output the test holds.
type talk struct {
	*Process
	in  *os.File // closing it ends most roles
	out *bufio.Reader
}

// start starts a child to talk to. It is killed at the end of the test, if it
// still runs.
func start(t testing.TB, spec Spec) *talk {
	t.Helper()
	inR, inW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	outR, outW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	spec.Stdin, spec.Stdout = inR, outW
	p, err := Start(spec)
	_, _ = inR.Close(), outW.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, _ = inW.Close(), p.Kill()
		<-p.Done()
		_ = outR.Close()
	})
	return &talk{p, inW, bufio.NewReader(outR)}
}

// line returns the child's next line.
func (c *talk) line(t testing.TB) string {
	t.Helper()
	s, err := c.out.ReadString('\n')
	if err != nil {
		t.Fatalf("child said %q, then: %v", s, err)
	}
	return strings.TrimSuffix(s, "\n")
}

// exit waits for the end of the process.
func exit(p *Process) State {
	<-p.Done()
	return p.Exit()
}

// noLeak fails the test if it leaves descriptors behind. The poller's own
// appear with its first use, hence the pipe; those of a process that an earlier
// test started may go at any time.
func noLeak(t testing.TB) {
	t.Helper()
	count := func() int {
		list, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	_, _ = r.Close(), w.Close()
	before := count()
	t.Cleanup(func() {
		if after := count(); after > before {
			t.Errorf("%d descriptors are open, %d were at the start", after, before)
		}
	})
}

// procStatus returns a line of /proc/<pid>/status.
func procStatus(t testing.TB, pid int, key string) string {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if value, ok := strings.CutPrefix(line, key+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	t.Fatalf("no %s in the status of process %d", key, pid)
	return ""
}
