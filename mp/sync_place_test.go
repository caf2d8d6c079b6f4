//go:build linux

package mp_test

import (
	"context"
	"errors"
	"testing"

	"multiproc/mp"
	"multiproc/mp/driver"
	"multiproc/mp/driver/drivertest"
)

// in makes an object in a place, and closes it at the end of the test.
func in[H closer](t *testing.T, p driver.Place, f func(...mp.Option) (H, error), name ...string) H {
	t.Helper()
	opts := []mp.Option{mp.In(p)}
	for _, n := range name {
		opts = append(opts, mp.WithName(n))
	}
	return closing(t, get(f(opts...))(t))
}

func newSemaphore(n int) func(...mp.Option) (*mp.Semaphore, error) {
	return func(opts ...mp.Option) (*mp.Semaphore, error) { return mp.NewSemaphore(n, opts...) }
}

func newBounded(n int) func(...mp.Option) (*mp.Semaphore, error) {
	return func(opts ...mp.Option) (*mp.Semaphore, error) { return mp.NewBoundedSemaphore(n, opts...) }
}

func newBarrier(n int) func(...mp.Option) (*mp.Barrier, error) {
	return func(opts ...mp.Option) (*mp.Barrier, error) { return mp.NewBarrier(n, opts...) }
}

func newCond(m *mp.Mutex) func(...mp.Option) (*mp.Cond, error) {
	return func(opts ...mp.Option) (*mp.Cond, error) { return mp.NewCond(m, opts...) }
}

// What New functions refuse.
func TestNewSync(t *testing.T) {
	p := mp.In(drivertest.Memory())
	wantErr(t, "-1 permits", get2(mp.NewSemaphore(-1, p)), mp.ErrValue)
	wantErr(t, "-1 permits", get2(mp.NewBoundedSemaphore(-1, p)), mp.ErrValue)
	wantErr(t, "no parties", get2(mp.NewBarrier(0, p)), mp.ErrValue)
	wantErr(t, "a Cond elsewhere than its mutex", get2(mp.NewCond(mutex(t, p), mp.In(drivertest.Memory()))), mp.ErrForeign)
	wantErr(t, "a Cond elsewhere than its mutex", get2(mp.NewCond(mutex(t), p)), mp.ErrForeign)
	closed := get(mp.NewMutex())(t)
	must(t, closed.Close())
	wantErr(t, "a Cond of a mutex that is closed", get2(mp.NewCond(closed)), mp.ErrClosed)
}

func TestZeroSync(t *testing.T) {
	ctx, nothing := t.Context(), func() error { return nil }
	var s mp.Semaphore
	var r mp.RecursiveMutex
	var e mp.Event
	var c mp.Cond
	var b mp.Barrier
	var w mp.RWMutex
	var g mp.WaitGroup
	var o mp.Once
	for what, err := range map[string]error{
		"Semaphore.Acquire": s.Acquire(ctx, 1), "Semaphore.TryAcquire": get2(s.TryAcquire(ctx, 1)), "Semaphore.Release": s.Release(ctx, 1), "Semaphore.Close": s.Close(),
		"RecursiveMutex.Lock": r.Lock(ctx), "RecursiveMutex.TryLock": get2(r.TryLock(ctx)),
		"WaitGroup.Add": g.Add(ctx, 1), "WaitGroup.Done": g.Done(ctx), "WaitGroup.Take": g.Take(ctx), "WaitGroup.Wait": g.Wait(ctx),
		"WaitGroup.Count": get2(g.Count(ctx)), "WaitGroup.Go": g.Go(ctx, nil), "Once.Do": o.Do(ctx, nothing),
		"Event.Set": e.Set(ctx), "Event.Clear": e.Clear(ctx), "Event.IsSet": get2(e.IsSet(ctx)), "Event.Wait": e.Wait(ctx),
		"Cond.Lock": c.Lock(ctx), "Cond.TryLock": get2(c.TryLock(ctx)), "Cond.Wait": c.Wait(ctx), "Cond.Signal": c.Signal(ctx),
		"Cond.Broadcast": c.Broadcast(ctx), "Cond.Repair": c.Repair(ctx, nothing),
		"Barrier.Wait": get2(b.Wait(ctx)), "Barrier.Abort": b.Abort(ctx), "Barrier.Reset": b.Reset(ctx), "Barrier.Parties": get2(b.Parties(ctx)),
		"Barrier.Waiting": get2(b.Waiting(ctx)), "Barrier.Broken": get2(b.Broken(ctx)),
		"RWMutex.Lock": w.Lock(ctx), "RWMutex.TryLock": get2(w.TryLock(ctx)), "RWMutex.RLock": w.RLock(ctx), "RWMutex.TryRLock": get2(w.TryRLock(ctx)),
		"RWMutex.Repair": w.Repair(ctx, nothing),
	} {
		wantErr(t, what, err, mp.ErrClosed)
	}
	wantErr(t, "Cond.Owner", get2(c.Owner(ctx)), mp.ErrClosed)
	wantErr(t, "RWMutex.Owner", get2(w.Owner(ctx)), mp.ErrClosed)
	wantPanic(t, "does not hold", r.Unlock)
	wantPanic(t, "does not hold", c.Unlock)
	wantPanic(t, "does not hold", w.Unlock)
	wantPanic(t, "does not hold", w.RUnlock)
}

func TestSemaphore(t *testing.T) {
	everywhere(t, func(t *testing.T, opts ...mp.Option) {
		s, ctx := closing(t, get(newSemaphore(1)(opts...))(t)), t.Context()
		must(t, s.Acquire(ctx, 1))
		if get(s.TryAcquire(ctx, 1))(t) {
			t.Error("two permits")
		}
		wantErr(t, "Acquire", s.Acquire(within(t, short), 1), context.DeadlineExceeded)
		must(t, s.Release(ctx, 1))
		must(t, s.Release(ctx, 1))
		for range 2 {
			if !get(s.TryAcquire(ctx, 1))(t) {
				t.Error("Release gives no permit")
			}
		}
		must(t, errors.Join(s.Release(ctx, 1), s.Release(ctx, 1)))
		b := closing(t, get(newBounded(1)(opts...))(t))
		wantErr(t, "Release", b.Release(ctx, 1), mp.ErrValue)
	})
}

func TestRecursiveMutex(t *testing.T) {
	everywhere(t, func(t *testing.T, opts ...mp.Option) {
		m, ctx := closing(t, get(mp.NewRecursiveMutex(opts...))(t)), t.Context()
		must(t, m.Lock(ctx))
		if !get(m.TryLock(ctx))(t) {
			t.Error("it is not recursive")
		}
		m.Unlock()
		m.Unlock()
		wantPanic(t, "does not hold", m.Unlock)
	})
}

func TestEvent(t *testing.T) {
	everywhere(t, func(t *testing.T, opts ...mp.Option) {
		e, ctx := closing(t, get(mp.NewEvent(opts...))(t)), t.Context()
		wantErr(t, "Wait", e.Wait(within(t, short)), context.DeadlineExceeded)
		answer := make(chan error)
		go func() { answer <- e.Wait(ctx) }()
		must(t, e.Set(ctx))
		must(t, <-answer)
		if !get(e.IsSet(ctx))(t) {
			t.Error("not set")
		}
		must(t, e.Clear(ctx))
		if get(e.IsSet(ctx))(t) {
			t.Error("still set")
		}
	})
}

func TestBarrier(t *testing.T) {
	everywhere(t, func(t *testing.T, opts ...mp.Option) {
		b, ctx := closing(t, get(newBarrier(2)(opts...))(t)), t.Context()
		first := make(chan int)
		for range 3 {
			go func() { i, _ := b.Wait(ctx); first <- i }()
			if i := get(b.Wait(ctx))(t) + <-first; i != 1 {
				t.Errorf("the sum of the indices is %d", i)
			}
		}
		if n := get(b.Parties(ctx))(t); n != 2 || get(b.Waiting(ctx))(t) != 0 {
			t.Errorf("%d parties", n)
		}
		must(t, b.Abort(ctx))
		wantErr(t, "Wait", get2(b.Wait(ctx)), mp.ErrBroken)
		if !get(b.Broken(ctx))(t) {
			t.Error("not broken")
		}
		must(t, b.Reset(ctx))
	})
}

// A queue of one place, as one would write it with sync.Cond.
func TestCond(t *testing.T) {
	everywhere(t, func(t *testing.T, opts ...mp.Option) {
		for _, m := range []*mp.Mutex{nil, mutex(t, opts...)} {
			c, full, x, sum := closing(t, get(mp.NewCond(m, opts...))(t)), false, 0, 0
			until := func(want bool, f func()) error {
				if err := c.Lock(t.Context()); err != nil {
					return err
				}
				defer c.Unlock()
				for full != want {
					if err := c.Wait(t.Context()); err != nil {
						return err
					}
				}
				f()
				full = !want
				return c.Broadcast(t.Context())
			}
			put := make(chan error)
			go func() {
				var err error
				for i := 1; i <= 20 && err == nil; i++ {
					err = until(false, func() { x = i })
				}
				put <- err
			}()
			for range 20 {
				must(t, until(true, func() { sum += x }))
			}
			must(t, <-put)
			if sum != 210 {
				t.Errorf("got %d, want 210", sum)
			}
		}
		c := closing(t, get(mp.NewCond(nil, opts...))(t))
		wantPanic(t, "does not hold", c.Unlock)
		must(t, c.Lock(t.Context()))
		wantErr(t, "Wait", c.Wait(within(t, short)), context.DeadlineExceeded)
		if get(c.Owner(t.Context()))(t) == 0 {
			t.Error("the lock is not held after Wait")
		}
		must(t, c.Signal(t.Context()))
		c.Unlock()
		if !get(c.TryLock(t.Context()))(t) {
			t.Error("it is not free")
		}
		c.Unlock()
		must(t, c.Repair(t.Context(), func() error { return nil }))
	})
}

func TestRWMutex(t *testing.T) {
	everywhere(t, func(t *testing.T, opts ...mp.Option) {
		m, ctx := closing(t, get(mp.NewRWMutex(opts...))(t)), t.Context()
		must(t, m.RLock(ctx))
		if !get(m.TryRLock(ctx))(t) || get(m.TryLock(ctx))(t) {
			t.Error("readers do not share")
		}
		wantErr(t, "Lock", m.Lock(within(t, short)), context.DeadlineExceeded)
		m.RUnlock()
		m.RUnlock()
		wantPanic(t, "does not hold", m.RUnlock)
		must(t, m.Lock(ctx))
		if get(m.Owner(ctx))(t) == 0 || get(m.TryRLock(ctx))(t) {
			t.Error("a writer does not exclude")
		}
		wantErr(t, "RLock", m.RLock(within(t, short)), context.DeadlineExceeded)
		m.Unlock()
		wantPanic(t, "does not hold", m.Unlock)
	})
}

// What the death of a holder does: the faces of the tests in drivertest.
func TestSyncDeath(t *testing.T) {
	store, ctx := drivertest.NewStore(), t.Context()
	victim, p := store.Join(), store.Join()
	theirs, m := in(t, victim, mp.NewRWMutex, "w"), in(t, p, mp.NewRWMutex, "w")
	theirCond, c := in(t, victim, newCond(nil), "c"), in(t, p, newCond(nil), "c")
	theirR, r := in(t, victim, mp.NewRecursiveMutex, "r"), in(t, p, mp.NewRecursiveMutex, "r")
	theirS, s := in(t, victim, newSemaphore(1), "s"), in(t, p, newSemaphore(1), "s")
	must(t, errors.Join(theirs.Lock(ctx), theirCond.Lock(ctx), theirR.Lock(ctx), theirS.Acquire(ctx, 1)))
	victim.Kill()
	must(t, errors.Join(r.Lock(ctx), s.Acquire(ctx, 1)))
	var died *mp.OwnerDiedError
	for what, err := range map[string]error{
		"RLock": m.RLock(ctx), "Lock": m.Lock(ctx), "TryRLock": get2(m.TryRLock(ctx)), "Cond.Lock": c.Lock(ctx),
	} {
		if !errors.As(err, &died) {
			t.Errorf("%s: %v", what, err)
		}
	}
	wantErr(t, "a repair that fails", m.Repair(ctx, func() error { return errMine }), errMine)
	nothing := func() error { return nil }
	must(t, errors.Join(m.Repair(ctx, nothing), c.Repair(ctx, nothing)))
	must(t, errors.Join(m.RLock(ctx), c.Lock(ctx)))
	m.RUnlock()
	c.Unlock()
	theirs.Unlock() // what was lost is no mistake
	theirCond.Unlock()
	theirR.Unlock()
	wantErr(t, "Release of the dead", theirS.Release(ctx, 1), mp.ErrUnknownFate)
}

// together is one handle of each kind.
type together struct {
	S *mp.Semaphore
	R *mp.RecursiveMutex
	E *mp.Event
	C *mp.Cond
	B *mp.Barrier
	W *mp.RWMutex
	N *mp.Value[int]
}

// Meet uses all of them in a child.
var Meet = mp.Proc(func(ctx context.Context, x together) error {
	if _, err := x.B.Wait(ctx); err != nil {
		return err
	}
	if err := errors.Join(x.S.Acquire(ctx, 1), x.R.Lock(ctx), x.W.Lock(ctx), x.E.Set(ctx)); err != nil {
		return err
	}
	x.W.Unlock()
	x.R.Unlock()
	if err := errors.Join(x.S.Release(ctx, 1), x.C.Lock(ctx)); err != nil {
		return err
	}
	defer x.C.Unlock()
	n, err := x.N.Add(ctx, 1)
	if err != nil || n < 2 {
		return errors.Join(err, x.C.Broadcast(ctx))
	}
	return x.C.Signal(ctx)
}, mp.Named("meet"))

// Handles travel to children and through objects of the place.
func TestSyncTravels(t *testing.T) {
	p, ctx := served(t), t.Context()
	x := together{
		in(t, p, newSemaphore(1)), in(t, p, mp.NewRecursiveMutex), in(t, p, mp.NewEvent), in(t, p, newCond(nil)),
		in(t, p, newBarrier(3)), in(t, p, mp.NewRWMutex), value(t, 0, mp.In(p)),
	}
	running := []mp.Child{start(t, Meet, x), start(t, Meet, x)}
	must(t, x.C.Lock(ctx))
	if i := get(x.B.Wait(ctx))(t); i < 0 || i > 2 {
		t.Errorf("index %d", i)
	}
	must(t, x.E.Wait(ctx))
	for get(x.N.Load(ctx))(t) < 2 {
		must(t, x.C.Wait(ctx))
	}
	x.C.Unlock()
	for _, c := range running {
		finish(t, c)
	}
	q := queue[together](t, 1, mp.In(p))
	must(t, q.Put(ctx, x))
	y := get(q.Get(ctx))(t)
	must(t, x.S.Acquire(ctx, 1))
	if get(y.S.TryAcquire(ctx, 1))(t) || !get(y.E.IsSet(ctx))(t) || get(y.B.Parties(ctx))(t) != 3 {
		t.Error("they are others")
	}
	must(t, errors.Join(y.S.Close(), y.R.Close(), y.E.Close(), y.C.Close(), y.B.Close(), y.W.Close(), y.N.Close()))
}

// A handle does not become one to a thing of another kind that can do the same.
func TestLocksAreNotMutexes(t *testing.T) {
	inPlaces(t, func(t *testing.T, p driver.Place) {
		ctx := t.Context()
		conds := closing(t, get(mp.NewDict[int, *mp.Cond](mp.In(p), mp.WithName("d")))(t))
		mutexes := closing(t, get(mp.NewDict[int, *mp.Mutex](mp.In(p), mp.WithName("d")))(t))
		must(t, conds.Set(ctx, 1, in(t, p, newCond(nil))))
		wantErr(t, "a Cond as a Mutex", get2(mutexes.Get(ctx, 1)), mp.ErrType)
		must(t, mutexes.Set(ctx, 2, mutex(t, mp.In(p))))
		wantErr(t, "a Mutex as a Cond", get2(conds.Get(ctx, 2)), mp.ErrType)
		in(t, p, mp.NewRWMutex, "w")
		wantErr(t, "an RWMutex as a Mutex", get2(mp.NewMutex(mp.In(p), mp.WithName("w"))), mp.ErrType)
	})
}

// A lock is given back through the handle that took it; another one of the same
// process would be a mistake, and is told so.
func TestUnlockThroughAnotherHandle(t *testing.T) {
	inPlaces(t, func(t *testing.T, p driver.Place) {
		for range 2 { // by name: two handles to one mutex
			one, other := mutex(t, mp.In(p), mp.WithName("m")), mutex(t, mp.In(p), mp.WithName("m"))
			must(t, one.Lock(t.Context()))
			wantPanic(t, "does not hold through this handle", other.Unlock)
			one.Unlock()
		}
	})
}
