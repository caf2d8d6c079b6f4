package drivertest

import (
	"context"
	"errors"
	"testing"

	"multiproc/internal/complete"
	"multiproc/internal/mperr"
	"multiproc/mp/driver"
)

var mutexTests = lockTests(driver.KindMutex)

// lockTests are those of all kinds that have a Mutex's methods.
func lockTests(kind driver.Kind) []test {
	on := func(f func(*testing.T, driver.Place, driver.Kind)) func(*testing.T, driver.Place) {
		return func(t *testing.T, p driver.Place) { f(t, p, kind) }
	}
	return []test{
		{"lock", on(testMutex)},
		{"excludes", on(testMutexExcludes)},
		{"handles", on(testMutexHandles)},
		{"repair", on(testMutexRepair)},
		{"closed while held", on(testMutexClosedHeld)},
	}
}

func newMutex(t *testing.T, p driver.Place, name string) complete.Mutex {
	t.Helper()
	return newLock(t, p, driver.KindMutex, name)
}

func newLock(t *testing.T, p driver.Place, kind driver.Kind, name string) complete.Mutex {
	t.Helper()
	return open[complete.Mutex](t, p, driver.Spec{Kind: kind, Name: name})
}

func testMutex(t *testing.T, p driver.Place, kind driver.Kind) {
	m, ctx := newLock(t, p, kind, ""), within(t, timeLimit)
	wantErr(t, "unlock of a new one", m.Unlock(ctx), mperr.ErrNotHeld)
	if !lacks(m, "Owner") {
		pid, err := m.Owner(ctx)
		is(t, "owner", pid, err, 0)
	}
	must(t, m.Lock(ctx))
	ok, err := m.TryLock(ctx)
	is(t, "try lock of a held one", ok, err, false)
	givesUp(t, "lock", m.Lock)
	givesUp(t, "lock broken", m.LockBroken)
	answer, cancel := waiting(t, "lock", m.Lock)
	defer cancel()
	must(t, m.Unlock(ctx))
	must(t, <-answer)
	must(t, m.Unlock(ctx))
	wantErr(t, "unlock of a free one", m.Unlock(ctx), mperr.ErrNotHeld)
	ok, err = m.TryLock(ctx)
	is(t, "try lock", ok, err, true)
	must(t, m.Unlock(ctx))
}

// A Lock that gives up does not hold the lock, however close it was.
func testMutexExcludes(t *testing.T, p driver.Place, kind driver.Kind) {
	m, n := newLock(t, p, kind, ""), 0
	crowd(t, 5, 100, func(ctx context.Context) error {
		c, cancel := context.WithCancel(ctx)
		go cancel()
		err := m.Lock(c)
		if errors.Is(err, context.Canceled) {
			err = m.Lock(ctx)
		}
		cancel()
		if err != nil {
			return err
		}
		n++ // the race detector sees it if two are here
		return m.Unlock(ctx)
	})
	if n != 500 {
		t.Errorf("%d times locked, want 500", n)
	}
}

// Two handles of a session are one lock, which the session holds.
func testMutexHandles(t *testing.T, p driver.Place, kind driver.Kind) {
	ctx := within(t, timeLimit)
	a, b := newLock(t, p, kind, "lock"), newLock(t, p, kind, "lock")
	must(t, a.Lock(ctx))
	ok, err := b.TryLock(ctx)
	is(t, "try lock by another handle", ok, err, false)
	must(t, b.Unlock(ctx))
	ok, err = a.TryLock(ctx)
	is(t, "try lock", ok, err, true)
	must(t, a.Unlock(ctx))
}

func testMutexRepair(t *testing.T, p driver.Place, kind driver.Kind) {
	m, ctx := newLock(t, p, kind, ""), within(t, timeLimit)
	wantErr(t, "heal without the lock", m.Heal(ctx), mperr.ErrNotHeld)
	must(t, m.LockBroken(ctx))
	must(t, m.Heal(ctx))
	must(t, m.Unlock(ctx))
	must(t, m.Lock(ctx))
	must(t, m.Unlock(ctx))
}

// Who closes a handle and then unlocks has unlocked.
func testMutexClosedHeld(t *testing.T, p driver.Place, kind driver.Kind) {
	a, b := newLock(t, p, kind, "lock"), newLock(t, p, kind, "lock")
	closedHeld(t, a, b.TryLock)
	must(t, b.Unlock(within(t, timeLimit)))
	wantErr(t, "lock of a closed handle", a.Lock(within(t, timeLimit)), mperr.ErrClosed)
}

// closedHeld locks, closes, sees that the lock is still held, and unlocks: then
// others get it.
func closedHeld(t *testing.T, l interface {
	Lock(ctx context.Context) error
	Unlock(ctx context.Context) error
	Close() error
}, try func(context.Context) (bool, error),
) {
	t.Helper()
	ctx := within(t, timeLimit)
	must(t, l.Lock(ctx))
	must(t, l.Close())
	ok, err := try(ctx)
	is(t, "a lock whose handle was closed is free", ok, err, false)
	must(t, l.Unlock(ctx))
	wantErr(t, "the second unlock", l.Unlock(ctx), mperr.ErrClosed)
	ok, err = try(ctx)
	is(t, "a lock that was given back by a closed handle is free", ok, err, true)
}
