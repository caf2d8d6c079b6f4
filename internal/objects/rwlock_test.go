package objects

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"multiproc/internal/mperr"
	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

// Nobody overtakes: readers who come behind a writer wait for it, and go in
// together.
func TestRWLockIsFair(t *testing.T) {
	s := newStore(t, store.Limits{})
	a, b := connect(t, s), connect(t, s)
	l := a.create("RWLock")
	a.must(nil, l, "mp.rLock")
	b.must(true, l, "mp.tryRLock")
	w1, r1, r2, w2, r3 := b.start(l, "mp.lock"), a.start(l, "mp.rLock"), b.start(l, "mp.rLock"), a.start(l, "mp.lock"), b.start(l, "mp.rLock")
	a.must(false, l, "mp.tryRLock")
	a.must(nil, l, "mp.rUnlock")
	wantWaiting(t, w1)
	b.must(nil, l, "mp.rUnlock")
	wantResult(t, w1, nil)
	wantWaiting(t, r1, r2, w2, r3)
	a.must(int64(4711), l, "mp.owner")
	b.must(nil, l, "mp.unlock")
	wantResult(t, r1, nil)
	wantResult(t, r2, nil)
	wantWaiting(t, w2, r3)
	o, _ := s.Object(l)
	if got := o.Repr(); !strings.HasPrefix(got, "<read RWLock") {
		t.Error(got)
	}
	w2.Cancel() // no longer in r3's way
	if _, err := w2.result(); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	wantResult(t, r3, nil)
	a.fails("RuntimeError('rwmutex: lock is not held by the caller')", l, "mp.unlock")
	a.fails("RuntimeError('rwmutex: lock is not held by the caller')", l, "mp.heal")
	a.must(nil, l, "mp.rUnlock")
	a.fails("RuntimeError('rwmutex: lock is not held by the caller')", l, "mp.rUnlock") // the others are b's
	b.must(nil, l, "mp.rUnlock")
	b.must(nil, l, "mp.rUnlock")
	a.must(true, l, "mp.tryLock")
	a.must(false, l, "mp.tryLock")
	a.fails("AttributeError(\"'RWLock' object has no attribute 'acquire'\")", l, "acquire")
	a.fails("TypeError('mp.lock() takes no arguments (1 given)')", l, "mp.lock", int64(1))
}

// Timeout ends for one in line, and those behind go on.
func TestRWLockTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t, store.Limits{})
		a := connect(t, s)
		l := a.create("RWLock")
		a.must(nil, l, "mp.rLock")
		w := a.startWithin(time.Now().Add(time.Minute), l, "mp.lock")
		r := a.start(l, "mp.rLock")
		wantWaiting(t, w, r)
		<-time.After(2 * time.Minute)
		if _, err := w.result(); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		wantResult(t, r, nil)
	})
}

func wantRWDied(t *testing.T, p *pending) {
	t.Helper()
	_, err := p.result()
	var died *mperr.OwnerDiedError
	if !errors.As(err, &died) || died.PID != 4711 || died.Object != "rwmutex" {
		t.Errorf("%s: %v", p.Method, err)
	}
}

func TestRWLockOfTheDead(t *testing.T) {
	s := newStore(t, store.Limits{})
	a, reader, waiter := connect(t, s), connect(t, s), connect(t, s)
	l := a.create("RWLock")
	reader.must(nil, l, "mp.rLock")
	reader.must(nil, l, "mp.rLock")
	w := a.start(l, "mp.lock")
	reader.die() // both of its reads
	wantResult(t, w, nil)
	lost := waiter.start(l, "mp.lock")
	r := a.start(l, "mp.rLock")
	waiter.die()
	wantWaiting(t, lost, r)
	a.must(nil, l, "mp.unlock")
	wantResult(t, r, nil)
	a.must(nil, l, "mp.rUnlock")

	writer := connect(t, s)
	writer.must(nil, l, "mp.lock")
	read, write, repair := a.start(l, "mp.rLock"), a.start(l, "mp.lock"), a.start(l, "mp.lockBroken")
	writer.die()
	wantRWDied(t, read)
	wantRWDied(t, write)
	wantResult(t, repair, nil)
	for _, method := range []string{"mp.lock", "mp.tryLock", "mp.rLock", "mp.tryRLock"} {
		wantRWDied(t, a.start(l, method))
	}
	a.must(nil, l, "mp.heal")
	a.must(nil, l, "mp.unlock")
	a.must(nil, l, "mp.rLock")
}

// Clients come, read, write, give up and die at random: a writer is always
// alone, and in the end the lock is free.
func TestRWLockStorm(t *testing.T) {
	s := newStore(t, store.Limits{})
	keeper := connect(t, s)
	l := keeper.create("RWLock")
	var inside atomic.Int64 // readers, or -1000 for a writer
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 300 {
				me, read := connect(t, s), rand.IntN(3) > 0
				lock, unlock, weight := "mp.lockBroken", "mp.unlock", int64(-1000)
				if read {
					lock, unlock, weight = "mp.rLock", "mp.rUnlock", 1
				}
				p := me.async(l, lock)
				if rand.IntN(4) == 0 {
					p.Cancel()
				}
				<-p.done
				if _, err := p.result(); err == nil {
					if n := inside.Add(weight); n > 0 != read || n < -1000 {
						t.Errorf("%d inside with %s", n, lock)
					}
					inside.Add(-weight)
					if rand.IntN(3) > 0 {
						if !read {
							me.must(nil, l, "mp.heal")
						}
						me.must(nil, l, unlock)
					}
				}
				me.die()
			}
		})
	}
	all.Wait()
	keeper.must(nil, l, "mp.lockBroken")
	keeper.must(nil, l, "mp.heal")
	keeper.must(nil, l, "mp.unlock")
	keeper.must(nil, l, "mp.rLock")
	o, _ := s.Object(l)
	if rw := o.(*rwlock); len(rw.readers) != 1 || rw.line.n != 0 {
		t.Errorf("%d readers, %d in line", len(rw.readers), rw.line.n)
	}
}

// The lock of a condition as Go uses it, beside Python's methods.
func TestConditionForGo(t *testing.T) {
	s := newStore(t, store.Limits{})
	a, b, python := connect(t, s), connect(t, s), connect(t, s).channel()
	l := a.create("Lock")
	k := a.create("Condition", pyvalue.Ref{ID: l, Type: "Lock"})
	const notHeld = "RuntimeError('cond: lock is not held by the caller')"
	for _, method := range []string{"mp.unlock", "mp.heal", "mp.wait", "mp.sound", "mp.signal", "mp.broadcast"} {
		a.fails(notHeld, k, method)
	}
	a.must(nil, k, "mp.lock")
	a.must(int64(4711), k, "mp.owner")
	b.must(false, k, "mp.tryLock")
	b.fails(notHeld, k, "mp.signal") // Python may, Go may not
	waits := a.start(k, "mp.wait")
	b.must(nil, k, "mp.lock")
	wantWaiting(t, waits)
	b.must(nil, k, "mp.signal")
	b.must(nil, k, "mp.unlock")
	wantResult(t, waits, true)
	a.must(nil, k, "mp.sound")

	// Given up before it was notified: answered at once, and without the lock.
	waits = a.start(k, "mp.wait")
	b.must(nil, l, "mp.lock")
	waits.Cancel()
	if _, err := waits.result(); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	b.must(nil, l, "mp.unlock")

	// Python notifies; given up afterwards it comes with the lock.
	a.must(nil, k, "mp.lock")
	waits = a.start(k, "mp.wait")
	python.must(true, k, "acquire")
	python.must(nil, k, "notify")
	waits.Cancel()
	wantWaiting(t, waits)
	python.must(nil, k, "release")
	wantResult(t, waits, true)

	// A holder dies: the one who waits has the lock, and learns of it.
	waits = a.start(k, "mp.wait")
	b.must(nil, k, "mp.lock")
	b.must(nil, k, "mp.broadcast")
	b.die()
	wantResult(t, waits, true)
	wantDied(t, a.start(k, "mp.sound"))
	wantDied(t, a.start(k, "mp.lock"))
	a.must(nil, k, "mp.heal")
	a.must(nil, k, "mp.sound")
	a.must(nil, k, "mp.unlock")
	a.must(nil, k, "mp.lockBroken")
}
