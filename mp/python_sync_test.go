//go:build linux

package mp_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"multiproc/mp"
)

// CPython's tests of its objects of synchronization, those of test.test_multiprocessing
// that say something about a program in any language, in memory and in a manager.
// docs/python.md names them: classes lose their _Test, and where Python returns False
// here is an error.

var pythonSyncTests = []struct {
	name string
	run  func(t *testing.T, opts []mp.Option)
}{
	{"Lock/test_lock", pyLock},
	{"Lock/test_rlock", pyRLock},
	{"Lock/test_lock_context", pyLockContext},
	{"Semaphore/test_semaphore", pySemaphore},
	{"Semaphore/test_bounded_semaphore", pyBoundedSemaphore},
	{"Semaphore/test_timeout", pySemaphoreTimeout},
	{"Condition/test_notify", pyNotify},
	{"Condition/test_notify_all", pyNotifyAll},
	{"Condition/test_notify_n", pyNotifyN},
	{"Condition/test_timeout", pyCondTimeout},
	{"Condition/test_waitfor", pyWaitFor},
	{"Condition/test_waitfor_timeout", pyWaitForTimeout},
	{"Condition/test_wait_result", pyWaitResult},
	{"Event/test_event", pyEvent},
	{"Barrier/test_barrier", func(t *testing.T, opts []mp.Option) { pyBarrier(t, opts, 1) }},
	{"Barrier/test_barrier_10", func(t *testing.T, opts []mp.Option) { pyBarrier(t, opts, 10) }},
	{"Barrier/test_wait_return", pyBarrierReturn},
	{"Barrier/test_action", pyBarrierAction},
	{"Barrier/test_abort", pyBarrierAbort},
	{"Barrier/test_reset", pyBarrierReset},
	{"Barrier/test_abort_and_reset", pyBarrierAbortAndReset},
	{"Barrier/test_timeout", pyBarrierTimeout},
	{"Barrier/test_default_timeout", pyBarrierTimeout},
	{"Barrier/test_single_thread", pyBarrierSingle},
	{"Barrier/test_thousand", func(t *testing.T, opts []mp.Option) { pyBarrier(t, opts, 1000) }},
}

func TestPythonSync(t *testing.T) {
	page, err := os.ReadFile("../docs/python.md")
	must(t, err)
	for _, test := range pythonSyncTests {
		class, name, _ := strings.Cut(test.name, "/")
		if !strings.Contains(string(page), "| `_Test"+class+"."+name+"` | `TestPythonSync/"+test.name+"`") {
			t.Errorf("docs/python.md does not name %s", test.name)
		}
		t.Run(test.name, func(t *testing.T) {
			t.Run("memory", func(t *testing.T) { test.run(t, nil) })
			t.Run("manager", func(t *testing.T) { test.run(t, []mp.Option{mp.In(served(t))}) })
		})
	}
}

// pyTools are what a test and its processes share.
type pyTools struct {
	Do              string
	Rounds, Parties int
	C               *mp.Cond
	E               *mp.Event
	B               *mp.Barrier
	N               *mp.Value[int]
	Sleeping, Woken *mp.Semaphore
}

func newPyTools(t *testing.T, opts []mp.Option, parties int) pyTools {
	t.Helper()
	return pyTools{
		Parties: parties,
		C:       closing(t, get(mp.NewCond(nil, opts...))(t)), E: closing(t, get(mp.NewEvent(opts...))(t)),
		B: closing(t, get(mp.NewBarrier(parties, opts...))(t)), N: value(t, 0, opts...),
		Sleeping: closing(t, get(mp.NewSemaphore(0, opts...))(t)), Woken: closing(t, get(mp.NewSemaphore(0, opts...))(t)),
	}
}

// RunPyTools does in another process what the tests do in goroutines, too.
var RunPyTools = mp.Proc(func(ctx context.Context, x pyTools) error {
	switch x.Do {
	case "sleep":
		return x.sleep(ctx, ctx)
	case "sleep in vain":
		if err := x.sleep(ctx, mp.Within(ctx, 10*time.Millisecond)); !errors.Is(err, context.DeadlineExceeded) {
			return errors.Join(errors.New("it was woken"), err)
		}
		return nil
	case "count down":
		if err := x.C.Lock(ctx); err != nil {
			return err
		}
		defer x.C.Unlock()
		return errors.Join(x.N.Store(ctx, 0), x.C.Signal(ctx), x.waitFor(ctx, 4))
	case "set":
		return x.E.Set(ctx)
	case "meet":
		return x.meet(ctx)
	}
	return errors.New(x.Do)
}, mp.Named("run python's tools"))

// sleep waits to be notified, within limit, and says when it sleeps and when it woke.
func (x pyTools) sleep(ctx, limit context.Context) error {
	if err := errors.Join(x.C.Lock(ctx), x.Sleeping.Release(ctx, 1)); err != nil {
		return err
	}
	err := x.C.Wait(limit)
	err = errors.Join(err, x.Woken.Release(ctx, 1))
	x.C.Unlock()
	return err
}

// waitFor waits until N is n. The lock is held.
func (x pyTools) waitFor(ctx context.Context, n int) error {
	var failed error
	err := x.C.WaitFor(ctx, func() bool {
		now, err := x.N.Load(ctx)
		failed = err
		return now == n || err != nil
	})
	return errors.Join(failed, err)
}

// meet comes to the barrier in each round, and checks that nobody is ahead or behind.
func (x pyTools) meet(ctx context.Context) error {
	for i := range x.Rounds {
		if _, err := x.N.Add(ctx, 1); err != nil {
			return err
		}
		if _, err := x.B.Wait(ctx); err != nil {
			return err
		}
		n, err := x.N.Load(ctx)
		if err == nil && n != (i+1)*x.Parties {
			err = errors.New("not in lockstep")
		}
		if err != nil {
			return err
		}
		if _, err := x.B.Wait(ctx); err != nil {
			return err
		}
	}
	return nil
}

// crew starts something in so many processes and goroutines; finish waits for them.
func (x pyTools) crew(t *testing.T, do string, processes, goroutines int, f func() error) (finished func()) {
	t.Helper()
	var all sync.WaitGroup
	x.Do = do
	for range processes {
		c := start(t, RunPyTools, x)
		all.Go(func() {
			if err := c.Wait(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	for range goroutines {
		all.Go(func() {
			if err := f(); err != nil {
				t.Error(err)
			}
		})
	}
	return all.Wait
}

// sleepers starts them, and returns when all are in Wait.
func (x pyTools) sleepers(t *testing.T, processes, goroutines int) (finished func()) {
	t.Helper()
	ctx := within(t, long)
	finished = x.crew(t, "sleep", processes, goroutines, func() error { return x.sleep(ctx, ctx) })
	must(t, x.Sleeping.Acquire(ctx, processes+goroutines))
	x.notify(t, 0) // they have given the lock up by then
	return finished
}

// notify notifies n of them.
func (x pyTools) notify(t *testing.T, n int) {
	t.Helper()
	must(t, x.C.Lock(within(t, long)))
	for range n {
		must(t, x.C.Signal(t.Context()))
	}
	x.C.Unlock()
}

// woke checks that n have woken, and no more.
func (x pyTools) woke(t *testing.T, n int) {
	t.Helper()
	if n > 0 {
		must(t, x.Woken.Acquire(within(t, long), n))
	}
	wantErr(t, "one more that woke", x.Woken.Acquire(within(t, short), 1), context.DeadlineExceeded)
}

func pyLock(t *testing.T, opts []mp.Option) {
	m, ctx := mutex(t, opts...), within(t, long)
	must(t, m.Lock(ctx))
	if get(m.TryLock(ctx))(t) {
		t.Error("it has been acquired twice")
	}
	m.Unlock()
	wantPanic(t, "does not hold", m.Unlock)
}

func pyRLock(t *testing.T, opts []mp.Option) {
	m, ctx := closing(t, get(mp.NewRecursiveMutex(opts...))(t)), within(t, long)
	must(t, errors.Join(m.Lock(ctx), m.Lock(ctx), m.Lock(ctx)))
	m.Unlock()
	m.Unlock()
	m.Unlock()
	wantPanic(t, "does not hold", m.Unlock)
}

func pyLockContext(t *testing.T, opts []mp.Option) {
	m, ctx := mutex(t, opts...), within(t, long)
	func() {
		must(t, m.Lock(ctx))
		defer m.Unlock()
	}()
	if !get(m.TryLock(ctx))(t) {
		t.Error("it is held")
	}
	m.Unlock()
}

func pySemaphore(t *testing.T, opts []mp.Option) {
	s := closing(t, get(mp.NewSemaphore(2, opts...))(t))
	pyCounts(t, s)
	must(t, errors.Join(s.Release(t.Context(), 1), s.Release(t.Context(), 1))) // beyond the first number
	must(t, s.Acquire(t.Context(), 4))
}

func pyCounts(t *testing.T, s *mp.Semaphore) {
	t.Helper()
	ctx := within(t, long)
	must(t, errors.Join(s.Acquire(ctx, 1), s.Acquire(ctx, 1)))
	if get(s.TryAcquire(ctx, 1))(t) {
		t.Error("a third of two")
	}
	must(t, errors.Join(s.Release(ctx, 1), s.Release(ctx, 1)))
}

func pyBoundedSemaphore(t *testing.T, opts []mp.Option) {
	s := closing(t, get(mp.NewBoundedSemaphore(2, opts...))(t))
	pyCounts(t, s)
	wantErr(t, "Release", s.Release(t.Context(), 1), mp.ErrValue)
}

// No time, no time left, and some: an Acquire in vain ends when it should, not before.
func pySemaphoreTimeout(t *testing.T, opts []mp.Option) {
	s := closing(t, get(mp.NewSemaphore(0, opts...))(t))
	if get(s.TryAcquire(t.Context(), 1))(t) {
		t.Error("a permit of none")
	}
	for _, d := range []time.Duration{-time.Second, 0, 20 * time.Millisecond} {
		begin := time.Now()
		wantErr(t, "Acquire", s.Acquire(mp.Within(t.Context(), d), 1), context.DeadlineExceeded)
		if took := time.Since(begin); took < d {
			t.Errorf("%v of %v", took, d)
		}
	}
}

func pyNotify(t *testing.T, opts []mp.Option) {
	x := newPyTools(t, opts, 1)
	finished := x.sleepers(t, 1, 1)
	x.woke(t, 0)
	x.notify(t, 1)
	x.woke(t, 1)
	x.notify(t, 1)
	x.woke(t, 1)
	finished()
}

func pyNotifyAll(t *testing.T, opts []mp.Option) {
	x, ctx := newPyTools(t, opts, 1), within(t, long)
	x.crew(t, "sleep in vain", 2, 3, func() error {
		if err := x.sleep(ctx, mp.Within(ctx, 10*time.Millisecond)); !errors.Is(err, context.DeadlineExceeded) {
			return errors.Join(errors.New("it was woken"), err)
		}
		return nil
	})()
	must(t, errors.Join(x.Sleeping.Acquire(ctx, 5), x.Woken.Acquire(ctx, 5)))
	finished := x.sleepers(t, 2, 3)
	x.woke(t, 0)
	must(t, x.C.Lock(ctx))
	must(t, x.C.Broadcast(ctx))
	x.C.Unlock()
	x.woke(t, 5)
	finished()
}

func pyNotifyN(t *testing.T, opts []mp.Option) {
	x := newPyTools(t, opts, 1)
	finished := x.sleepers(t, 2, 4)
	x.woke(t, 0)
	x.notify(t, 2)
	x.woke(t, 2)
	x.notify(t, 4)
	x.woke(t, 4)
	finished()
	x.notify(t, 3) // nobody
	x.woke(t, 0)
}

func pyCondTimeout(t *testing.T, opts []mp.Option) {
	x := newPyTools(t, opts, 1)
	must(t, x.C.Lock(within(t, long)))
	wantErr(t, "Wait", x.C.Wait(mp.Within(t.Context(), 10*time.Millisecond)), context.DeadlineExceeded)
	x.C.Unlock()
}

func pyWaitFor(t *testing.T, opts []mp.Option) {
	x, ctx := newPyTools(t, opts, 1), within(t, long)
	must(t, x.N.Store(ctx, -1))
	must(t, x.C.Lock(ctx))
	finished := x.crew(t, "count down", 1, 0, nil)
	must(t, x.waitFor(ctx, 0))
	x.C.Unlock()
	for range 4 {
		must(t, x.C.Lock(ctx))
		_, err := x.N.Add(ctx, 1)
		must(t, errors.Join(err, x.C.Signal(ctx)))
		x.C.Unlock()
	}
	finished()
}

func pyWaitForTimeout(t *testing.T, opts []mp.Option) {
	x, ctx := newPyTools(t, opts, 1), within(t, long)
	must(t, x.C.Lock(ctx))
	begin, d := time.Now(), 20*time.Millisecond
	wantErr(t, "WaitFor", x.waitFor(mp.Within(ctx, d), 4), context.DeadlineExceeded)
	if took := time.Since(begin); took < d {
		t.Errorf("%v of %v", took, d)
	}
	x.C.Unlock()
}

func pyWaitResult(t *testing.T, opts []mp.Option) {
	x, ctx := newPyTools(t, opts, 1), within(t, long)
	must(t, x.C.Lock(ctx))
	wantErr(t, "Wait", x.C.Wait(mp.Within(ctx, 0)), context.DeadlineExceeded)
	wantErr(t, "Wait", x.C.Wait(mp.Within(ctx, 10*time.Millisecond)), context.DeadlineExceeded)
	told := make(chan error)
	go func() {
		err := x.C.Lock(ctx)
		err = errors.Join(err, x.C.Signal(ctx))
		x.C.Unlock()
		told <- err
	}()
	must(t, x.C.Wait(ctx))
	x.C.Unlock()
	must(t, <-told)
}

func pyEvent(t *testing.T, opts []mp.Option) {
	x, ctx := newPyTools(t, opts, 1), within(t, long)
	wait := func(d time.Duration) error { return x.E.Wait(mp.Within(ctx, d)) }
	if get(x.E.IsSet(ctx))(t) {
		t.Error("set at first")
	}
	wantErr(t, "Wait", wait(0), context.DeadlineExceeded)
	wantErr(t, "Wait", wait(10*time.Millisecond), context.DeadlineExceeded)
	must(t, x.E.Set(ctx))
	if !get(x.E.IsSet(ctx))(t) {
		t.Error("not set")
	}
	must(t, errors.Join(x.E.Wait(ctx), wait(long), x.E.Clear(ctx)))
	if get(x.E.IsSet(ctx))(t) {
		t.Error("still set")
	}
	finished := x.crew(t, "set", 1, 0, nil)
	must(t, x.E.Wait(ctx))
	finished()
}
