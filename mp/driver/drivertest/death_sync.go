package drivertest

import (
	"errors"
	"testing"

	"multiproc/internal/mperr"
	"multiproc/mp/driver"
)

var deathInSync = map[string]func(t *testing.T, victim, witness driver.Place, kill func()){
	"rwmutex":          testDeathOfOwner(driver.KindRWMutex),
	"cond":             testDeathOfOwner(driver.KindCond),
	"cond, in wait":    testDeathInWait,
	"cond, of waiters": testDeathOfCondWaiters,
	"readers":          testDeathOfReaders,
	"writer":           testDeathOfWriter,
	"recursive mutex":  testDeathOfRecursive,
	"semaphore":        testDeathOfPermits,
	"semaphore, line":  testDeathInLine,
	"barrier":          testDeathOfParty,
	"waitgroup":        testDeathOfCount,
	"waitgroup, taken": testDeathOfTaker,
	"once":             testDeathOfDoer,
}

func needs(t *testing.T, p driver.Place, kind driver.Kind) {
	t.Helper()
	if !offers(t, p, kind) {
		t.Skipf("%v does not offer %s", p, kind)
	}
}

// Who waits, and gets the lock after the death of one who held it, hears of it
// then; it holds the lock.
func testDeathInWait(t *testing.T, victim, witness driver.Place, kill func()) {
	needs(t, witness, driver.KindCond)
	ctx := within(t, timeLimit)
	theirs, c := newCond(t, victim, "c"), newCond(t, witness, "c")
	must(t, c.Lock(ctx))
	answer, cancel := waiting(t, "wait", c.Wait)
	defer cancel()
	must(t, theirs.Lock(ctx))
	must(t, theirs.Signal(ctx))
	kill()
	var died *mperr.OwnerDiedError
	if err := <-answer; !errors.As(err, &died) {
		t.Fatalf("wait: %v", err)
	}
	must(t, c.Heal(ctx))
	must(t, c.Unlock(ctx))
	must(t, c.Lock(ctx))
	must(t, c.Unlock(ctx))
}

// A signal to the dead goes to the living.
func testDeathOfCondWaiters(t *testing.T, victim, witness driver.Place, kill func()) {
	needs(t, witness, driver.KindCond)
	ctx := within(t, timeLimit)
	theirs, c := newCond(t, victim, "c"), newCond(t, witness, "c")
	must(t, theirs.Lock(ctx))
	lost, cancel := waiting(t, "wait", theirs.Wait)
	defer cancel()
	answer, cancel := inWait(t, c)
	defer cancel()
	kill()
	if err := <-lost; err == nil {
		t.Error("a wait of the dead succeeded")
	}
	still(t, "the place does not know of the death", 1, answer)
	must(t, c.Lock(ctx))
	must(t, c.Signal(ctx))
	must(t, c.Unlock(ctx))
	must(t, <-answer)
}

// A dead reader is gone, a dead writer who waited, too.
func testDeathOfReaders(t *testing.T, victim, witness driver.Place, kill func()) {
	needs(t, witness, driver.KindRWMutex)
	ctx := within(t, timeLimit)
	theirs, l := newRW(t, victim, "l"), newRW(t, witness, "l")
	other, theirOther := newRW(t, witness, "other"), newRW(t, victim, "other")
	must(t, theirs.RLock(ctx))
	must(t, theirs.RLock(ctx))
	writing, cancel := waiting(t, "lock", l.Lock)
	defer cancel()
	must(t, other.RLock(ctx))
	_, cancel = waiting(t, "lock", theirOther.Lock)
	defer cancel()
	reading, cancel := waiting(t, "rlock", other.RLock)
	defer cancel()
	kill()
	must(t, <-writing)
	must(t, l.Unlock(ctx))
	must(t, <-reading)
	must(t, other.RUnlock(ctx))
	must(t, other.RUnlock(ctx))
	must(t, other.Lock(ctx))
	must(t, other.Unlock(ctx))
}

// After the death of a writer readers, too, are told, until it is healed.
func testDeathOfWriter(t *testing.T, victim, witness driver.Place, kill func()) {
	needs(t, witness, driver.KindRWMutex)
	ctx := within(t, timeLimit)
	theirs, l := newRW(t, victim, "l"), newRW(t, witness, "l")
	must(t, theirs.Lock(ctx))
	reading, cancel := waiting(t, "rlock", l.RLock)
	defer cancel()
	kill()
	var died *mperr.OwnerDiedError
	if err := <-reading; !errors.As(err, &died) {
		t.Errorf("rlock that waited: %v", err)
	}
	if err := l.RLock(ctx); !errors.As(err, &died) {
		t.Errorf("rlock: %v", err)
	}
	if ok, err := l.TryRLock(ctx); ok || !errors.As(err, &died) {
		t.Errorf("try rlock: %v, %v", ok, err)
	}
	must(t, l.LockBroken(ctx))
	must(t, l.Heal(ctx))
	must(t, l.Unlock(ctx))
	must(t, l.RLock(ctx))
	must(t, l.RUnlock(ctx))
}

func testDeathOfRecursive(t *testing.T, victim, witness driver.Place, kill func()) {
	needs(t, witness, driver.KindRecursiveMutex)
	ctx := within(t, timeLimit)
	theirs, l := newRecursive(t, victim, "r"), newRecursive(t, witness, "r")
	must(t, theirs.Lock(ctx))
	must(t, theirs.Lock(ctx))
	wantErr(t, "unlock of another session's lock", l.Unlock(ctx), mperr.ErrNotHeld)
	ok, err := l.TryLock(ctx)
	is(t, "try lock of another session's lock", ok, err, false)
	answer, cancel := waiting(t, "lock", l.Lock)
	defer cancel()
	kill()
	must(t, <-answer)
	must(t, l.Unlock(ctx))
}

func testDeathOfPermits(t *testing.T, victim, witness driver.Place, kill func()) {
	needs(t, witness, driver.KindSemaphore)
	ctx := within(t, timeLimit)
	theirs, s := newSemaphore(t, victim, "s", 2), newSemaphore(t, witness, "s", 2)
	signals, signalled := newSemaphore(t, witness, "signals", 0), newSemaphore(t, victim, "signals", 0)
	must(t, theirs.Acquire(ctx, 2))
	must(t, signals.Release(ctx, 1))
	must(t, signalled.Acquire(ctx, 1))
	answer, cancel := waiting(t, "acquire", one(s))
	defer cancel()
	kill()
	must(t, <-answer)
	must(t, s.Acquire(ctx, 1))
	ok, err := s.TryAcquire(ctx, 1)
	is(t, "more permits than there were", ok, err, false)
	ok, err = signals.TryAcquire(ctx, 1)
	is(t, "a signal that the dead had received", ok, err, false)
}

// The death of one who waits for many lets those behind it go on.
func testDeathInLine(t *testing.T, victim, witness driver.Place, kill func()) {
	needs(t, witness, driver.KindSemaphore)
	ctx := within(t, timeLimit)
	theirs, s := newSemaphore(t, victim, "s", 3), newSemaphore(t, witness, "s", 3)
	must(t, s.Acquire(ctx, 1))
	_, cancel := waiting(t, "acquire", weighing(theirs, 3))
	defer cancel()
	answer, cancel := waiting(t, "acquire", weighing(s, 2))
	defer cancel()
	kill()
	must(t, <-answer)
	must(t, s.Release(ctx, 3))
}

func testDeathOfParty(t *testing.T, victim, witness driver.Place, kill func()) {
	needs(t, witness, driver.KindBarrier)
	theirs, b := newBarrier(t, victim, "b", 3), newBarrier(t, witness, "b", 3)
	_, cancel := waiting(t, "wait", arrive(t, theirs, 0))
	defer cancel()
	mine, cancel := waiting(t, "wait", arrive(t, b, 1))
	defer cancel()
	kill()
	wantErr(t, "wait with the dead", <-mine, mperr.ErrBroken)
	isBroken(t, b)
}

// What the dead have added is lost, and nobody waits for it; what is left is done by those
// who have added it.
func testDeathOfCount(t *testing.T, victim, witness driver.Place, kill func()) {
	needs(t, witness, driver.KindWaitGroup)
	ctx := within(t, timeLimit)
	theirs, w := newWaitGroup(t, victim, "w"), newWaitGroup(t, witness, "w")
	alone, theirOther := newWaitGroup(t, witness, "alone"), newWaitGroup(t, victim, "alone")
	must(t, theirs.Add(ctx, 2))
	must(t, w.Add(ctx, 1))
	must(t, theirOther.Add(ctx, 1))
	answer, cancel := waiting(t, "wait", w.Wait)
	defer cancel()
	other, cancel := waiting(t, "wait", alone.Wait)
	defer cancel()
	kill()
	wantLost(t, "wait for the dead", <-other)
	still(t, "one is left", 1, answer)
	must(t, w.Add(ctx, -1))
	wantLost(t, "wait", <-answer)
	wantErr(t, "done of what was lost", w.Add(ctx, -1), mperr.ErrValue)
}

// What a session has taken over is lost with it, and not with who has added it. What it
// has not taken over stays.
func testDeathOfTaker(t *testing.T, victim, witness driver.Place, kill func()) {
	needs(t, witness, driver.KindWaitGroup)
	ctx := within(t, timeLimit)
	theirs, w := newWaitGroup(t, victim, "w"), newWaitGroup(t, witness, "w")
	must(t, w.Add(ctx, 3))
	must(t, theirs.Take(ctx))
	must(t, theirs.Add(ctx, -1)) // what it has taken
	must(t, theirs.Add(ctx, -1)) // for the other one
	must(t, w.Add(ctx, 1))
	must(t, theirs.Take(ctx))
	answer, cancel := waiting(t, "wait", w.Wait)
	defer cancel()
	kill()
	eventually(t, func() bool {
		n, err := w.Count(ctx)
		return n == 1 && err == nil
	}, "what the dead has taken over is not lost")
	still(t, "one is left", 1, answer)
	must(t, w.Add(ctx, -1))
	wantLost(t, "wait", <-answer)
}

// If one dies who does it the next one does.
func testDeathOfDoer(t *testing.T, victim, witness driver.Place, kill func()) {
	needs(t, witness, driver.KindOnce)
	ctx := within(t, timeLimit)
	theirs, o := newOnce(t, victim, "o"), newOnce(t, witness, "o")
	must(t, begins(t, theirs, true)(ctx))
	answer, cancel := waiting(t, "begin", begins(t, o, true))
	defer cancel()
	kill()
	must(t, <-answer)
	must(t, o.End(ctx, true))
	must(t, begins(t, o, false)(ctx))
}
