//go:build linux

package mp_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"multiproc/mp"
)

func TestWaitGroup(t *testing.T) {
	everywhere(t, func(t *testing.T, opts ...mp.Option) {
		w, ctx := closing(t, get(mp.NewWaitGroup(opts...))(t)), t.Context()
		must(t, w.Wait(ctx))
		wantErr(t, "Done", w.Done(ctx), mp.ErrValue)
		wantErr(t, "Take", w.Take(ctx), mp.ErrValue)
		must(t, w.Add(ctx, 3))
		wantErr(t, "Wait", w.Wait(within(t, short)), context.DeadlineExceeded)
		waits := make(chan error)
		go func() { waits <- w.Wait(ctx) }()
		must(t, errors.Join(w.Done(ctx), w.Take(ctx), w.Add(ctx, -2)))
		must(t, <-waits)
		if n := get(w.Count(ctx))(t); n != 0 {
			t.Errorf("%d are left", n)
		}
		must(t, w.Close())
		wantErr(t, "Done", w.Done(ctx), mp.ErrClosed)
	})
}

// work is what children do with a wait group or a once.
type work struct {
	Do  string
	W   *mp.WaitGroup
	O   *mp.Once
	N   *mp.Counter
	Say *mp.Queue[string]
}

func newWork(t *testing.T) work {
	t.Helper()
	return work{
		W: closing(t, get(mp.NewWaitGroup())(t)), O: closing(t, get(mp.NewOnce())(t)),
		N: counter(t, 0), Say: queue[string](t, 100),
	}
}

func (x work) to(what string) work { x.Do = what; return x }

func (x work) begin(t *testing.T, what string) mp.Child {
	t.Helper()
	c := start(t, DoWork, x.to(what))
	if got := get(x.Say.Get(within(t, long)))(t); got != what {
		t.Fatalf("it says %q", got)
	}
	return c
}

// DoWork does what it is told to do, and says so.
var DoWork = mp.Proc(func(ctx context.Context, x work) error {
	say := func(err error) error { return errors.Join(err, x.Say.Put(ctx, x.Do)) }
	switch x.Do {
	case "done":
		return x.W.Done(ctx)
	case "fail":
		return errors.New("no")
	case "panic":
		panic("no")
	case "add and leave":
		return say(x.W.Add(ctx, 2))
	case "add":
		if err := say(x.W.Add(ctx, 2)); err != nil {
			return err
		}
	case "take":
		if err := say(x.W.Take(ctx)); err != nil {
			return err
		}
	case "nothing":
		if err := say(nil); err != nil {
			return err
		}
	case "once":
		return x.O.Do(ctx, func() error { x.N.Add(1); return nil })
	case "once, for ever":
		return x.O.Do(ctx, func() error {
			err := say(nil)
			<-ctx.Done()
			return err
		})
	}
	<-ctx.Done()
	return nil
}, mp.Named("do work"))

// wantLost checks that a part of the work was lost with a process.
func wantLost(t *testing.T, err error, c mp.Child) {
	t.Helper()
	var died *mp.OwnerDiedError
	if !errors.As(err, &died) || died.PID != c.PID() {
		t.Errorf("Wait: %v, want process %d", err, c.PID())
	}
}

// What a process has added or taken over is lost when it ends, in whatever way, and
// nobody waits for it.
func TestWaitGroupOfTheDead(t *testing.T) {
	for _, how := range []string{"add", "add and leave"} {
		x, ctx := newWork(t), within(t, long)
		must(t, x.W.Add(ctx, 1))
		waits := make(chan error, 1)
		go func() { waits <- x.W.Wait(ctx) }()
		c := x.begin(t, how)
		if how == "add" {
			must(t, c.Kill())
		}
		_ = c.Wait(ctx)
		if n := get(x.W.Count(ctx))(t); n != 1 {
			t.Errorf("%d are left", n)
		}
		must(t, x.W.Done(ctx))
		wantLost(t, <-waits, c)
		wantLost(t, x.W.Wait(ctx), c)
		must(t, errors.Join(x.W.Add(ctx, 1), x.W.Done(ctx), x.W.Wait(ctx)))
	}
	x, ctx := newWork(t), within(t, long)
	must(t, x.W.Add(ctx, 2))
	c := x.begin(t, "take")
	waits := make(chan error, 1)
	go func() { waits <- x.W.Wait(ctx) }()
	must(t, x.W.Done(ctx))
	must(t, c.Kill())
	wantLost(t, <-waits, c)
}

// A parent adds for its children, and they are done.
func TestWaitGroupOfChildren(t *testing.T) {
	x, ctx := newWork(t), within(t, long)
	must(t, x.W.Add(ctx, 4))
	for range 4 {
		start(t, DoWork, x.to("done"))
	}
	must(t, x.W.Wait(ctx))
}

func TestWaitGroupGo(t *testing.T) {
	x, ctx := newWork(t), within(t, long)
	refused := errors.New("not today")
	wantErr(t, "Go", x.W.Go(ctx, func() (mp.Child, error) { return nil, refused }), refused)
	for _, what := range []string{"fail", "once", "once"} {
		must(t, x.W.Go(ctx, func() (mp.Child, error) { return start(t, DoWork, x.to(what)), nil }))
	}
	must(t, x.W.Wait(ctx))
	if n := x.N.Load(); n != 1 {
		t.Errorf("it was done %d times", n)
	}
	var c mp.Child
	must(t, x.W.Go(ctx, func() (mp.Child, error) { c = x.begin(t, "nothing"); return c, nil }))
	wantErr(t, "Wait", x.W.Wait(within(t, short)), context.DeadlineExceeded)
	must(t, c.Kill())
	wantLost(t, x.W.Wait(ctx), c)
	must(t, x.W.Go(ctx, func() (mp.Child, error) { c = start(t, DoWork, x.to("panic")); return c, nil }))
	wantLost(t, x.W.Wait(ctx), c)
	other := closing(t, sent(t, x.W))
	must(t, x.W.Go(ctx, func() (mp.Child, error) { c = x.begin(t, "nothing"); return c, nil }))
	must(t, x.W.Close()) // what it has begun goes on
	must(t, c.Kill())
	wantLost(t, other.Wait(ctx), c)
}

func TestOnce(t *testing.T) {
	everywhere(t, func(t *testing.T, opts ...mp.Option) {
		o, ctx, no := closing(t, get(mp.NewOnce(opts...))(t)), t.Context(), errors.New("no")
		never := func() error { t.Error("it was done already"); return nil }
		wantErr(t, "Do", o.Do(ctx, func() error { return no }), no)
		func() {
			defer func() { _ = recover() }()
			_ = o.Do(ctx, func() error { panic("no") })
		}()
		wantErr(t, "Do in Do", o.Do(ctx, func() error { return o.Do(ctx, never) }), mp.ErrValue)
		var runs atomic.Int32
		all := make(chan error)
		for range 8 {
			go func() {
				all <- o.Do(ctx, func() error {
					runs.Add(1)
					return nil
				})
			}()
		}
		for range 8 {
			must(t, <-all)
		}
		if n := runs.Load(); n != 1 {
			t.Errorf("it was done %d times", n)
		}
		must(t, o.Close())
		wantErr(t, "Do", o.Do(ctx, never), mp.ErrClosed)
	})
}

// Two handles to one object are one Once.
func TestOnceInOnce(t *testing.T) {
	x, ctx := newWork(t), within(t, long)
	other := closing(t, sent(t, x.O))
	wantErr(t, "Do", x.O.Do(ctx, func() error { return other.Do(ctx, func() error { return nil }) }), mp.ErrValue)
	must(t, x.O.Do(ctx, func() error { return x.O.Close() }))
	must(t, other.Do(ctx, func() error { return errors.New("it was done already") }))
}

// If a process is killed while it does it the next one does.
func TestOnceOfTheDead(t *testing.T) {
	x, ctx := newWork(t), within(t, long)
	c := x.begin(t, "once, for ever")
	wantErr(t, "Do", x.O.Do(within(t, short), func() error { return nil }), context.DeadlineExceeded)
	waits := make(chan error)
	go func() { waits <- x.O.Do(ctx, func() error { x.N.Add(1); return nil }) }()
	d := start(t, DoWork, x.to("once"))
	must(t, c.Kill())
	must(t, <-waits)
	finish(t, d)
	if n := x.N.Load(); n != 1 {
		t.Errorf("it was done %d times", n)
	}
}

// sent is another handle of this process to the same object.
func sent[H closer](t *testing.T, h H) H {
	t.Helper()
	q := queue[H](t, 1)
	must(t, q.Put(t.Context(), h))
	return get(q.Get(t.Context()))(t)
}
