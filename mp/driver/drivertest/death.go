package drivertest

import (
	"context"
	"errors"
	"maps"
	"testing"

	"multiproc/internal/complete"
	"multiproc/internal/mperr"
	"multiproc/mp/driver"
)

// RunDeath checks what the end of a session leaves. open returns two sessions
// with one place that is otherwise empty, and a function that ends the first as
// the death of its process would.
func RunDeath(t *testing.T, open func(t *testing.T) (victim, witness driver.Place, kill func())) {
	tests := map[string]func(t *testing.T, victim, witness driver.Place, kill func()){
		"lock":    testDeathOfOwner(driver.KindMutex),
		"waiters": testDeathOfWaiters,
		"calls":   testCallsOfTheDead,
		"leases":  testDeathOfReceiver,
	}
	maps.Copy(tests, deathInSync)
	for name, f := range tests {
		t.Run(name, func(t *testing.T) {
			victim, witness, kill := open(t)
			f(t, victim, witness, kill)
		})
	}
}

// testDeathOfOwner is about all kinds that have a Mutex's methods.
func testDeathOfOwner(kind driver.Kind) func(t *testing.T, victim, witness driver.Place, kill func()) {
	return func(t *testing.T, victim, witness driver.Place, kill func()) {
		if !offers(t, witness, kind) {
			t.Skipf("%v does not offer %s", witness, kind)
		}
		theirs, m := newLock(t, victim, kind, "m"), newLock(t, witness, kind, "m")
		free, held := newLock(t, witness, kind, "free"), newLock(t, victim, kind, "free")
		checkDeathOfOwner(t, theirs, m, free, held, kill)
	}
}

func checkDeathOfOwner(t *testing.T, theirs, m, free, held complete.Mutex, kill func()) {
	t.Helper()
	ctx := within(t, timeLimit)
	must(t, held.Lock(ctx))
	must(t, held.Unlock(ctx))
	must(t, theirs.Lock(ctx))
	wantErr(t, "unlock of another session's lock", m.Unlock(ctx), mperr.ErrNotHeld)
	answer, cancel := waiting(t, "lock", m.Lock)
	defer cancel()
	kill()
	var died *mperr.OwnerDiedError
	if err := <-answer; !errors.As(err, &died) {
		t.Fatalf("a lock that waited: %v", err)
	}
	for range 2 {
		if ok, err := m.TryLock(ctx); ok || !errors.As(err, &died) {
			t.Errorf("try lock: %v, %v", ok, err)
		}
		if err := m.Lock(ctx); !errors.As(err, &died) {
			t.Errorf("lock: %v", err)
		}
		must(t, m.LockBroken(ctx)) // and not healed
		must(t, m.Unlock(ctx))
	}
	must(t, m.LockBroken(ctx))
	must(t, m.Heal(ctx))
	must(t, m.Unlock(ctx))
	must(t, m.Lock(ctx))
	must(t, m.Unlock(ctx))
	must(t, free.Lock(ctx)) // what was given back is sound
	must(t, free.Unlock(ctx))
}

// A waiter that is dead takes nothing and holds nothing.
func testDeathOfWaiters(t *testing.T, victim, witness driver.Place, kill func()) {
	if !offers(t, witness, driver.KindQueue) || !offers(t, witness, driver.KindMutex) {
		t.Skipf("%v does not offer queues and locks", witness)
	}
	ctx, s := within(t, timeLimit), driver.Spec{Kind: driver.KindQueue, Name: "q"}
	theirs, q := open[complete.Queue](t, victim, s), open[complete.Queue](t, witness, s)
	getting, cancel := waiting(t, "get", func(ctx context.Context) error { _, err := theirs.Get(ctx); return err })
	defer cancel()
	m, wanted := newMutex(t, witness, "m"), newMutex(t, victim, "m")
	must(t, m.Lock(ctx))
	locking, cancel := waiting(t, "lock", wanted.Lock)
	defer cancel()
	kill()
	for _, answer := range []chan error{getting, locking} {
		if err := <-answer; err == nil {
			t.Error("a call of the dead succeeded")
		}
	}
	must(t, q.Put(ctx, item(t, 1)))
	v, err := q.Get(ctx)
	reads(t, "what no dead taker swallowed", v, err, "1")
	must(t, m.Unlock(ctx))
	must(t, m.Lock(ctx))
	must(t, m.Unlock(ctx))
}

func testCallsOfTheDead(t *testing.T, victim, witness driver.Place, kill func()) {
	if !offers(t, witness, driver.KindDict) {
		t.Skipf("%v does not offer dicts", witness)
	}
	ctx, s := within(t, timeLimit), driver.Spec{Kind: driver.KindDict, Name: "d"}
	theirs, d := open[complete.Dict](t, victim, s), open[complete.Dict](t, witness, s)
	needsMethod(t, theirs, "Watch")
	must(t, theirs.Set(ctx, item(t, "k"), item(t, 1)))
	changes := theirs.Watch(ctx)
	kill()
	var last error
	for _, err := range changes {
		last = err
	}
	if last == nil {
		t.Error("a watch of the dead ended without an error")
	}
	v, err := d.Get(ctx, item(t, "k"))
	reads(t, "what the dead has set", v.Value, err, "1")
}
