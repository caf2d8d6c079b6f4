//go:build linux

package mp_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"multiproc/manager"
	"multiproc/mp"
	"multiproc/mptest"
)

// drains is a program under a supervisor: when it is told to end it finishes
// its work first, with the help of a manager and of new tasks.
func drains() {
	mp.Init()
	ctx := context.Background()
	told := make(chan os.Signal, 8)
	signal.Notify(told, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT)
	m, err := manager.Start(ctx, manager.Options{Name: "server"})
	if err == nil {
		err = mp.KeepSpares(1)
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	q, err := mp.NewQueue[string](0, mp.In(m))
	if err == nil {
		err = q.Put(ctx, "kept")
	}
	worker, err2 := Announce.Start(ctx, "worker")
	shielded, err3 := Announce.With(mp.StartOptions{Name: "shielded", IgnoreSignals: true}).Start(ctx, "shielded")
	if err := errors.Join(err, err2, err3); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("told:", <-told)
	err = worker.Wait(ctx)
	fmt.Println("worker:", errors.Is(err, mp.ErrTerminated), errors.Is(err, context.Canceled), err)
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	item, err := q.Get(ctx)
	fmt.Println("manager:", item, err)
	_, err = Nothing.Run(ctx, mp.None{})
	fmt.Println("new task:", err)
	fmt.Println("shielded:", shielded.State())
	shielded.Cancel(nil)
	err = shielded.Wait(ctx)
	fmt.Println("shielded:", err)
	fmt.Println("close:", errors.Join(q.Close(), m.Close(), mp.KeepSpares(0)))
}

// supervisor does what systemd does to a service: SIGTERM to every process of
// the control group, here the process group, and SIGKILL when its time limit is
// over.
func TestDrainsUnderASupervisor(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), programEnv+"=drains")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	input := get(cmd.StdinPipe())(t)
	out := bufio.NewReader(get(cmd.StdoutPipe())(t))
	errs := &watched{}
	cmd.Stderr = errs
	must(t, cmd.Start())
	timeLimit := time.AfterFunc(time.Minute, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	defer timeLimit.Stop()
	expect := func(want string) {
		t.Helper()
		line, err := out.ReadString('\n')
		if err != nil || !strings.HasPrefix(line, want) {
			t.Errorf("it says %q, %v; want %q", line, err, want)
		}
	}
	for range 2 {
		line, err := out.ReadString('\n')
		if line != "worker\n" && line != "shielded\n" {
			t.Fatalf("%q, %v", line, err)
		}
	}
	must(t, syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM))
	expect("told: terminated")
	expect("worker: true true")
	for _, sig := range []syscall.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT} {
		must(t, syscall.Kill(-cmd.Process.Pid, sig))
	}
	for _, name := range []string{"server", "shielded"} {
		mptest.Eventually(t, func() bool { return errs.has("SIGQUIT: " + name) }, "%s shows its stacks", name)
	}
	_, _ = io.WriteString(input, "go on\n")
	expect("manager: kept <nil>")
	expect("new task: <nil>")
	expect("shielded: running")
	expect("shielded: shielded (multiproc/mp_test.announce")
	expect("close: <nil>")
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, errs)
	}
	mptest.Eventually(t, func() bool { return errors.Is(syscall.Kill(-cmd.Process.Pid, 0), syscall.ESRCH) }, "its group is empty")
}

// watched is standard error that a test looks at.
type watched struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (w *watched) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(b)
}

func (w *watched) has(text string) bool { return strings.Contains(w.String(), text) }

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.String()
}

// A worker that does not listen to SIGTERM ends itself after its grace, and its
// starter learns why.
func TestTerminatedTheHardWay(t *testing.T) {
	q := queue[int](t, 0)
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGHUP} {
		if signal.Ignored(sig) {
			continue // under nohup
		}
		p := startWith(t, Deaf, mp.StartOptions{Grace: short}, q)
		get(q.Get(t.Context()))(t)
		must(t, syscall.Kill(p.PID(), sig))
		err := p.Wait(t.Context())
		var exit *mp.ExitError
		if !errors.As(err, &exit) || exit.State.Signal != syscall.SIGKILL || !errors.Is(err, mp.ErrTerminated) {
			t.Errorf("after %v: %v", sig, err)
		}
	}
}

// ServedTask puts into a manager of its starter's after that one's death, as
// long as it may.
var ServedTask = mp.Proc(servedTask, mp.Named("served-task"))

func servedTask(ctx context.Context, q *mp.Queue[int]) error {
	fmt.Println("ready")
	<-ctx.Done()
	<-mp.Parent().Done()
	err := q.Put(context.Background(), 1)
	n, _ := q.Len(context.Background())
	fmt.Println("put:", n, err)
	return nil
}

// serves is a program whose task uses its manager until the last.
func serves() {
	mp.Init()
	ctx := context.Background()
	m, err := manager.Start(ctx, manager.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	q, err := mp.NewQueue[int](0, mp.In(m))
	if err == nil {
		_, err = ServedTask.Start(ctx, q)
	}
	fmt.Println("started:", err)
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// A server of the family outlives those whom it serves.
func TestServerGoesLast(t *testing.T) {
	t.Parallel()
	cmd, out := program(t, "serves")
	for range 2 {
		if line, err := out.ReadString('\n'); line != "ready\n" && line != "started: <nil>\n" {
			t.Fatalf("%q, %v", line, err)
		}
	}
	children := below(cmd.Process.Pid)
	must(t, cmd.Process.Kill())
	if line, err := out.ReadString('\n'); line != "put: 1 <nil>\n" {
		t.Errorf("after its starter's death the task says %q, %v", line, err)
	}
	for _, pid := range children {
		mptest.Eventually(t, func() bool { return !mptest.Alive(pid) }, "process %d ended", pid)
	}
}
