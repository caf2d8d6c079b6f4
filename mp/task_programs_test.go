//go:build linux

package mp_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"multiproc/mp"
	"multiproc/mptest"
)

// StartsProgram starts a program that does nothing, through another one, says
// which it is, and does as it is told.
var StartsProgram = mp.Proc(startsProgram)

type programArgs struct {
	Do      string
	Session bool
	PIDs    *mp.Queue[int]
}

func startsProgram(ctx context.Context, a programArgs) error {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{hangEnv + "=1", forkEnv + "=1"} // no more: the mark is not in the environment
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: a.Session}
	pid, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	var n int
	if _, err := fmt.Fscan(pid, &n); err != nil {
		return err
	}
	if _, err := a.PIDs.PutBatch(ctx, []int{cmd.Process.Pid, n, os.Getpid()}); err != nil {
		return err
	}
	switch a.Do {
	case "return":
		return nil
	case "panic":
		panic("told so")
	case "wait":
		<-ctx.Done()
		return ctx.Err()
	}
	select {}
}

// forkEnv makes a program that hangs start another one, and say its pid.
const forkEnv = "MP_TEST_FORK"

func forks() {
	if os.Getenv(forkEnv) == "" {
		return
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{hangEnv + "=1"}
	if err := cmd.Start(); err == nil {
		fmt.Println(cmd.Process.Pid)
	}
}

func TestProgramsOfTasks(t *testing.T) {
	kill := func(p mp.Child, _ int) { _ = p.Kill() }
	cancel := func(p mp.Child, _ int) { p.Cancel(nil) }
	outside := func(_ mp.Child, pid int) { _ = syscall.Kill(pid, syscall.SIGKILL) }
	nothing := func(mp.Child, int) {}
	for _, tt := range []struct {
		name, do string
		end      func(mp.Child, int)
		o        mp.StartOptions
		session  bool
		live     bool
	}{
		{name: "Kill", end: kill},
		{name: "killed from outside", end: outside},
		{name: "the end of its grace", end: cancel, o: mp.StartOptions{Grace: short}},
		{name: "cancelled", do: "wait", end: cancel},
		{name: "panic", do: "panic", end: nothing},
		{name: "return", do: "return", end: nothing, live: true},
		{name: "return, all", do: "return", end: nothing, o: mp.StartOptions{Programs: mp.EndAllPrograms}},
		{name: "Kill, leave", end: kill, o: mp.StartOptions{Programs: mp.LeavePrograms}, live: true},
		{name: "Kill of a daemon's starter", end: kill, session: true, live: true},
		{name: "Kill of a daemon's starter, all", end: kill, o: mp.StartOptions{Programs: mp.EndAllPrograms}, session: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			q := queue[int](t, 0)
			p := startWith(t, StartsProgram, tt.o, programArgs{tt.do, tt.session, q})
			var pids [3]int
			for i := range pids {
				pids[i] = get(q.Get(t.Context()))(t)
			}
			tt.end(p, pids[2])
			_ = p.Wait(t.Context())
			for _, pid := range pids[:2] {
				if tt.live {
					if !mptest.Alive(pid) {
						t.Errorf("program %d was ended", pid)
					}
					_ = syscall.Kill(pid, syscall.SIGKILL)
				}
				// Killed by now; its end takes a moment.
				mptest.Eventually(t, func() bool { return !mptest.Alive(pid) }, "program %d ended", pid)
			}
		})
	}
	p, err := StartsProgram.With(mp.StartOptions{Programs: 3}).Start(t.Context(), programArgs{})
	if err == nil {
		t.Errorf("Programs: 3 gave %v", errors.Join(p.Kill(), p.Wait(t.Context())))
	}
}

// Through is a task that starts a task, so that its end leaves an orphan.
var Through = mp.Proc(through)

func through(ctx context.Context, a programArgs) error {
	if _, err := StartsProgram.Start(ctx, a); err != nil {
		return err
	}
	select {}
}

func TestProgramsOfOrphans(t *testing.T) {
	q := queue[int](t, 0)
	p := start(t, Through, programArgs{Do: "forever", PIDs: q})
	var pids [3]int
	for i := range pids {
		pids[i] = get(q.Get(t.Context()))(t)
	}
	must(t, syscall.Kill(pids[2], syscall.SIGSTOP))
	must(t, p.Kill())
	for _, pid := range pids {
		mptest.Eventually(t, func() bool { return gone(pid) }, "process %d is gone", pid)
	}
}
