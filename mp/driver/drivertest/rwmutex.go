package drivertest

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"multiproc/internal/complete"
	"multiproc/internal/mperr"
	"multiproc/mp/driver"
)

var rwTests = []test{
	{"readers", testReaders},
	{"writer first", testWriterFirst},
	{"excludes", testRWExcludes},
	{"closed while held", testRWClosedHeld},
}

func newRW(t *testing.T, p driver.Place, name string) complete.RWMutex {
	t.Helper()
	return open[complete.RWMutex](t, p, driver.Spec{Kind: driver.KindRWMutex, Name: name})
}

func testReaders(t *testing.T, p driver.Place) {
	l, ctx := newRW(t, p, ""), within(t, timeLimit)
	wantErr(t, "runlock of a new one", l.RUnlock(ctx), mperr.ErrNotHeld)
	must(t, l.RLock(ctx))
	must(t, l.RLock(ctx))
	ok, err := l.TryRLock(ctx)
	is(t, "a third reader", ok, err, true)
	ok, err = l.TryLock(ctx)
	is(t, "a writer beside readers", ok, err, false)
	wantErr(t, "unlock by a reader", l.Unlock(ctx), mperr.ErrNotHeld)
	givesUp(t, "lock", l.Lock)
	writing, cancel := waiting(t, "lock", l.Lock)
	defer cancel()
	for range 3 {
		must(t, l.RUnlock(ctx))
	}
	must(t, <-writing)
	wantErr(t, "runlock by a writer", l.RUnlock(ctx), mperr.ErrNotHeld)
	ok, err = l.TryRLock(ctx)
	is(t, "a reader beside a writer", ok, err, false)
	givesUp(t, "rlock", l.RLock)
	one, cancel := waiting(t, "rlock", l.RLock)
	defer cancel()
	two, cancel := waiting(t, "rlock", l.RLock)
	defer cancel()
	must(t, l.Unlock(ctx))
	must(t, <-one)
	must(t, <-two)
	must(t, l.RUnlock(ctx))
	must(t, l.RUnlock(ctx))
	wantErr(t, "runlock of a free one", l.RUnlock(ctx), mperr.ErrNotHeld)
}

// A writer who waits bars readers who come later, until it gives up.
func testWriterFirst(t *testing.T, p driver.Place) {
	l, ctx := newRW(t, p, ""), within(t, timeLimit)
	must(t, l.RLock(ctx))
	writing, cancel := waiting(t, "lock", l.Lock)
	ok, err := l.TryRLock(ctx)
	is(t, "a reader behind a writer", ok, err, false)
	reading, cancelRead := waiting(t, "rlock", l.RLock)
	defer cancelRead()
	cancel()
	wantErr(t, "lock after cancel", <-writing, context.Canceled)
	must(t, <-reading)
	writing, cancel = waiting(t, "lock", l.Lock)
	defer cancel()
	reading, cancelRead = waiting(t, "rlock", l.RLock)
	defer cancelRead()
	must(t, l.RUnlock(ctx))
	must(t, l.RUnlock(ctx))
	must(t, <-writing) // before the reader
	must(t, l.Unlock(ctx))
	must(t, <-reading)
	must(t, l.RUnlock(ctx))
}

// Readers never see a writer, though all may give up at any moment.
func testRWExcludes(t *testing.T, p driver.Place) {
	l, x, turn := newRW(t, p, ""), 0, atomic.Int64{}
	crowd(t, 5, 60, func(ctx context.Context) error {
		lock, unlock, use := l.RLock, l.RUnlock, func() { _ = x }
		if turn.Add(1)%3 == 0 {
			lock, unlock, use = l.Lock, l.Unlock, func() { x++ }
		}
		c, cancel := context.WithCancel(ctx)
		go cancel()
		err := lock(c)
		if errors.Is(err, context.Canceled) {
			err = lock(ctx)
		}
		cancel()
		if err != nil {
			return err
		}
		use() // the race detector sees it if a writer is not alone
		return unlock(ctx)
	})
	if x != 100 {
		t.Errorf("%d times written, want 100", x)
	}
}

type readLock struct{ complete.RWMutex }

func (l readLock) Lock(ctx context.Context) error   { return l.RLock(ctx) }
func (l readLock) Unlock(ctx context.Context) error { return l.RUnlock(ctx) }

func testRWClosedHeld(t *testing.T, p driver.Place) {
	a, b := newRW(t, p, "lock"), newRW(t, p, "lock")
	closedHeld(t, readLock{a}, b.TryLock)
	must(t, b.Unlock(within(t, timeLimit)))
}
