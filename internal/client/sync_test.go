package client

import (
	"context"
	"errors"
	"testing"

	"multiproc/internal/complete"
	"multiproc/internal/frames"
	"multiproc/internal/mperr"
	"multiproc/mp/driver"
	"multiproc/mptest"
)

// cut breaks the connection of m, if there is one.
func cut(m *Manager) {
	l := m.link.Load()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.on != nil {
		_ = l.on.conn.Close()
	}
}

// lose cuts the connection of m, and returns when that is noticed.
func lose(t testing.TB, m *Manager) {
	t.Helper()
	old := m.link.Load()
	cut(m)
	mptest.Eventually(t, old.broken.Load, "the end of the connection is noticed")
}

func openTest[O driver.Object](t testing.TB, m *Manager, s driver.Spec) O {
	t.Helper()
	o, err := m.Open(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return o.(O)
}

func wantNo(t testing.TB, what string, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("%s: %v", what, err)
	}
}

// What was held by a session that broke is not given back a second time.
func TestLostHoldings(t *testing.T) {
	s, ctx := serveTest(t, "unix"), t.Context()
	m, other := dialTest(t, s), dialTest(t, s)
	spec := driver.Spec{Kind: driver.KindSemaphore, Name: "s", Size: 2}
	sem, watch := openTest[driver.Semaphore](t, m, spec), openTest[driver.Semaphore](t, other, spec)
	signals := openTest[driver.Semaphore](t, m, driver.Spec{Kind: driver.KindSemaphore, Name: "signals"})
	r := openTest[driver.RecursiveMutex](t, m, driver.Spec{Kind: driver.KindRecursiveMutex, Name: "r"})
	rw := openTest[complete.RWMutex](t, m, driver.Spec{Kind: driver.KindRWMutex, Name: "rw"})
	for range 2 {
		wantNo(t, "take", errors.Join(sem.Acquire(ctx, 1), r.Lock(ctx), rw.RLock(ctx), signals.Release(ctx, 1), signals.Acquire(ctx, 1)))
	}
	lose(t, m)
	wantNo(t, "the permits come back", errors.Join(watch.Acquire(ctx, 1), watch.Acquire(ctx, 1)))
	wantNo(t, "a signal", signals.Release(ctx, 1)) // those that were received are nobody's
	wantNo(t, "again", errors.Join(r.Lock(ctx), rw.RLock(ctx)))
	for range 2 {
		wantIs(t, "release of what was lost", sem.Release(ctx, 1), mperr.ErrNotHeld)
		wantNo(t, "unlock of what was lost", r.Unlock(ctx))
		wantNo(t, "read unlock of what was lost", rw.RUnlock(ctx))
	}
	if ok, err := watch.TryAcquire(ctx, 1); ok || err != nil {
		t.Errorf("a permit that nobody has given back: %v, %v", ok, err)
	}
	wantNo(t, "what is held now", errors.Join(r.Unlock(ctx), rw.RUnlock(ctx), sem.Release(ctx, 1)))
	wantIs(t, "one unlock too many", r.Unlock(ctx), mperr.ErrNotHeld)
	wantIs(t, "one read unlock too many", rw.RUnlock(ctx), mperr.ErrNotHeld)
	if ok, err := watch.TryAcquire(ctx, 1); !ok || err != nil {
		t.Errorf("a release by another than had it: %v, %v", ok, err)
	}
}

// waitingCond is a Cond of a fake server with a wait under way. What the
// server answers, once it was cancelled, comes by the channel.
func waitingCond(t *testing.T) (s *fakeServer, c complete.Cond, cancel func(), answer chan error, signal chan func()) {
	signal = make(chan func(), 1)
	s = newFake(t, "Condition", func(c *fakeConn, f *frames.Frame) {
		switch {
		case f.Kind == frames.Cancel:
			seq := f.Seq
			signal <- func() { c.give(seq, frames.AppendBool(nil, true)) }
		case string(f.Method) != "mp.wait":
			c.give(f.Seq, frames.AppendNull(nil))
		}
	})
	m := dialFake(t, s)
	c = m.newHandle(m.link.Load(), fakeID, "Condition", "", 0, nil).object().(complete.Cond)
	ctx, cancel := context.WithCancel(t.Context())
	answer = make(chan error, 1)
	go func() { answer <- c.Wait(ctx) }()
	s.count("mp.wait", 1)
	return s, c, cancel, answer, signal
}

// A wait that gives up after it was signalled waits for the lock, however long
// another holds it.
func TestCondOutlastsGrace(t *testing.T) {
	s, c, cancel, answer, signal := waitingCond(t)
	cancel()
	woken, l := <-signal, c.(*condHandle).m.link.Load()
	l.mu.Lock()
	for _, r := range l.calls {
		if r.grace != nil {
			t.Error("the call is given up after a while, and the lock would be nobody's")
		}
	}
	l.mu.Unlock()
	woken()
	wantNo(t, "wait", <-answer)
	s.count("mp.sound", 1)
}

// A Cond that is closed when its wait has brought the lock gives it back.
func TestClosedCondKeepsNoLock(t *testing.T) {
	s, c, cancel, answer, signal := waitingCond(t)
	defer cancel()
	wantNo(t, "close", c.Close())
	(<-signal)()
	wantIs(t, "wait", <-answer, mperr.ErrClosed)
	s.count("mp.unlock", 1)
}

// A Cond's lock must be a mutex of the same manager.
func TestLockOfCond(t *testing.T) {
	m, other := dialTest(t, serveTest(t, "unix")), dialTest(t, serveTest(t, "unix"))
	_, err := m.Open(t.Context(), driver.Spec{Kind: driver.KindCond, Lock: openTest[driver.Object](t, other, driver.Spec{Kind: driver.KindMutex})})
	wantIs(t, "a lock elsewhere", err, mperr.ErrForeign)
	_, err = m.Open(t.Context(), driver.Spec{Kind: driver.KindCond, Lock: openTest[driver.Object](t, m, driver.Spec{Kind: driver.KindEvent})})
	wantIs(t, "an event as a lock", err, mperr.ErrType)
}

// A wait under a lock that was taken through the Mutex is nothing that the
// Cond's own Unlock has to give back later.
func TestWaitUnderAnothersLock(t *testing.T) {
	s, ctx := serveTest(t, "unix"), t.Context()
	m, other := dialTest(t, s), dialTest(t, s)
	lock := openTest[complete.Mutex](t, m, driver.Spec{Kind: driver.KindMutex, Name: "l"})
	c := openTest[complete.Cond](t, m, driver.Spec{Kind: driver.KindCond, Name: "c", Lock: lock})
	watch := openTest[complete.Mutex](t, other, driver.Spec{Kind: driver.KindMutex, Name: "l"})
	wantNo(t, "lock", lock.Lock(ctx))
	answer := make(chan error, 1)
	go func() { answer <- c.Wait(ctx) }()
	wantNo(t, "signal", errors.Join(lock.Lock(ctx), c.Signal(ctx), lock.Unlock(ctx)))
	wantNo(t, "wait", errors.Join(<-answer, lock.Unlock(ctx)))
	lose(t, m)
	wantNo(t, "lock on a new connection", errors.Join(c.Lock(ctx), c.Unlock(ctx)))
	if ok, err := watch.TryLock(ctx); !ok || err != nil {
		t.Errorf("a lock that was given back: %v, %v", ok, err)
	}
}

// Of permits that were acquired in two sessions one release gives back what is held in
// the new one, and says that the rest was lost.
func TestLostWeights(t *testing.T) {
	s, ctx := serveTest(t, "unix"), t.Context()
	m, other := dialTest(t, s), dialTest(t, s)
	spec := driver.Spec{Kind: driver.KindBoundedSemaphore, Name: "s", Size: 5}
	sem, watch := openTest[driver.Semaphore](t, m, spec), openTest[driver.Semaphore](t, other, spec)
	wantNo(t, "take", sem.Acquire(ctx, 3))
	lose(t, m)
	wantNo(t, "take again", sem.Acquire(ctx, 2))
	if ok, err := watch.TryAcquire(ctx, 4); ok || err != nil {
		t.Errorf("4 of 3: %v, %v", ok, err)
	}
	wantIs(t, "release of 3 that were lost and 2 that are held", sem.Release(ctx, 5), mperr.ErrNotHeld)
	if ok, err := watch.TryAcquire(ctx, 5); !ok || err != nil {
		t.Errorf("all: %v, %v", ok, err)
	}
}
