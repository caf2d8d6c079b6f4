//go:build linux

package supervisor_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"multiproc/mp"
	"multiproc/mptest"
	"multiproc/supervisor"
)

func TestMain(m *testing.M) { mptest.Main(m) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// get is must for calls with a result.
func get[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		must(t, err)
		return v
	}
}

type orders struct {
	In  *mp.Queue[string]
	Out *mp.Queue[string]
}

// Waiter does what it is told.
var Waiter = mp.Proc(waiter)

func waiter(ctx context.Context, o orders) error {
	for order, err := range o.In.Drain(ctx) {
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		case order == "fail":
			return errSick
		case order == "panic":
			panic("boiled over")
		case order == "die":
			return syscall.Kill(os.Getpid(), syscall.SIGKILL)
		case order == "stay":
			if err := o.Out.Put(ctx, "staying"); err != nil {
				return err
			}
			select {} // whatever the context says
		}
		if err := o.Out.Put(ctx, order); err != nil {
			return err
		}
	}
	return nil
}

func newOrders(t *testing.T) orders {
	o := orders{get(mp.NewQueue[string](0))(t), get(mp.NewQueue[string](0))(t)}
	t.Cleanup(func() { _, _ = o.In.Close(), o.Out.Close() })
	return o
}

func (o orders) order(t *testing.T, what string) {
	t.Helper()
	must(t, o.In.Put(t.Context(), what))
}

// expect takes what was served.
func (o orders) expect(t *testing.T, want string) {
	t.Helper()
	if got := get(o.Out.Get(t.Context()))(t); got != want {
		t.Errorf("served %q, want %q", got, want)
	}
}

// starts runs a supervisor, and returns how to stop it.
func starts(t *testing.T, s *supervisor.Supervisor) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	return func() error {
		cancel()
		err := <-done
		if n := len(mp.Children()); n != 0 {
			t.Errorf("%d processes are left", n)
		}
		return err
	}
}

// However a process ends, the next one goes on with what its queue holds.
func TestProcessesAreStartedAgain(t *testing.T) {
	o := newOrders(t)
	events := make(chan supervisor.Event, 100)
	s := supervisor.New(supervisor.Options{MaxRestarts: -1, Observe: func(e supervisor.Event) { events <- e }},
		supervisor.Task("waiter", Waiter.With(mp.StartOptions{Quiet: true}), o))
	stop := starts(t, s)
	for _, order := range []string{"fail", "panic", "die"} {
		o.order(t, order)
		o.order(t, "tea after "+order)
		o.expect(t, "tea after "+order)
	}
	first := (<-events).PID
	for _, check := range []func(error) bool{
		func(err error) bool { return strings.Contains(err.Error(), "sick") },
		func(err error) bool {
			var remote *mp.RemoteError
			return errors.As(err, &remote) && remote.Panic
		},
		func(err error) bool {
			var exit *mp.ExitError
			return errors.As(err, &exit) && exit.State.Signal == syscall.SIGKILL
		},
	} {
		ended, _, started := <-events, <-events, <-events
		if ended.Kind != supervisor.Ended || ended.PID != first || !check(ended.Err) {
			t.Errorf("%+v", ended)
		}
		if started.Kind != supervisor.Started || started.PID == first {
			t.Errorf("%+v", started)
		}
		first = started.PID
	}
	if x := s.Status()[0]; x.PID != first || x.Restarts != 3 {
		t.Errorf("%+v", x)
	}
	if table := s.Status().String(); !strings.Contains(table, fmt.Sprintf("waiter   running  %d", first)) || !strings.Contains(table, "SIGKILL") && !strings.Contains(table, "killed") {
		t.Error(table)
	}
	must(t, stop())
}

// A task that does not heed its context is killed when its grace is over, and
// what stands in front of it is stopped after that.
func TestStopKills(t *testing.T) {
	a, b := newOrders(t), newOrders(t)
	var stopped []string
	s := supervisor.New(supervisor.Options{Observe: func(e supervisor.Event) {
		if e.Kind == supervisor.Stopped {
			stopped = append(stopped, e.Service)
		}
	}},
		supervisor.Task("polite", Waiter, a),
		supervisor.Task("stubborn", Waiter.With(mp.StartOptions{Grace: 20 * time.Millisecond}), b))
	stop := starts(t, s)
	b.order(t, "stay")
	b.expect(t, "staying")
	a.order(t, "tea")
	a.expect(t, "tea")
	must(t, stop())
	if fmt.Sprint(stopped) != "[stubborn polite]" {
		t.Error(stopped)
	}
	var exit *mp.ExitError
	if all := s.Status(); !errors.As(all[1].Err, &exit) || !errors.Is(exit, supervisor.ErrStopped) || all[0].Err != nil {
		t.Errorf("%+v", all)
	}
}

// Echo answers what comes through its end of a pipe.
var Echo = mp.Proc(func(ctx context.Context, end *mp.Conn[string, string]) error {
	for {
		v, err := end.Recv(ctx)
		if err != nil {
			return err
		}
		if err := end.Send(ctx, v); err != nil {
			return err
		}
	}
}, mp.Named("echo"))

// Each process gets arguments of its own, an end of a new pipe for example.
func TestArgumentsMadeAnew(t *testing.T) {
	var calls int
	ends := make(chan *mp.Conn[string, string], 10)
	args := func(context.Context) (*mp.Conn[string, string], error) {
		if calls++; calls == 2 {
			return nil, errSick
		}
		ours, theirs, err := mp.Pipe[string, string]()
		if err == nil {
			ends <- ours
		}
		return theirs, err
	}
	events := make(chan supervisor.Event, 100)
	s := supervisor.New(supervisor.Options{Observe: func(e supervisor.Event) { events <- e }}, supervisor.TaskFunc("echo", Echo, args))
	stop := starts(t, s)
	talk := func() *mp.Conn[string, string] {
		c := <-ends
		must(t, c.Send(t.Context(), "hello"))
		if got := get(c.Recv(t.Context()))(t); got != "hello" {
			t.Error(got)
		}
		return c
	}
	must(t, talk().Close()) // so the process ends
	must(t, talk().Close())
	var kinds []string
	for len(kinds) < 6 {
		e := <-events
		kinds = append(kinds, e.Kind.String())
		if e.Kind == supervisor.Ended && !errors.Is(e.Err, io.EOF) || e.Kind == supervisor.StartFailed && !errors.Is(e.Err, errSick) {
			t.Errorf("%+v", e)
		}
	}
	if got := strings.Join(kinds, ", "); got != "started, ended, restarting, start failed, restarting, started" {
		t.Error(got)
	}
	must(t, stop())
}

// While one service cannot be started, others are kept alive and all can be
// stopped.
func TestOthersWhereOneCannotStart(t *testing.T) {
	o := newOrders(t)
	s := supervisor.New(supervisor.Options{MaxRestarts: -1},
		supervisor.Task("waiter", Waiter, o),
		supervisor.Task("lost", Waiter.With(mp.StartOptions{Dir: "/nowhere/at/all"}), newOrders(t)))
	stop := starts(t, s)
	for range 3 {
		o.order(t, "fail")
		o.order(t, "tea")
		o.expect(t, "tea")
	}
	must(t, stop())
}

// What cannot be started has failed, and is tried again.
func TestCannotStart(t *testing.T) {
	s := supervisor.New(supervisor.Options{}, supervisor.Task("lost", Waiter.With(mp.StartOptions{Dir: "/nowhere/at/all"}), newOrders(t)))
	err := s.Run(t.Context())
	var gave *supervisor.GaveUpError
	if !errors.As(err, &gave) || gave.Restarts != 4 || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}
