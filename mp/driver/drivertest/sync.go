package drivertest

import (
	"context"
	"errors"
	"strconv"
	"testing"

	"multiproc/internal/mperr"
	"multiproc/mp/driver"
)

// held reports whether what marks an object of a kind belongs to the session,
// and does not outlive its handle.
func held(kind driver.Kind) bool {
	switch kind {
	case driver.KindMutex, driver.KindRecursiveMutex, driver.KindSemaphore, driver.KindBoundedSemaphore,
		driver.KindCond, driver.KindRWMutex:
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
		return o.Acquire(ctx)
	case driver.Event:
		return o.Set(ctx)
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
		ok, err := o.TryAcquire(ctx)
		return !ok && err == nil
	case driver.Event:
		set, err := o.IsSet(ctx)
		return set && err == nil
	case driver.Barrier:
		broken, err := o.Broken(ctx)
		return broken && err == nil
	}
	return false
}

// acquireAll takes permits until there are none, and waits for one more.
func acquireAll(ctx context.Context, s driver.Semaphore) error {
	for {
		if err := s.Acquire(ctx); err != nil {
			return err
		}
	}
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

var (
	semaphoreTests = []test{
		{"permits", testSemaphore},
		{"signals", testSemaphoreSignals},
		{"excludes", testSemaphoreExcludes},
		{"closed while held", testSemaphoreClosedHeld},
	}
	boundedTests = []test{{"bound", testBounded}}
)

func newSemaphore(t *testing.T, p driver.Place, name string, n int) driver.Semaphore {
	t.Helper()
	return open[driver.Semaphore](t, p, driver.Spec{Kind: driver.KindSemaphore, Name: name, Size: n})
}

func testSemaphore(t *testing.T, p driver.Place) {
	s, ctx := newSemaphore(t, p, "", 2), within(t, timeLimit)
	must(t, s.Acquire(ctx))
	ok, err := s.TryAcquire(ctx)
	is(t, "the second permit", ok, err, true)
	ok, err = s.TryAcquire(ctx)
	is(t, "a third permit", ok, err, false)
	givesUp(t, "acquire", s.Acquire)
	answer, cancel := waiting(t, "acquire", s.Acquire)
	defer cancel()
	must(t, s.Release(ctx))
	must(t, <-answer)
	for range 3 {
		must(t, s.Release(ctx)) // one more than there were
	}
	for range 3 {
		must(t, s.Acquire(ctx))
	}
	ok, err = s.TryAcquire(ctx)
	is(t, "a fourth permit", ok, err, false)
}

// A permit that was acquired through a handle is given back through it also
// after Close.
func testSemaphoreClosedHeld(t *testing.T, p driver.Place) {
	ctx := within(t, timeLimit)
	a, b := newSemaphore(t, p, "s", 1), newSemaphore(t, p, "s", 1)
	must(t, a.Acquire(ctx))
	must(t, a.Close())
	ok, err := b.TryAcquire(ctx)
	is(t, "a permit of a closed handle", ok, err, false)
	must(t, a.Release(ctx))
	wantErr(t, "the second release", a.Release(ctx), mperr.ErrClosed)
	ok, err = b.TryAcquire(ctx)
	is(t, "a permit that a closed handle gave back", ok, err, true)
	ok, err = b.TryAcquire(ctx)
	is(t, "a permit too many", ok, err, false)
}

// A semaphore that begins with no permits is released by one and acquired by
// another.
func testSemaphoreSignals(t *testing.T, p driver.Place) {
	s, ctx := newSemaphore(t, p, "", 0), within(t, timeLimit)
	for range 3 {
		answer, cancel := waiting(t, "acquire", s.Acquire)
		must(t, s.Release(ctx))
		must(t, <-answer)
		cancel()
	}
}

// An Acquire that gives up has no permit, however close it was.
func testSemaphoreExcludes(t *testing.T, p driver.Place) {
	s, inside := newSemaphore(t, p, "", 2), make(chan struct{}, 2)
	crowd(t, 5, 50, func(ctx context.Context) error {
		c, cancel := context.WithCancel(ctx)
		go cancel()
		err := s.Acquire(c)
		if errors.Is(err, context.Canceled) {
			err = s.Acquire(ctx)
		}
		cancel()
		if err != nil {
			return err
		}
		select {
		case inside <- struct{}{}:
			<-inside
		default:
			t.Error("a third one is inside")
		}
		return s.Release(ctx)
	})
	for i, want := range []bool{true, true, false} {
		ok, err := s.TryAcquire(within(t, timeLimit))
		is(t, "permit "+strconv.Itoa(i), ok, err, want)
	}
}

func testBounded(t *testing.T, p driver.Place) {
	ctx := within(t, timeLimit)
	s := open[driver.Semaphore](t, p, driver.Spec{Kind: driver.KindBoundedSemaphore, Size: 1})
	wantErr(t, "a release too many", s.Release(ctx), mperr.ErrValue)
	must(t, s.Acquire(ctx))
	ok, err := s.TryAcquire(ctx)
	is(t, "a second permit", ok, err, false)
	must(t, s.Release(ctx))
	wantErr(t, "a release too many", s.Release(ctx), mperr.ErrValue)
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
