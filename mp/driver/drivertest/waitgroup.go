package drivertest

import (
	"context"
	"errors"
	"testing"

	"multiproc/internal/mperr"
	"multiproc/mp/driver"
)

var waitGroupTests = []test{
	{"count", testWaitGroup},
	{"rounds", testWaitGroupRounds},
	{"lost", testWaitGroupLost},
	{"closed while held", testWaitGroupClosedHeld},
}

func newWaitGroup(t *testing.T, p driver.Place, name string) driver.WaitGroup {
	t.Helper()
	return open[driver.WaitGroup](t, p, driver.Spec{Kind: driver.KindWaitGroup, Name: name})
}

func countIs(t *testing.T, w driver.WaitGroup, want int) {
	t.Helper()
	n, err := w.Count(within(t, timeLimit))
	is(t, "count", n, err, want)
}

func testWaitGroup(t *testing.T, p driver.Place) {
	w, ctx := newWaitGroup(t, p, ""), within(t, timeLimit)
	must(t, w.Wait(ctx))
	wantErr(t, "done of nothing", w.Add(ctx, -1), mperr.ErrValue)
	wantErr(t, "take of nothing", w.Take(ctx), mperr.ErrValue)
	wantErr(t, "loss of nothing", w.Lose(ctx, 1), mperr.ErrValue)
	must(t, w.Add(ctx, 0))
	must(t, w.Add(ctx, 3))
	givesUp(t, "wait", w.Wait)
	answer, cancel := waiting(t, "wait", w.Wait)
	defer cancel()
	must(t, w.Add(ctx, -1))
	must(t, w.Add(ctx, 1))
	must(t, w.Take(ctx)) // it is this session's already
	wantErr(t, "more done than there is", w.Add(ctx, -4), mperr.ErrValue)
	countIs(t, w, 3)
	must(t, w.Add(ctx, -2))
	still(t, "one is left", 1, answer)
	must(t, w.Add(ctx, -1))
	must(t, <-answer)
	must(t, w.Wait(ctx))
	countIs(t, w, 0)
}

// Who has waited for a round is let go at its end, though the next one has begun.
func testWaitGroupRounds(t *testing.T, p driver.Place) {
	w, ctx := newWaitGroup(t, p, ""), within(t, timeLimit)
	for range 5 {
		must(t, w.Add(ctx, 1))
		one, cancel := waiting(t, "wait", w.Wait)
		two, cancel2 := waiting(t, "wait", w.Wait)
		must(t, w.Add(ctx, -1))
		must(t, w.Add(ctx, 2))
		must(t, <-one)
		must(t, <-two)
		cancel()
		cancel2()
		must(t, w.Add(ctx, -2))
	}
}

// What is lost is told until the next round begins.
func testWaitGroupLost(t *testing.T, p driver.Place) {
	w, ctx := newWaitGroup(t, p, ""), within(t, timeLimit)
	must(t, w.Add(ctx, 2))
	answer, cancel := waiting(t, "wait", w.Wait)
	defer cancel()
	must(t, w.Lose(ctx, 1))
	still(t, "one is left", 1, answer)
	must(t, w.Add(ctx, -1))
	wantLost(t, "wait", <-answer)
	wantLost(t, "a late wait", w.Wait(ctx))
	must(t, w.Add(ctx, 1))
	must(t, w.Add(ctx, -1))
	must(t, w.Wait(ctx))
}

func wantLost(t *testing.T, what string, err error) {
	t.Helper()
	var died *mperr.OwnerDiedError
	if !errors.As(err, &died) {
		t.Errorf("%s: %v, want an OwnerDiedError", what, err)
	}
}

// What was added through a handle can be done through it after Close.
func testWaitGroupClosedHeld(t *testing.T, p driver.Place) {
	ctx := within(t, timeLimit)
	a, b := newWaitGroup(t, p, "w"), newWaitGroup(t, p, "w")
	must(t, a.Add(ctx, 2))
	must(t, a.Close())
	wantErr(t, "add to a closed handle", a.Add(ctx, 1), mperr.ErrClosed)
	countIs(t, b, 2)
	must(t, a.Add(ctx, -1))
	must(t, a.Add(ctx, -1))
	wantErr(t, "one done too many", a.Add(ctx, -1), mperr.ErrClosed)
	must(t, b.Wait(ctx))
}

var onceTests = []test{
	{"once", testOnce},
	{"failed", testOnceFailed},
	{"excludes", testOnceExcludes},
	{"closed while held", testOnceClosedHeld},
}

func newOnce(t *testing.T, p driver.Place, name string) driver.Once {
	t.Helper()
	return open[driver.Once](t, p, driver.Spec{Kind: driver.KindOnce, Name: name})
}

// begins is a Begin that is to answer run.
func begins(t *testing.T, o driver.Once, run bool) func(context.Context) error {
	return func(ctx context.Context) error {
		got, err := o.Begin(ctx)
		if err == nil && got != run {
			t.Errorf("begin: %v, want %v", got, run)
		}
		return err
	}
}

func testOnce(t *testing.T, p driver.Place) {
	o, ctx := newOnce(t, p, ""), within(t, timeLimit)
	wantErr(t, "end of what nobody has begun", o.End(ctx, true), mperr.ErrNotHeld)
	must(t, begins(t, o, true)(ctx))
	done, err := o.Done(ctx)
	is(t, "done", done, err, false)
	givesUp(t, "begin", begins(t, o, false))
	one, cancel := waiting(t, "begin", begins(t, o, false))
	defer cancel()
	two, cancel := waiting(t, "begin", begins(t, o, false))
	defer cancel()
	must(t, o.End(ctx, true))
	must(t, <-one)
	must(t, <-two)
	must(t, begins(t, o, false)(ctx))
	wantErr(t, "a second end", o.End(ctx, false), mperr.ErrNotHeld)
	done, err = o.Done(ctx)
	is(t, "done", done, err, true)
}

// If it fails the next one does it.
func testOnceFailed(t *testing.T, p driver.Place) {
	o, ctx := newOnce(t, p, ""), within(t, timeLimit)
	must(t, begins(t, o, true)(ctx))
	next, cancel := waiting(t, "begin", begins(t, o, true))
	defer cancel()
	must(t, o.End(ctx, false))
	must(t, <-next)
	must(t, o.End(ctx, true))
	must(t, begins(t, o, false)(ctx))
}

func testOnceExcludes(t *testing.T, p driver.Place) {
	o, times := newOnce(t, p, ""), make(chan struct{}, 100)
	crowd(t, 8, 5, func(ctx context.Context) error {
		run, err := o.Begin(ctx)
		if err == nil && run {
			times <- struct{}{}
			err = o.End(ctx, len(times) >= 3)
		}
		return err
	})
	if n := len(times); n != 3 {
		t.Errorf("it was done %d times, want 3", n)
	}
}

func testOnceClosedHeld(t *testing.T, p driver.Place) {
	ctx := within(t, timeLimit)
	a, b := newOnce(t, p, "o"), newOnce(t, p, "o")
	must(t, begins(t, a, true)(ctx))
	must(t, a.Close())
	waits, cancel := waiting(t, "begin", begins(t, b, false))
	defer cancel()
	must(t, a.End(ctx, true))
	must(t, <-waits)
	wantErr(t, "a second end", a.End(ctx, true), mperr.ErrClosed)
}
