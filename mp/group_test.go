//go:build linux

package mp_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"multiproc/mp"
)

// worker is what a member of a group is given.
type worker struct {
	Queue *mp.Queue[int]
	How   string // it ends when it is given something
}

// Member takes one item and ends as it is told.
var Member = mp.Proc(member)

func member(ctx context.Context, w worker) error {
	n, err := w.Queue.Get(ctx)
	switch {
	case err != nil:
		return err
	case w.How == "panic":
		panic(fmt.Sprintf("bad number %d", n))
	case w.How == "kill":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case w.How == "error":
		return &soldOut{Seat: n, Row: "C"}
	}
	<-ctx.Done()
	return nil
}

// soldOut is an error that travels whole.
type soldOut struct {
	Seat int
	Row  string
}

func (e *soldOut) Error() string { return fmt.Sprintf("seat %d in row %s is sold out", e.Seat, e.Row) }

// refused is one that is no pointer.
type refused struct{ Why string }

func (e refused) Error() string { return "refused: " + e.Why }

func init() {
	mp.RegisterErrorType[*soldOut]()
	mp.RegisterErrorType[refused]("test.refused")
}

// README's program with workers that fail: the first failure ends the rest, and
// is what a Put that waits for them returns, and Wait.
func TestGroup(t *testing.T) {
	for how, check := range map[string]func(err error) bool{
		"panic": func(err error) bool {
			var remote *mp.RemoteError
			return errors.As(err, &remote) && remote.Panic && strings.Contains(remote.Message, "bad number")
		},
		"kill": func(err error) bool {
			var exit *mp.ExitError
			return errors.As(err, &exit) && exit.State.Signal == syscall.SIGKILL
		},
		"error": func(err error) bool {
			var sold *soldOut
			return errors.As(err, &sold) && *sold == soldOut{Seat: 7, Row: "C"}
		},
	} {
		t.Run(how, func(t *testing.T) {
			q := queue[int](t, 1)
			g, ctx := mp.NewGroup(t.Context())
			quiet := Member.With(mp.StartOptions{Quiet: true, Name: "quiet-worker"})
			for range 4 {
				g.Go(quiet.Call(ctx, worker{q, how}))
			}
			var put error
			for put == nil {
				put = q.Put(ctx, 7)
			}
			err := g.Wait()
			if !check(err) || !strings.Contains(err.Error(), "quiet-worker") {
				t.Errorf("Wait: %v", err)
			}
			if !check(put) || !errors.Is(put, context.Canceled) {
				t.Errorf("Put: %v", put)
			}
			if ctx.Err() == nil {
				t.Error("the context of a group that is over has not ended")
			}
		})
	}
	g, ctx := mp.NewGroup(t.Context())
	if err := g.Wait(); err != nil || ctx.Err() == nil {
		t.Errorf("an empty group: %v, %v", err, ctx.Err())
	}
}

// All calls that wait tell the cause, in memory and in a place.
func TestWaitsTellTheCause(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errMine)
	everywhere(t, func(t *testing.T, in ...mp.Option) {
		q, v, m := queue[int](t, 1, in...), value(t, 1, in...), mutex(t, in...)
		for what, err := range map[string]error{
			"Put": q.Put(ctx, 1), "Get": get2(q.Get(ctx)), "TryGet": get2(q.TryGet(ctx)), "Join": q.Join(ctx), "Len": get2(q.Len(ctx)),
			"PutBatch": get2(q.PutBatch(ctx, []int{1})), "GetBatch": get2(q.GetBatch(ctx, 1)), "Load": get2(v.Load(ctx)),
			"Store": v.Store(ctx, 1), "Update": v.Update(ctx, func(*int) error { return nil }), "Lock": m.Lock(ctx),
			"TryLock": get2(m.TryLock(ctx)), "Select": get2(mp.Select(ctx, q)),
		} {
			wantErr(t, what, err, errMine)
			wantErr(t, what, err, context.Canceled)
		}
	})
	// While they wait.
	ctx, cancel = context.WithCancelCause(t.Context())
	q, m := queue[int](t, 1), mutex(t)
	must(t, m.Lock(t.Context()))
	got := make(chan error, 3)
	go func() { got <- get2(q.Get(ctx)) }()
	go func() { got <- m.Lock(ctx) }()
	go func() { got <- get2(mp.Select(ctx, q)) }()
	waiting(t, 1, "mp.(*Queue[...]).Get(")
	waiting(t, 1, "mp.(*Mutex).Lock(")
	waiting(t, 1, "mp.Select(")
	cancel(errMine)
	for range 3 {
		wantErr(t, "a call that waits", <-got, errMine)
	}
	m.Unlock()
}

// Deadline tells what its context says.
var Deadline = mp.Func(deadline)

func deadline(ctx context.Context, wait bool) (time.Time, error) {
	if wait {
		<-ctx.Done()
		return time.Time{}, context.Cause(ctx)
	}
	end, _ := ctx.Deadline()
	return end, nil
}

func TestDeadlineOfAChild(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	end, _ := ctx.Deadline()
	if there := get(Deadline.Run(ctx, false))(t); !there.Equal(end) {
		t.Errorf("the task's deadline is %v, want %v", there, end)
	}
	if there := get(Deadline.Run(context.WithoutCancel(ctx), false))(t); !there.IsZero() {
		t.Errorf("a task has the deadline %v, its starter none", there)
	}
	far, stop := context.WithDeadline(t.Context(), time.Date(2999, 1, 1, 0, 0, 0, 0, time.UTC))
	defer stop()
	if there := get(Deadline.Run(far, false))(t); !there.IsZero() {
		t.Errorf("a deadline that nanoseconds do not reach is %v", there)
	}
	_, err := Deadline.Run(within(t, short), true)
	wantErr(t, "a task whose time is up", err, context.DeadlineExceeded)
}

// A wait that was given up is not a task that timed out.
func TestStillRunning(t *testing.T) {
	p := start(t, Wait, counter(t, 0))
	err := p.Wait(mp.Within(t.Context(), short))
	wantErr(t, "Wait", err, mp.ErrRunning)
	wantErr(t, "Wait", err, context.DeadlineExceeded)
	wantText(t, "Wait", err, p.Name())
	wantErr(t, "WaitAll", mp.WaitAll(within(t, short), p, p), mp.ErrRunning)
	p.Cancel(context.DeadlineExceeded)
	if err := p.Wait(t.Context()); errors.Is(err, mp.ErrRunning) {
		t.Errorf("a task that has ended: %v", err)
	}
}

func TestWithin(t *testing.T) {
	q := queue[int](t, 1)
	for range 3 {
		_, err := q.Get(mp.Within(t.Context(), short))
		wantErr(t, "nothing comes", err, context.DeadlineExceeded)
	}
	must(t, q.Put(t.Context(), 1))
	if v, err := q.Get(mp.Within(t.Context(), time.Hour)); v != 1 || err != nil {
		t.Errorf("got %d, %v", v, err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	got := make(chan error)
	go func() { got <- get2(q.Get(mp.Within(ctx, time.Hour))) }()
	waiting(t, 1, "mp.(*Queue[...]).Get(")
	runtime.GC() // must not end it
	select {
	case err := <-got:
		t.Fatal(err)
	default:
	}
	cancel(errMine)
	wantErr(t, "the context around it ends", <-got, errMine)
	sooner := within(t, time.Minute)
	if mp.Within(sooner, time.Hour) != sooner {
		t.Error("a later end than the context's own")
	}
	if end, ok := mp.Within(sooner, time.Second).Deadline(); !ok || time.Until(end) > time.Second {
		t.Errorf("ends at %v, %v", end, ok)
	}
}

func TestErrorTypes(t *testing.T) {
	for _, sent := range []error{&soldOut{Seat: 1, Row: "A"}, fmt.Errorf("around it: %w", refused{"full"})} {
		_, err := FailWith.Run(t.Context(), sent)
		var sold *soldOut
		var ref refused
		switch {
		case errors.As(sent, &sold):
			var got *soldOut
			if !errors.As(err, &got) || *got != *sold {
				t.Errorf("%v arrived as %v", sent, err)
			}
		case !errors.As(err, &ref) || ref.Why != "full":
			t.Errorf("%v arrived as %v", sent, err)
		}
	}
	wantPanic(t, "taken", func() { mp.RegisterErrorType[*soldOut]() })
	wantPanic(t, "hidden", func() { mp.RegisterErrorType[hidden]() })
}

type hidden struct{ hidden chan int }

func (hidden) Error() string { return "hidden" }

// FailWith returns the error that it is given.
var FailWith = mp.Proc(func(_ context.Context, err error) error { return err }, mp.Named("mp_test.FailWith"))

// A panic is printed where somebody looks, unless that was not wanted.
func TestPanicsAreLoud(t *testing.T) {
	for quiet, want := range map[bool]int{false: 1, true: 0} {
		var stderr strings.Builder
		q := queue[int](t, 1)
		must(t, q.Put(t.Context(), 3))
		_, err := Member.With(mp.StartOptions{Name: "loud-1", Stderr: &stderr, Quiet: quiet}).Run(t.Context(), worker{q, "panic"})
		if n := strings.Count(stderr.String(), "loud-1 (multiproc/mp_test.member, pid "); n != want {
			t.Errorf("quiet %v: standard error has\n%s", quiet, stderr.String())
		}
		if want > 0 && (!strings.Contains(stderr.String(), "panic: bad number 3") || !strings.Contains(stderr.String(), "group_test.go")) {
			t.Errorf("standard error has\n%s", stderr.String())
		}
		if s := fmt.Sprintf("%+v", err); !strings.Contains(s, "bad number 3") || !strings.Contains(s, "group_test.go") {
			t.Errorf("%%+v: %s", s)
		}
		if s := fmt.Sprintf("%v|%s|%q", err, err, err); strings.Contains(s, "group_test.go") {
			t.Errorf("%%v: %s", s)
		}
	}
}

func TestTrySend(t *testing.T) {
	a, b, err := mp.Pipe[string, int](mp.MaxBytes(64))
	must(t, err)
	t.Cleanup(func() { _, _ = a.Close(), b.Close() })
	n := 0
	for ; ; n++ {
		if err := a.TrySend("0123456789"); err != nil {
			wantErr(t, "a pipe that is full", err, mp.ErrFull)
			break
		}
	}
	if n == 0 {
		t.Fatal("nothing was sent")
	}
	for range n {
		if v := get(b.TryRecv())(t); v != "0123456789" {
			t.Errorf("received %q", v)
		}
	}
	must(t, b.TrySend(5))
	if v := get(a.Recv(t.Context()))(t); v != 5 {
		t.Errorf("received %d", v)
	}
	must(t, b.Close())
	wantErr(t, "nobody there", a.TrySend("x"), mp.ErrBrokenPipe)
}
