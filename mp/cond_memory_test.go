//go:build linux

package mp_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"multiproc/mp"
)

// bench is a Cond of a Mutex, one with a lock of its own, and whose turn it is.
type bench struct {
	Do     string
	M      *mp.Mutex
	C, Own *mp.Cond
	Turn   *mp.RawValue[int]
	Say    *mp.Queue[string]
	Rounds int
}

func newBench(t *testing.T) bench {
	t.Helper()
	m := mutex(t)
	return bench{
		M: m, C: closing(t, get(mp.NewCond(m))(t)), Own: closing(t, get(mp.NewCond(nil))(t)),
		Turn: closing(t, get(mp.NewRawValue(0))(t)), Say: queue[string](t, 100), Rounds: 500,
	}
}

func (b bench) to(what string) bench { b.Do = what; return b }

// play takes turns with another, by either Cond.
func (b bench) play(ctx context.Context, c *mp.Cond, me int) error {
	for range b.Rounds {
		if err := c.Lock(ctx); err != nil {
			return err
		}
		err := c.WaitFor(ctx, func() bool { return b.Turn.Load() == me })
		b.Turn.Store(1 - me)
		err = errors.Join(err, c.Signal(ctx))
		c.Unlock()
		if err != nil {
			return err
		}
	}
	return nil
}

// SitOnBench does what it is told to do.
var SitOnBench = mp.Proc(func(ctx context.Context, b bench) error {
	switch b.Do {
	case "play":
		return b.play(ctx, b.C, 1)
	case "play with its own lock":
		return b.play(ctx, b.Own, 1)
	case "wait", "wait with the mutex":
		lock, unlock := b.C.Lock, b.C.Unlock
		if b.Do != "wait" {
			lock, unlock = b.M.Lock, b.M.Unlock
		}
		if err := errors.Join(lock(ctx), b.Say.Put(ctx, b.Do)); err != nil {
			return err
		}
		defer unlock()
		return errors.Join(b.C.Wait(ctx), b.Say.Put(ctx, "signalled"))
	case "lock":
		if err := errors.Join(b.C.Lock(ctx), b.C.Signal(ctx), b.Say.Put(ctx, b.Do)); err != nil {
			return err
		}
	}
	<-ctx.Done()
	return nil
}, mp.Named("sit on the bench"))

// begin starts a child that has done so, and, if it waits, does.
func (b bench) begin(t *testing.T, what string) mp.Child {
	t.Helper()
	c := start(t, SitOnBench, b.to(what))
	b.hears(t, what)
	if what != "lock" {
		must(t, b.M.Lock(within(t, long))) // so it has given the lock up
		b.M.Unlock()
	}
	return c
}

func (b bench) hears(t *testing.T, want string) {
	t.Helper()
	if got := get(b.Say.Get(within(t, long)))(t); got != want {
		t.Fatalf("it says %q, want %q", got, want)
	}
}

// notify signals, with the lock taken through the mutex.
func (b bench) notify(t *testing.T, f func(context.Context) error) {
	t.Helper()
	must(t, b.M.Lock(within(t, long)))
	must(t, f(t.Context()))
	b.M.Unlock()
}

func TestCondOfProcesses(t *testing.T) {
	b, ctx := newBench(t), within(t, long)
	for what, cond := range map[string]*mp.Cond{"play": b.C, "play with its own lock": b.Own} {
		c := start(t, SitOnBench, b.to(what))
		must(t, b.play(ctx, cond, 0))
		finish(t, c)
	}
}

// Who waits first is signalled first, in whatever process, and with the lock through
// whatever handle.
func TestCondLine(t *testing.T) {
	b := newBench(t)
	one, two := b.begin(t, "wait"), b.begin(t, "wait with the mutex")
	three := b.begin(t, "wait")
	b.notify(t, b.C.Signal)
	b.hears(t, "signalled")
	finish(t, one)
	b.notify(t, b.C.Broadcast)
	b.hears(t, "signalled")
	b.hears(t, "signalled")
	finish(t, two)
	finish(t, three)
	b.notify(t, b.C.Signal) // to nobody, and forgotten
	must(t, b.C.Lock(t.Context()))
	wantErr(t, "Wait", b.C.Wait(within(t, short)), context.DeadlineExceeded)
	b.C.Unlock()
}

// The dead are not signalled, and a signal that a process had when it died goes to the
// next.
func TestCondOfTheDead(t *testing.T) {
	b, ctx := newBench(t), within(t, long)
	one, two := b.begin(t, "wait"), b.begin(t, "wait")
	three := b.begin(t, "wait")
	must(t, one.Kill())
	_ = one.Wait(ctx)
	b.notify(t, b.C.Signal)
	b.hears(t, "signalled")
	finish(t, two)

	// three is signalled, and dies before it gets the lock.
	must(t, b.C.Lock(ctx))
	got := make(chan error)
	go func() {
		err := b.C.Lock(ctx)
		got <- errors.Join(err, b.C.Wait(ctx))
		b.C.Unlock()
	}()
	b.C.Unlock()
	for waits := false; !waits; {
		must(t, b.C.Lock(ctx))
		waits = mp.StandIn(b.C) == 2
		if waits {
			must(t, b.C.Signal(ctx))
			must(t, three.Kill())
			_ = three.Wait(ctx)
		}
		b.C.Unlock()
	}
	must(t, <-got)
}

// Who waits hears of the death of a holder, and has the lock.
func TestCondHolderThatDies(t *testing.T) {
	b, ctx, got := newBench(t), within(t, long), make(chan error)
	must(t, b.C.Lock(ctx))
	go func() { got <- b.C.Wait(ctx) }()
	c := b.begin(t, "lock")
	must(t, c.Kill())
	var died *mp.OwnerDiedError
	if err := <-got; !errors.As(err, &died) || died.PID != c.PID() {
		t.Errorf("Wait: %v", err)
	}
	b.C.Unlock()
	if err := b.M.Lock(ctx); !errors.As(err, &died) {
		t.Error(err)
	}
	must(t, b.C.Repair(ctx, func() error { return nil }))
	must(t, b.M.Lock(ctx))
	b.M.Unlock()
}

// A handle that is closed takes no lock along, and the mutex of a Cond may be closed.
func TestCondClosed(t *testing.T) {
	b, ctx, got := newBench(t), within(t, long), make(chan error)
	must(t, b.M.Close())
	must(t, b.C.Lock(ctx))
	go func() { got <- b.C.Wait(ctx) }()
	must(t, b.C.Lock(ctx))
	wantPanic(t, "does not hold", b.M.Unlock)
	must(t, b.C.Close())
	wantErr(t, "Wait", <-got, mp.ErrClosed)
	b.C.Unlock() // of what the wait has lost
	b.C.Unlock()
	wantPanic(t, "does not hold", b.C.Unlock)
	wantErr(t, "Lock", b.C.Lock(ctx), mp.ErrClosed)
	wantErr(t, "Signal", b.C.Signal(ctx), mp.ErrClosed)
}

func TestWaitFor(t *testing.T) {
	everywhere(t, func(t *testing.T, opts ...mp.Option) {
		c, ctx, n := closing(t, get(mp.NewCond(nil, opts...))(t)), within(t, long), 0
		must(t, c.Lock(ctx))
		must(t, c.WaitFor(ctx, func() bool { return true }))
		wantErr(t, "WaitFor", c.WaitFor(mp.Within(ctx, 10*time.Millisecond), func() bool { n++; return false }), context.DeadlineExceeded)
		if n != 2 {
			t.Errorf("looked %d times", n)
		}
		late := mp.Within(ctx, 10*time.Millisecond)
		must(t, c.WaitFor(late, func() bool { return late.Err() != nil }))
		n = 0
		done := make(chan error)
		go func() {
			var err error
			for range 3 {
				err = errors.Join(err, c.Lock(ctx))
				n++
				err = errors.Join(err, c.Broadcast(ctx))
				c.Unlock()
			}
			done <- err
		}()
		must(t, c.WaitFor(ctx, func() bool { return n == 3 }))
		c.Unlock()
		must(t, <-done)
		var zero mp.Cond
		wantErr(t, "a handle that was never made", zero.WaitFor(ctx, func() bool { return true }), mp.ErrClosed)
	})
}
