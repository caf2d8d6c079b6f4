package objects

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"multiproc/internal/mperr"
	"multiproc/internal/store"
)

func TestLockAsInPython(t *testing.T) {
	s := newStore(t, store.Limits{})
	process := connect(t, s)
	a, b := process.channel(), process.channel()
	l := a.create("Lock")
	a.must(true, l, "acquire")
	a.must(true, l, "locked")
	a.must(false, l, "acquire", false)
	b.must(false, l, "acquire", false)
	a.fails("ValueError(\"can't specify a timeout for a non-blocking call\")", l, "acquire", false, int64(1))
	a.fails("ValueError('timeout value must be a non-negative number')", l, "acquire", true, int64(-2))
	a.fails("TypeError(\"a timeout is a number of seconds, not 'str'\")", l, "acquire", true, "x")
	waits := b.start(l, "acquire", true, int64(-1))
	wantWaiting(t, waits)
	b.must(nil, l, "release") // any channel may
	wantResult(t, waits, true)
	b.must(nil, l, "release")
	a.fails("RuntimeError('release unlocked lock')", l, "release")
	a.must(true, l, "acquire", named{"blocking": false})
	o, _ := s.Object(l)
	if got := o.Repr(); !strings.HasPrefix(got, "<locked _thread.lock object at 0x") {
		t.Error(got)
	}
	a.fails("AttributeError(\"'lock' object has no attribute 'x'\")", l, "x")
}

func TestRLockAsInPython(t *testing.T) {
	s := newStore(t, store.Limits{})
	process := connect(t, s)
	a, b := process.channel(), process.channel()
	l := a.create("RLock")
	a.must(true, l, "acquire")
	a.must(true, l, "acquire", false)
	waits := b.start(l, "acquire")
	b.fails("RuntimeError('cannot release un-acquired lock')", l, "release")
	a.must(nil, l, "release")
	wantWaiting(t, waits)
	a.must(nil, l, "release")
	wantResult(t, waits, true)
	a.fails("RuntimeError('cannot release un-acquired lock')", l, "release")
	b.must(nil, l, "release")
	b.must(false, l, "locked")
}

func TestLockTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t, store.Limits{})
		a := connect(t, s)
		for _, kind := range []string{"Lock", "RLock", "Semaphore", "BoundedSemaphore", "Condition"} {
			l := a.create(kind)
			b := connect(t, s)
			a.must(true, l, "acquire")
			timed := b.start(l, "acquire", true, 0.5)
			zero := b.start(l, "acquire", true, int64(0))
			long := b.start(l, "acquire", true, int64(1000))
			<-time.After(time.Second)
			wantResult(t, timed, false)
			wantResult(t, zero, false)
			wantWaiting(t, long)
			a.must(nil, l, "release")
			wantResult(t, long, true)
			<-time.After(time.Hour) // its timer does nothing more
			b.must(nil, l, "release")
		}
	})
}

func TestMutexForGo(t *testing.T) {
	s := newStore(t, store.Limits{})
	a, b := connect(t, s), connect(t, s)
	m := a.create("Lock")
	a.must(int64(0), m, "mp.owner")
	a.must(nil, m, "mp.lock")
	a.must(int64(4711), m, "mp.owner")
	b.must(false, m, "mp.tryLock")
	own := a.start(m, "mp.lock") // not recursive, not for one session either
	other := b.start(m, "mp.lock")
	wantWaiting(t, own, other)
	for _, method := range []string{"mp.unlock", "mp.heal"} {
		if _, err := b.do(m, method); !errors.Is(err, mperr.ErrNotHeld) {
			t.Errorf("%s: %v", method, err)
		}
	}
	own.Cancel()
	a.must(nil, m, "mp.heal") // of a sound one
	a.must(nil, m, "mp.unlock")
	wantResult(t, other, nil)
	b.must(nil, m, "mp.unlock")
	b.must(true, m, "mp.tryLock")
}

// A lock passes from one to the next in the order in which they came.
func TestLockIsFair(t *testing.T) {
	s := newStore(t, store.Limits{})
	a := connect(t, s)
	l := a.create("Lock")
	a.must(nil, l, "mp.lock")
	var calls []*pending
	for i := range 6 {
		method := []string{"mp.lock", "acquire", "mp.lockBroken"}[i%3]
		calls = append(calls, connect(t, s).start(l, method))
	}
	for i, c := range calls {
		wantWaiting(t, calls[i:]...)
		a.must(nil, l, "release")
		if c.waits() {
			t.Fatalf("number %d was overtaken", i)
		}
	}
}
