package drivertest

import (
	"context"
	"errors"
	"testing"

	"multiproc/internal/mperr"
	"multiproc/mp/driver"
)

// held reports whether what marks an object of a kind belongs to the session,
// and does not outlive its handle.
func held(kind driver.Kind) bool {
	switch kind {
	case driver.KindMutex, driver.KindRecursiveMutex, driver.KindSemaphore, driver.KindBoundedSemaphore,
		driver.KindCond, driver.KindRWMutex, driver.KindWaitGroup, driver.KindOnce:
		return true
	}
	return false
}

// markSync is mark for objects of synchronization.
func markSync(ctx context.Context, o driver.Object) error {
	switch o := o.(type) {
	case driver.RecursiveMutex:
		return o.Lock(ctx)
	case driver.Semaphore:
		return o.Acquire(ctx, 1)
	case driver.Event:
		return o.Set(ctx)
	case driver.WaitGroup:
		return o.Add(ctx, 7)
	case driver.Once:
		run, err := o.Begin(ctx)
		if err == nil && !run {
			err = errors.New("it is done")
		}
		return err
	default:
		return o.(driver.Barrier).Abort(ctx)
	}
}

func sameSync(ctx context.Context, o driver.Object) bool {
	switch o := o.(type) {
	case driver.RecursiveMutex:
		ok, err := o.TryLock(ctx)
		if !ok || err != nil {
			return err == nil
		}
		// It is this session's, or nobody's.
		if err := o.Unlock(ctx); err != nil {
			return false
		}
		return o.Unlock(ctx) == nil && o.Lock(ctx) == nil
	case driver.Semaphore:
		ok, err := o.TryAcquire(ctx, 1)
		return !ok && err == nil
	case driver.Event:
		set, err := o.IsSet(ctx)
		return set && err == nil
	case driver.WaitGroup:
		n, err := o.Count(ctx)
		return n == 7 && err == nil
	case driver.Once: // somebody is doing it
		short, cancel := context.WithTimeout(ctx, short)
		defer cancel()
		_, err := o.Begin(short)
		return errors.Is(err, context.DeadlineExceeded)
	case driver.Barrier:
		broken, err := o.Broken(ctx)
		return broken && err == nil
	}
	return false
}

var recursiveTests = []test{{"lock", testRecursive}, {"closed while held", testRecursiveClosedHeld}}

func newRecursive(t *testing.T, p driver.Place, name string) driver.RecursiveMutex {
	t.Helper()
	return open[driver.RecursiveMutex](t, p, driver.Spec{Kind: driver.KindRecursiveMutex, Name: name})
}

func testRecursive(t *testing.T, p driver.Place) {
	ctx := within(t, timeLimit)
	a, b := newRecursive(t, p, "r"), newRecursive(t, p, "r")
	wantErr(t, "unlock of a new one", a.Unlock(ctx), mperr.ErrNotHeld)
	must(t, a.Lock(ctx))
	ok, err := b.TryLock(ctx)
	is(t, "again, by another handle of the session", ok, err, true)
	must(t, a.Lock(ctx))
	for range 3 {
		must(t, b.Unlock(ctx))
	}
	wantErr(t, "unlock of a free one", a.Unlock(ctx), mperr.ErrNotHeld)
}

func testRecursiveClosedHeld(t *testing.T, p driver.Place) {
	ctx := within(t, timeLimit)
	a, b := newRecursive(t, p, "r"), newRecursive(t, p, "r")
	must(t, a.Lock(ctx))
	must(t, a.Close())
	must(t, a.Unlock(ctx))
	wantErr(t, "unlock of what a closed handle has given back", b.Unlock(ctx), mperr.ErrNotHeld)
	wantErr(t, "the second unlock", a.Unlock(ctx), mperr.ErrClosed)
}

var eventTests = []test{{"flag", testEvent}}

func testEvent(t *testing.T, p driver.Place) {
	e, ctx := open[driver.Event](t, p, spec(driver.KindEvent)), within(t, timeLimit)
	set, err := e.IsSet(ctx)
	is(t, "a new one", set, err, false)
	givesUp(t, "wait", e.Wait)
	one, cancel := waiting(t, "wait", e.Wait)
	defer cancel()
	two, cancel := waiting(t, "wait", e.Wait)
	defer cancel()
	must(t, e.Clear(ctx))
	must(t, e.Set(ctx))
	must(t, <-one)
	must(t, <-two)
	must(t, e.Set(ctx))
	must(t, e.Wait(ctx))
	set, err = e.IsSet(ctx)
	is(t, "after Set", set, err, true)
	must(t, e.Clear(ctx))
	set, err = e.IsSet(ctx)
	is(t, "after Clear", set, err, false)
	givesUp(t, "wait after Clear", e.Wait)
	three, cancel := waiting(t, "wait", e.Wait)
	defer cancel()
	must(t, e.Set(ctx))
	must(t, e.Clear(ctx))
	must(t, <-three)
}
