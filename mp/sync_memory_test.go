//go:build linux

package mp_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"multiproc/mp"
	"multiproc/mptest"
)

// long is when a test gives up.
const long = 30 * time.Second

// tools are objects of synchronization in memory, and what a child does with them.
type tools struct {
	Do     string
	S, S2  *mp.Semaphore
	E      *mp.Event
	B      *mp.Barrier
	R      *mp.RecursiveMutex
	N      *mp.Counter
	Say    *mp.Queue[string]
	Rounds int
}

func newTools(t *testing.T, permits, parties int) tools {
	t.Helper()
	return tools{
		S: closing(t, get(mp.NewSemaphore(permits))(t)), E: closing(t, get(mp.NewEvent())(t)),
		B: closing(t, get(mp.NewBarrier(parties))(t)), R: closing(t, get(mp.NewRecursiveMutex())(t)),
		N: counter(t, 0), Say: queue[string](t, 100),
	}
}

func (x tools) to(what string) tools { x.Do = what; return x }

// UseTools does what it is told to do.
var UseTools = mp.Proc(func(ctx context.Context, x tools) error {
	say := func(err error) error { return errors.Join(err, x.Say.Put(ctx, x.Do)) }
	switch x.Do {
	case "acquire and leave":
		return say(errors.Join(x.S.Acquire(ctx, 1), x.S.Acquire(ctx, 1)))
	case "acquire":
		if err := say(errors.Join(x.S.Acquire(ctx, 1), x.S.Acquire(ctx, 1))); err != nil {
			return err
		}
	case "wait for a permit":
		go func() { _ = x.S.Acquire(context.Background(), 1) }()
		if err := say(nil); err != nil {
			return err
		}
	case "signal":
		for range x.Rounds {
			if err := x.S.Release(ctx, 1); err != nil {
				return err
			}
		}
		if err := say(nil); err != nil {
			return err
		}
	case "take turns":
		for range x.Rounds {
			if err := x.S.Acquire(ctx, 1); err != nil {
				return err
			}
			n := x.N.Load()
			x.N.Store(n + 1) // which others would undo, if they were here
			if err := x.S.Release(ctx, 1); err != nil {
				return err
			}
		}
		return nil
	case "meet":
		for i := range x.Rounds {
			x.N.Add(1)
			if _, err := x.B.Wait(ctx); err != nil {
				return err
			}
			if n := x.N.Load(); n < int64(3*(i+1)) {
				return errors.New("somebody is late")
			}
			if _, err := x.B.Wait(ctx); err != nil {
				return err
			}
		}
		return nil
	case "meet for ever":
		for {
			if _, err := x.B.Wait(ctx); err != nil {
				return nil
			}
		}
	case "hand over":
		for {
			if err := errors.Join(x.S.Acquire(ctx, 1), x.S2.Release(ctx, 1)); err != nil {
				return err
			}
		}
	case "arrive":
		go func() { _, _ = x.B.Wait(context.Background()) }()
		if err := say(nil); err != nil {
			return err
		}
	case "lock twice":
		if err := say(errors.Join(x.R.Lock(ctx), x.R.Lock(ctx))); err != nil {
			return err
		}
	case "wait for the event":
		if err := x.E.Wait(ctx); err != nil {
			return err
		}
		return say(nil)
	}
	<-ctx.Done()
	return nil
}, mp.Named("use tools"))

// begin starts a child, and returns when it has done it.
func (x tools) begin(t *testing.T, what string) mp.Child {
	t.Helper()
	c := start(t, UseTools, x.to(what))
	if got := get(x.Say.Get(within(t, long)))(t); got != what {
		t.Fatalf("it says %q", got)
	}
	return c
}

// What a process has of a semaphore comes back when it ends, in whatever way.
func TestPermitsComeBack(t *testing.T) {
	for _, how := range []string{"acquire", "acquire and leave"} {
		x, ctx := newTools(t, 2, 1), within(t, long)
		c := x.begin(t, how)
		if how == "acquire" {
			if get(x.S.TryAcquire(ctx, 1))(t) {
				t.Error("a permit that another process has")
			}
			must(t, c.Kill())
		} else {
			finish(t, c)
		}
		must(t, errors.Join(x.S.Acquire(ctx, 1), x.S.Acquire(ctx, 1)))
		if get(x.S.TryAcquire(ctx, 1))(t) {
			t.Error("there are more than at first")
		}
		must(t, errors.Join(x.S.Release(ctx, 1), x.S.Release(ctx, 1)))
	}
}

// Those who wait when a holder dies get his permits, and the dead get none.
func TestPermitsOfTheDeadGoOn(t *testing.T) {
	x, ctx := newTools(t, 2, 1), within(t, long)
	holder, waiter := x.begin(t, "acquire"), x.begin(t, "wait for a permit")
	mptest.Eventually(t, func() bool { return mp.WaitersOf(x.S) == 1 }, "it does not wait")
	got := make(chan error)
	go func() { got <- x.S.Acquire(ctx, 1) }()
	mptest.Eventually(t, func() bool { return mp.WaitersOf(x.S) == 2 }, "this process does not wait")
	must(t, waiter.Kill())
	must(t, holder.Kill())
	must(t, <-got)
	must(t, x.S.Acquire(ctx, 1))
	must(t, errors.Join(x.S.Release(ctx, 1), x.S.Release(ctx, 1)))
}

// Signals stay when who has given them is gone, and used ones are used up.
func TestSignalsStay(t *testing.T) {
	x, ctx := newTools(t, 0, 1), within(t, long)
	x.Rounds = 5
	c := x.begin(t, "signal")
	must(t, x.S.Acquire(ctx, 1))
	must(t, c.Kill())
	_ = c.Wait(ctx)
	d := x.begin(t, "acquire")
	must(t, d.Kill())
	_ = d.Wait(ctx)
	must(t, errors.Join(x.S.Acquire(ctx, 1), x.S.Acquire(ctx, 1)))
	if get(x.S.TryAcquire(ctx, 1))(t) {
		t.Error("a sixth of five signals")
	}
}

func TestSemaphoreExcludes(t *testing.T) {
	x := newTools(t, 1, 1)
	x.Rounds = 3000
	children := []mp.Child{start(t, UseTools, x.to("take turns")), start(t, UseTools, x.to("take turns"))}
	for range x.Rounds {
		must(t, x.S.Acquire(t.Context(), 1))
		n := x.N.Load()
		x.N.Store(n + 1)
		must(t, x.S.Release(t.Context(), 1))
	}
	for _, c := range children {
		finish(t, c)
	}
	if n := x.N.Load(); n != int64(3*x.Rounds) {
		t.Errorf("%d turns, want %d", n, 3*x.Rounds)
	}
}

func TestBarrierOfProcesses(t *testing.T) {
	x := newTools(t, 1, 3)
	x.Rounds = 300
	children := []mp.Child{start(t, UseTools, x.to("meet")), start(t, UseTools, x.to("meet")), start(t, UseTools, x.to("meet"))}
	for _, c := range children {
		finish(t, c)
	}
	if n := x.N.Load(); n != int64(3*x.Rounds) {
		t.Errorf("%d, want %d", n, 3*x.Rounds)
	}
}

// A party that dies breaks the barrier, at once; so does one that ends.
func TestBarrierLosesAParty(t *testing.T) {
	x, ctx := newTools(t, 1, 3), within(t, long)
	for range 2 {
		c := x.begin(t, "arrive")
		got := make(chan error)
		go func() { _, err := x.B.Wait(ctx); got <- err }()
		mptest.Eventually(t, func() bool { return get(x.B.Waiting(ctx))(t) == 2 }, "not two parties")
		must(t, c.Kill())
		wantErr(t, "Wait", <-got, mp.ErrBroken)
		if !get(x.B.Broken(ctx))(t) {
			t.Error("it is not broken")
		}
		must(t, x.B.Reset(ctx))
	}
	must(t, x.B.Abort(ctx))
	wantErr(t, "Wait", get2(x.B.Wait(ctx)), mp.ErrBroken)
}

func TestEventOfProcesses(t *testing.T) {
	x, ctx := newTools(t, 1, 1), within(t, long)
	c, d := start(t, UseTools, x.to("wait for the event")), start(t, UseTools, x.to("wait for the event"))
	must(t, d.Kill())
	must(t, x.E.Set(ctx))
	finish(t, c)
	must(t, x.E.Wait(ctx))
}

// Who dies with a recursive mutex leaves it free, and nobody is told.
func TestRecursiveMutexOfTheDead(t *testing.T) {
	x, ctx := newTools(t, 1, 1), within(t, long)
	c := x.begin(t, "lock twice")
	if get(x.R.TryLock(ctx))(t) {
		t.Error("two processes have it")
	}
	wantErr(t, "Lock", x.R.Lock(within(t, short)), context.DeadlineExceeded)
	got := make(chan error)
	for range 2 {
		go func() { got <- x.R.Lock(ctx) }() // of one process: both get it
	}
	must(t, c.Kill())
	must(t, errors.Join(<-got, <-got))
	x.R.Unlock()
	x.R.Unlock()
	wantPanic(t, "does not hold", x.R.Unlock)
}
