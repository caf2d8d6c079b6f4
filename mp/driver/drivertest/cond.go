package drivertest

import (
	"context"
	"errors"
	"testing"

	"multiproc/internal/complete"
	"multiproc/internal/mperr"
	"multiproc/mp/driver"
)

var condTests = []test{
	{"signal", testCondSignal},
	{"gives up", testCondGivesUp},
	{"not held", testCondNotHeld},
	{"closed", testCondClosed},
	{"closed while another holds", testCondClosedHeld},
	{"hands over", testCondHandsOver},
	{"another's lock", testCondOfMutex},
	{"no lock", testCondOfNoLock},
}

func newCond(t *testing.T, p driver.Place, name string) complete.Cond {
	t.Helper()
	return open[complete.Cond](t, p, driver.Spec{Kind: driver.KindCond, Name: name})
}

// inWait starts a wait, which gives the lock back, and returns when it waits.
func inWait(t *testing.T, c complete.Cond) (answer chan error, cancel func()) {
	t.Helper()
	must(t, c.Lock(within(t, timeLimit)))
	answer, cancel = waiting(t, "wait", func(ctx context.Context) error {
		err := c.Wait(ctx)
		return errors.Join(err, c.Unlock(context.WithoutCancel(ctx)))
	})
	must(t, c.Lock(within(t, timeLimit))) // so it has given the lock up
	must(t, c.Unlock(within(t, timeLimit)))
	return answer, cancel
}

func testCondSignal(t *testing.T, p driver.Place) {
	c, ctx := newCond(t, p, ""), within(t, timeLimit)
	one, cancel := inWait(t, c)
	defer cancel()
	two, cancel := inWait(t, c)
	defer cancel()
	three, cancel := inWait(t, c)
	defer cancel()
	must(t, c.Lock(ctx))
	must(t, c.Signal(ctx))
	still(t, "a wait returns while another holds the lock", 3, one, two, three)
	must(t, c.Unlock(ctx))
	must(t, <-one) // first come, first served
	still(t, "one signal lets two waits go on", 2, two, three)
	must(t, c.Lock(ctx))
	must(t, c.Broadcast(ctx))
	must(t, c.Unlock(ctx))
	must(t, <-two)
	must(t, <-three)
	must(t, c.Lock(ctx))
	must(t, c.Signal(ctx)) // to nobody, and forgotten
	givesUpIn(t, c)
	must(t, c.Unlock(ctx))
}

// givesUpIn checks that a Wait whose context ends returns with the lock. The
// caller holds it.
func givesUpIn(t *testing.T, c complete.Cond) {
	t.Helper()
	answer, cancel := waiting(t, "wait", c.Wait)
	cancel()
	wantErr(t, "wait after cancel", <-answer, context.Canceled)
	wantErr(t, "wait with a deadline", c.Wait(within(t, short)), context.DeadlineExceeded)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	wantErr(t, "wait with an ended context", c.Wait(ended), context.Canceled)
	ok, err := c.TryLock(within(t, timeLimit))
	is(t, "try lock after a wait that gave up", ok, err, false)
}

// One that gives up has the lock again when it returns, and not before.
func testCondGivesUp(t *testing.T, p driver.Place) {
	c, ctx := newCond(t, p, ""), within(t, timeLimit)
	must(t, c.Lock(ctx))
	givesUpIn(t, c)
	must(t, c.Unlock(ctx))
	answer, cancel := inWait(t, c)
	must(t, c.Lock(ctx))
	cancel()
	must(t, c.Unlock(ctx)) // else the one that has given up took it
	err := <-answer
	wantErr(t, "wait", err, context.Canceled)
	if errors.Is(err, mperr.ErrNotHeld) {
		t.Error("a wait that gives up returns without the lock")
	}
	must(t, c.Lock(ctx))
	must(t, c.Unlock(ctx))
}

func testCondNotHeld(t *testing.T, p driver.Place) {
	c, ctx := newCond(t, p, ""), within(t, timeLimit)
	wantErr(t, "wait", c.Wait(ctx), mperr.ErrNotHeld)
	wantErr(t, "signal", c.Signal(ctx), mperr.ErrNotHeld)
	wantErr(t, "broadcast", c.Broadcast(ctx), mperr.ErrNotHeld)
	wantErr(t, "unlock", c.Unlock(ctx), mperr.ErrNotHeld)
}

// A wait in a handle that is closed takes no lock along.
func testCondClosed(t *testing.T, p driver.Place) {
	ctx := within(t, timeLimit)
	a, b := newCond(t, p, "c"), newCond(t, p, "c")
	must(t, a.Lock(ctx))
	answer, cancel := waiting(t, "wait", a.Wait)
	defer cancel()
	must(t, a.Close())
	wantErr(t, "a wait in a handle that is closed", <-answer, mperr.ErrClosed)
	must(t, b.Lock(ctx))
	must(t, b.Unlock(ctx))
}

// Of those who use one handle some wait and one has the lock when it is closed:
// the lock is held until the last of them has called Unlock.
func testCondClosedHeld(t *testing.T, p driver.Place) {
	ctx := within(t, timeLimit)
	a, b := newCond(t, p, "c"), newCond(t, p, "c")
	must(t, a.Lock(ctx))
	answer, cancel := waiting(t, "wait", a.Wait)
	defer cancel()
	must(t, a.Lock(ctx))
	must(t, a.Close())
	wantErr(t, "a wait in a handle that is closed", <-answer, mperr.ErrClosed)
	must(t, a.Unlock(ctx)) // of what the wait has lost
	ok, err := b.TryLock(ctx)
	is(t, "try lock of what another goroutine holds", ok, err, false)
	must(t, a.Unlock(ctx))
	must(t, b.Lock(ctx))
	must(t, b.Unlock(ctx))
}

// Two hand a turn to one another: no signal is lost.
func testCondHandsOver(t *testing.T, p driver.Place) {
	c, turn, next := newCond(t, p, ""), 0, make(chan int, 2)
	next <- 0
	next <- 1
	crowd(t, 2, 1, func(ctx context.Context) error {
		me := <-next
		for range 50 {
			if err := c.Lock(ctx); err != nil {
				return err
			}
			for turn != me {
				if err := c.Wait(ctx); err != nil {
					return errors.Join(err, c.Unlock(ctx))
				}
			}
			turn = 1 - me // the race detector sees it if two are here
			if err := errors.Join(c.Signal(ctx), c.Unlock(ctx)); err != nil {
				return err
			}
		}
		return nil
	})
}

// A Cond of a Mutex has that lock, and keeps it alive.
func testCondOfMutex(t *testing.T, p driver.Place) {
	if !offers(t, p, driver.KindMutex) {
		t.Skipf("%v does not offer locks", p)
	}
	m, ctx := newMutex(t, p, ""), within(t, timeLimit)
	s := driver.Spec{Kind: driver.KindCond, Lock: complete.Bare(m)}
	c, other := open[complete.Cond](t, p, s), open[complete.Cond](t, p, s)
	must(t, m.Lock(ctx))
	ok, err := c.TryLock(ctx)
	is(t, "try lock while the mutex is held", ok, err, false)
	answer, cancel := waiting(t, "wait", c.Wait)
	defer cancel()
	must(t, m.Lock(ctx))
	must(t, other.Broadcast(ctx)) // reaches none of the first one's
	must(t, c.Signal(ctx))
	must(t, m.Unlock(ctx))
	must(t, <-answer)
	must(t, m.Close())
	must(t, c.Unlock(ctx))
	must(t, c.Lock(ctx))
	ok, err = other.TryLock(ctx)
	is(t, "try lock by another cond of the mutex", ok, err, false)
	must(t, c.Unlock(ctx))
}

func testCondOfNoLock(t *testing.T, p driver.Place) {
	if !offers(t, p, driver.KindQueue) {
		t.Skipf("%v does not offer queues", p)
	}
	q := open[complete.Queue](t, p, spec(driver.KindQueue))
	_, err := p.Open(within(t, timeLimit), driver.Spec{Kind: driver.KindCond, Lock: complete.Bare(q)})
	wantErr(t, "a cond of a queue", err, mperr.ErrType)
}
