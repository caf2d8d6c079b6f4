//go:build linux

package mp_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"multiproc/mp"
)

// Nothing does nothing.
var Nothing = mp.Proc(nothing)

func nothing(context.Context, mp.None) error { return nil }

// Wait waits for the end of its context, says that it has begun, and returns
// the cause.
var Wait = mp.Proc(waitForEnd)

func waitForEnd(ctx context.Context, begun *mp.Counter) error {
	if begun != nil {
		begun.Add(1)
	}
	<-ctx.Done()
	return context.Cause(ctx)
}

// Deaf says that it runs, and does not listen to its context.
var Deaf = mp.Proc(deaf)

func deaf(ctx context.Context, q *mp.Queue[int]) error {
	if err := q.Put(ctx, os.Getpid()); err != nil {
		return err
	}
	select {}
}

type whoami struct {
	PID, ParentPID   int
	Name, ParentName string
	Child            *whoami
}

// WhoAmI tells what a process knows of itself and of its own child, depth
// generations deep.
var WhoAmI *mp.Task[int, whoami]

func init() { WhoAmI = mp.Func(tellWho) }

func tellWho(ctx context.Context, depth int) (whoami, error) {
	w := whoami{
		PID: mp.Self().PID, Name: mp.Self().Name,
		ParentPID: mp.Parent().PID(), ParentName: mp.Parent().Name(),
	}
	if depth > 0 {
		c, err := WhoAmI.Run(ctx, depth-1)
		if err != nil {
			return w, err
		}
		w.Child = &c
	}
	return w, nil
}

func TestProcess(t *testing.T) {
	if mp.Parent() != nil {
		t.Error("the first process has a parent")
	}
	if s := mp.Self(); s.PID != os.Getpid() || s.Name != "main" {
		t.Errorf("Self() = %+v", s)
	}
	begun := counter(t, 0)
	p := startWith(t, Wait, mp.StartOptions{Name: "sleeper"}, begun)
	if p.Name() != "sleeper" || p.PID() == os.Getpid() || p.PID() <= 0 {
		t.Errorf("name %q, pid %d", p.Name(), p.PID())
	}
	if s := p.State(); !s.Running || s.ExitCode != -1 || s.String() != "running" {
		t.Errorf("State() = %+v", s)
	}
	if !slices.Contains(mp.Children(), mp.Child(p)) {
		t.Error("it is not among the children")
	}
	wantErr(t, "Wait with a deadline", p.Wait(within(t, short)), context.DeadlineExceeded)
	if !p.State().Running {
		t.Error("the end of Wait's context ended the process")
	}
	p.Cancel(nil)
	wantErr(t, "Wait", p.Wait(t.Context()), context.Canceled)
	<-p.Done()
	if s := p.State(); s.Running || s.ExitCode != 1 || s.Signal != 0 || s.MaxRSS == 0 {
		t.Errorf("State() = %+v", s)
	}
	if slices.Contains(mp.Children(), mp.Child(p)) {
		t.Error("it is still among the children")
	}
	if err := p.Kill(); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("Kill afterwards: %v", err)
	}
	p.Cancel(nil) // nothing to do
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	wantErr(t, "Wait afterwards, timeLimit over", p.Wait(ended), context.Canceled)
}

func TestFamilyTree(t *testing.T) {
	p := start(t, WhoAmI, 2)
	w := get(p.Result(t.Context()))(t)
	if w.PID != p.PID() || w.Name != p.Name() || w.ParentPID != os.Getpid() || w.ParentName != "main" {
		t.Errorf("child %+v, want pid %d, name %s, parent main", w, p.PID(), p.Name())
	}
	c := w.Child
	if c.ParentPID != w.PID || c.ParentName != w.Name || c.Name != w.Name+":1" {
		t.Errorf("grandchild %+v of %+v", c, w)
	}
	if g := c.Child; g.ParentPID != c.PID || g.Name != c.Name+":1" || g.Child != nil {
		t.Errorf("grand-grandchild %+v of %+v", g, c)
	}
}

func TestStartNeedsALivingContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errMine)
	_, send := oneWay[int](t)
	_, err := TakeConn.Start(ctx, send)
	wantErr(t, "Start", err, errMine)
	if err := send.Send(t.Context(), 1); err != nil {
		t.Errorf("a Start that failed moved a Conn: %v", err)
	}
	if len(mp.Children()) != 0 {
		t.Error("a Start that failed left a child")
	}
}

// TakeConn does nothing with the end of a pipe that it is given.
var TakeConn = mp.Proc(func(context.Context, *mp.Conn[int, mp.None]) error { return nil }, mp.Named("take-conn"))

func TestLifeEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	begun := counter(t, 0)
	p := get(Wait.Start(ctx, begun))(t)
	cancel(fmt.Errorf("no more money: %w", errMine))
	err := p.Wait(t.Context())
	wantErr(t, "the child's cause", err, errMine)
	var remote *mp.RemoteError
	if !errors.As(err, &remote) || remote.Message != "no more money: "+errMine.Error() {
		t.Errorf("got %v, want the cause's text", err)
	}

	deadline, cancel2 := context.WithTimeout(t.Context(), short)
	defer cancel2()
	p, err = Wait.Start(deadline, nil)
	if err == nil { // on a busy machine the start itself may take too long
		err = p.Wait(t.Context())
	}
	wantErr(t, "the child's deadline", err, context.DeadlineExceeded)
}

func TestChildsAnswerWins(t *testing.T) {
	p := start(t, Stubborn, nil)
	p.Cancel(errMine)
	if v, err := p.Result(t.Context()); v != "done all the same" || err != nil {
		t.Errorf("Result() = %q, %v", v, err)
	}
}

// Stubborn waits for its end and succeeds.
var Stubborn = mp.Func(stubborn)

func stubborn(ctx context.Context, _ *int) (string, error) {
	<-ctx.Done()
	return "done all the same", nil
}

func TestGraceThenKill(t *testing.T) {
	q := queue[int](t, 0)
	p := startWith(t, Deaf, mp.StartOptions{Grace: 50 * time.Millisecond}, q)
	_ = get(q.Get(t.Context()))(t)
	begin := time.Now()
	p.Cancel(errMine)
	p.Cancel(errors.New("a second one does not count"))
	err := p.Wait(t.Context())
	var exit *mp.ExitError
	if !errors.As(err, &exit) || exit.State.Signal != syscall.SIGKILL || exit.PID != p.PID() || exit.State.ExitCode != -1 {
		t.Fatalf("got %v", err)
	}
	wantErr(t, "the cause of the kill", err, errMine)
	if d := time.Since(begin); d < 50*time.Millisecond {
		t.Errorf("killed after %v, want a grace of 50ms", d)
	}

	p = startWith(t, Deaf, mp.StartOptions{Grace: -1}, q)
	_ = get(q.Get(t.Context()))(t)
	p.Cancel(nil)
	if err := p.Wait(t.Context()); !errors.As(err, &exit) || exit.State.Signal != syscall.SIGKILL {
		t.Errorf("without grace: %v", err)
	}
}

func TestKill(t *testing.T) {
	q := queue[int](t, 0)
	p := start(t, Deaf, q)
	_ = get(q.Get(t.Context()))(t)
	must(t, p.Kill())
	var exit *mp.ExitError
	if err := p.Wait(t.Context()); !errors.As(err, &exit) || exit.State.Signal != syscall.SIGKILL || exit.Cause != nil {
		t.Errorf("got %v", err)
	}
}

// SIGTERM from anybody is a cancellation with grace.
func TestTerminate(t *testing.T) {
	begun := counter(t, 0)
	p := start(t, Wait, begun)
	eventually(t, begun, 1)
	must(t, syscall.Kill(p.PID(), syscall.SIGTERM))
	wantErr(t, "after SIGTERM", p.Wait(t.Context()), context.Canceled)
}
