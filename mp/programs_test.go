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
	"syscall"
	"testing"
	"time"

	"multiproc/mp"
	"multiproc/mptest"
)

const hangEnv = "MP_TEST_HANG"

// hang waits for a signal that does not come.
func hang() {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGWINCH)
	<-c
}

// programs are whole programs that the test binary can be, by name.
var programs = map[string]func(){
	"limited":    limited,
	"noinit":     func() { _, err := Nothing.Start(context.Background(), mp.None{}); fmt.Println(err) },
	"bomb":       bomb,
	"crowded":    crowded,
	"family":     familyOf,
	"forgetful":  forgetful,
	"foreground": foreground,
	"forged":     func() { mp.Init(); fmt.Println("Init returned") },
	"leaky":      leaky,
	"drains":     drains,
	"reapsall":   reapsAll,
	"serves":     serves,
	"seven":      func() { os.Exit(7) },
	"shortage":   shortage,
	"stoppable":  stoppable,
	"twice":      twice,
	"unborn":     unborn,
}

// program starts one of them with its output in a pipe. It is killed at the end
// of the test.
func program(t *testing.T, name string, env ...string) (*exec.Cmd, *bufio.Reader) {
	t.Helper()
	return prepared(t, name, func(*testing.T, *exec.Cmd) {}, env...)
}

// prepared is program with a say in how it is started.
func prepared(t *testing.T, name string, prepare func(*testing.T, *exec.Cmd), env ...string) (*exec.Cmd, *bufio.Reader) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(append(os.Environ(), programEnv+"="+name), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	r, w, err := os.Pipe()
	must(t, err)
	cmd.Stdout = w
	cmd.Stderr = os.Stderr
	input, hold, err := os.Pipe()
	must(t, err)
	cmd.Stdin = input
	prepare(t, cmd)
	must(t, cmd.Start())
	must(t, errors.Join(w.Close(), input.Close()))
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
		_, _ = r.Close(), hold.Close()
	})
	return cmd, bufio.NewReader(r)
}

// output runs a program to its end.
func output(t *testing.T, name string, env ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
	cmd.Env = append(append(os.Environ(), programEnv+"="+name), env...)
	var out, err bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &err
	cmd.WaitDelay = 10 * time.Second
	_ = cmd.Run()
	return out.String(), err.String(), cmd.ProcessState.ExitCode()
}

func TestStartWithoutInit(t *testing.T) {
	out, _, _ := output(t, "noinit")
	for _, want := range []string{mp.ErrNoInit.Error(), "mp.Init()", "mptest.Main(m)"} {
		if !strings.Contains(out, want) {
			t.Errorf("Start before Init says %q, want it to name %q", out, want)
		}
	}
}

// bomb is a program whose children do not call Init but start children.
func bomb() {
	if os.Getenv("MULTIPROC_CHILD") == "" {
		mp.Init()
	}
	fmt.Println("main")
	p, err := Nothing.Start(context.Background(), mp.None{})
	if err == nil {
		err = p.Wait(context.Background())
	}
	fmt.Println("ended:", err)
}

func TestForkBomb(t *testing.T) {
	out, stderr, _ := output(t, "bomb")
	if n := strings.Count(out, "main\n"); n != 2 {
		t.Errorf("main ran %d times, want 2: once in the program and once in the child that forgot Init\n%s", n, out)
	}
	if !strings.Contains(out, "exit code 3") || !strings.Contains(stderr, mp.ErrNoInit.Error()) {
		t.Errorf("the starter hears %q, the child prints %q", out, stderr)
	}
}

// A value in the environment that no starter has put there ends the program
// with a message, and does not make it wait for a task.
func TestForgedMark(t *testing.T) {
	for _, mark := range []string{"1", "1:00:1:1:0:0", "1:" + strings.Repeat("ab", 16) + ":1:1:0:0", "2:x"} {
		out, stderr, code := output(t, "forged", "MULTIPROC_CHILD="+mark)
		if code != 3 || out != "" || !strings.Contains(stderr, "cannot start") {
			t.Errorf("%q: exit code %d, stdout %q, stderr %q", mark, code, out, stderr)
		}
	}
}

// familyOf is a program with a child and a grandchild, which print their
// process ids and wait. It waits until its input ends.
func familyOf() {
	mp.Init()
	p, err := Tree.Start(context.Background(), 2)
	if err == nil {
		err = p.Wait(context.Background())
	}
	fmt.Println("ended:", err)
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// Tree prints the process id and waits, with as many generations below it.
var Tree *mp.Task[int, mp.None]

func init() { Tree = mp.Proc(tree) }

func tree(ctx context.Context, depth int) error {
	fmt.Println("pid", os.Getpid())
	if depth == 0 {
		<-ctx.Done()
		select {} // deaf: must be killed
	}
	p, err := Tree.Start(context.Background(), depth-1)
	if err != nil {
		return err
	}
	return p.Wait(context.Background())
}

// The kernel tells of the death of a whole family by the end of the pipe that
// all of it has as standard output.
func TestParentKilled(t *testing.T) {
	cmd, out := program(t, "family")
	pids := readPIDs(t, out, 3)
	must(t, cmd.Process.Kill())
	killed := time.Now()
	for {
		if _, err := out.ReadString('\n'); err != nil {
			break
		}
	}
	// Half a second of grace, for all generations at once.
	t.Logf("the last of the family ended %v after the first", time.Since(killed))
	for _, pid := range pids {
		mptest.Eventually(t, func() bool { return !mptest.Alive(pid) }, "process %d ended", pid)
	}
}

func readPIDs(t *testing.T, r *bufio.Reader, n int) (pids []int) {
	t.Helper()
	for len(pids) < n {
		line, err := r.ReadString('\n')
		must(t, err)
		var pid int
		if _, err := fmt.Sscanf(line, "pid %d", &pid); err != nil {
			t.Fatalf("output %q", line)
		}
		pids = append(pids, pid)
	}
	return pids
}

// foreground is a program that handles Ctrl-C as programs do: its children's
// lives end with its context.
func foreground() {
	mp.Init()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var running []mp.Child
	for range 3 {
		p, err := Announce.Start(ctx, "ready")
		if err != nil {
			fmt.Println("start:", err)
			return
		}
		running = append(running, p)
	}
	for _, p := range running {
		err := p.Wait(context.Background())
		fmt.Println("ended:", err, p.State())
	}
}

// Announce prints a line and waits to be cancelled.
var Announce = mp.Proc(announce)

func announce(ctx context.Context, line string) error {
	fmt.Println(line)
	<-ctx.Done()
	return fmt.Errorf("was told: %w", ctx.Err())
}

func TestInterruptReachesTheGroup(t *testing.T) {
	cmd, out := program(t, "foreground")
	for range 3 {
		if line, err := out.ReadString('\n'); line != "ready\n" {
			t.Fatalf("%q, %v", line, err)
		}
	}
	must(t, syscall.Kill(-cmd.Process.Pid, syscall.SIGINT))
	for range 3 {
		line, err := out.ReadString('\n')
		if err != nil || !strings.Contains(line, "was told: context canceled") || !strings.Contains(line, "exit code 1") {
			t.Errorf("after Ctrl-C: %q, %v; want children that ended by their own answer", line, err)
		}
	}
}

// twice is a program that registers one name twice, before Init.
func twice() {
	mp.Proc(late, mp.Named("one name"))
	mp.Proc(late, mp.Named("one name"))
}

func TestTwoTasksOfOneName(t *testing.T) {
	_, stderr, code := output(t, "twice")
	if code != 2 || !strings.Contains(stderr, "two tasks have the name one name") || strings.Count(stderr, "programs_test.go:") < 2 {
		t.Errorf("exit code %d, %s", code, stderr)
	}
}
