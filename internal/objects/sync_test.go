package objects

import (
	"errors"
	"math/big"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"multiproc/internal/mperr"
	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

func TestSemaphoreAsInPython(t *testing.T) {
	s := newStore(t, store.Limits{})
	a, b := connect(t, s), connect(t, s)
	sem := a.create("Semaphore", int64(2))
	a.must(true, sem, "acquire")
	a.must(true, sem, "acquire", true, nil)
	a.must(true, sem, "locked")
	a.must(false, sem, "acquire", false)
	a.fails("ValueError(\"can't specify timeout for non-blocking acquire\")", sem, "acquire", false, int64(1))
	one, two := a.start(sem, "acquire"), b.start(sem, "acquire")
	b.must(nil, sem, "release", int64(2))
	wantResult(t, one, true)
	wantResult(t, two, true)
	b.must(nil, sem, "release", named{"n": int64(3)})
	a.fails("ValueError('n must be one or more')", sem, "release", int64(0))
	o, _ := s.Object(sem)
	if got := o.Repr(); !strings.HasSuffix(got, ": value=3>") {
		t.Error(got)
	}

	bounded := a.create("BoundedSemaphore", int64(1))
	a.fails("ValueError('Semaphore released too many times')", bounded, "release")
	a.must(true, bounded, "acquire")
	b.must(nil, bounded, "release")
	if _, _, err := a.ss.Create("Semaphore", arguments([]pyvalue.Value{int64(-1)})); !errors.Is(err, mperr.ErrValue) {
		t.Error(err)
	}
	if _, _, err := a.ss.Create("Semaphore", arguments([]pyvalue.Value{"x"})); !errors.Is(err, mperr.ErrType) {
		t.Error(err)
	}
}

// The permits of a dead owner come back, but not those that another has given
// back for it, and not those of a semaphore that only signals.
func TestSemaphoreOfDeadOwners(t *testing.T) {
	s := newStore(t, store.Limits{})
	c := connect(t, s)
	left := func(sem uint64, want int) {
		t.Helper()
		o, _ := s.Object(sem)
		if got := o.(*semaphore).left(); got != int64(want) {
			t.Errorf("%d permits, want %d", got, want)
		}
	}
	sem := c.create("Semaphore", int64(3))
	dead := connect(t, s)
	for range 3 {
		dead.must(true, sem, "acquire")
	}
	waits := c.start(sem, "acquire")
	c.must(nil, sem, "release") // for the dead one
	wantResult(t, waits, true)
	dead.die()
	left(sem, 2)
	c.must(nil, sem, "release")
	left(sem, 3)

	signal := c.create("Semaphore", int64(0))
	consumer := connect(t, s)
	for range 5 {
		c.must(nil, signal, "release")
		consumer.must(true, signal, "acquire")
	}
	consumer.die()
	left(signal, 0)

	pair := c.create("Semaphore", int64(2))
	dead, alive := connect(t, s), connect(t, s)
	dead.must(true, pair, "acquire")
	alive.must(true, pair, "acquire")
	alive.must(nil, pair, "release") // its own, not the oldest
	dead.die()
	left(pair, 2)

	mixed := c.create("Semaphore", int64(1))
	one, two := connect(t, s), connect(t, s)
	one.must(true, mixed, "acquire")
	c.must(nil, mixed, "release", int64(2))
	one.must(true, mixed, "acquire")
	two.must(true, mixed, "acquire") // one permit more than there ever was: one's is forgiven
	one.die()
	left(mixed, 0)
	two.die()
	left(mixed, 1)
}

// Permits that were acquired together come back as far as others have not released them,
// and an end that comes late takes nothing from an owner that has acquired again.
func TestWeightsOfDeadOwners(t *testing.T) {
	s := newStore(t, store.Limits{})
	c, dead := connect(t, s), connect(t, s)
	sem := c.create("Semaphore", int64(5))
	dead.must(nil, sem, "mp.acquire", int64(4))
	c.must(false, sem, "mp.tryAcquire", int64(2))
	many := c.start(sem, "mp.acquire", int64(5))
	python := c.start(sem, "acquire") // there is one, and one who stands before it
	c.must(true, sem, "locked")
	c.must(nil, sem, "release", int64(3)) // of the dead
	dead.die()
	wantResult(t, many, nil)
	c.must(nil, sem, "release", int64(5))
	wantResult(t, python, true)
	for _, n := range []int64{0, -1, 1 << 31} {
		if _, err := c.do(sem, "mp.acquire", n); !errors.Is(err, mperr.ErrValue) {
			t.Errorf("%d permits: %v", n, err)
		}
	}
}

// Who was let go cannot be cancelled any more, though the answer is only on its
// way.
func TestCancelIsTooLate(t *testing.T) {
	s := newStore(t, store.Limits{})
	c := connect(t, s)
	sem := c.create("Semaphore", int64(0))
	first, second := &pending{}, &pending{}
	first.then = func() { second.Cancel() }
	c.begin(first, sem, "acquire")
	c.begin(second, sem, "acquire")
	c.must(nil, sem, "release", int64(2))
	wantResult(t, first, true)
	wantResult(t, second, true)
}

func TestEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t, store.Limits{})
		a, dead := connect(t, s), connect(t, s)
		e := a.create("Event")
		a.must(false, e, "is_set")
		one, two, timed, lost := a.start(e, "wait", nil), a.start(e, "wait", int64(60)), a.start(e, "wait", 0.5), dead.start(e, "wait")
		a.must(nil, e, "clear")
		<-time.After(time.Second)
		wantResult(t, timed, false)
		dead.die()
		a.must(nil, e, "set")
		wantResult(t, one, true)
		wantResult(t, two, true)
		wantWaiting(t, lost)
		a.must(true, e, "wait")
		a.must(true, e, "is_set")
		o, _ := s.Object(e)
		if !strings.HasSuffix(o.Repr(), ": set>") {
			t.Error(o.Repr())
		}
		a.must(nil, e, "clear")
		a.must(false, e, "is_set")
	})
}

const brokenBarrier = "BrokenBarrierError()"

func TestBarrier(t *testing.T) {
	s := newStore(t, store.Limits{})
	a := connect(t, s)
	b := a.create("Barrier", int64(3), nil, nil)
	for range 2 {
		one, two := a.start(b, "wait", nil), a.start(b, "wait")
		a.must(int64(2), b, "__getattribute__", "n_waiting")
		a.must(int64(2), b, "wait", int64(5))
		wantResult(t, one, int64(0))
		wantResult(t, two, int64(1))
		a.must(int64(0), b, "__getattribute__", "n_waiting")
	}
	waits := a.start(b, "wait")
	a.must(nil, b, "reset")
	wantFailure(t, waits, brokenBarrier)
	a.must(false, b, "__getattribute__", "broken")
	waits = a.start(b, "wait")
	a.must(nil, b, "abort")
	wantFailure(t, waits, brokenBarrier)
	a.fails(brokenBarrier, b, "wait")
	a.must(true, b, "__getattribute__", "broken")
	a.must(int64(3), b, "__getattribute__", "parties")
	a.fails("AttributeError(\"'Barrier' object has no attribute 'x'\")", b, "__getattribute__", "x")
	a.must(nil, b, "reset")
	waits = a.start(b, "wait")
	wantWaiting(t, waits)

	alone := a.create("Barrier", int64(1))
	a.must(int64(0), alone, "wait")
	for _, args := range [][]pyvalue.Value{{}, {int64(0)}, {"x"}, {int64(2), pyvalue.Global{Module: "m", Name: "f"}}, {int64(2), nil, "x"}} {
		if _, _, err := a.ss.Create("Barrier", arguments(args)); err == nil {
			t.Errorf("Barrier(%s)", pyvalue.Repr(pyvalue.Tuple(args)))
		}
	}
}

// A party that stops waiting breaks the barrier for the others.
// A barrier has a time to wait of its own, and keeps no more of it than that.
func TestBarrierTimeout(t *testing.T) {
	s := newStore(t, store.Limits{})
	c := connect(t, s)
	huge := new(big.Int).Lsh(big.NewInt(1), 100_000)
	for _, timeout := range []pyvalue.Value{nil, huge, int64(1000)} {
		b := c.create("Barrier", int64(2), nil, timeout)
		first := c.start(b, "wait")
		wantWaiting(t, first)
		c.must(int64(1), b, "wait")
		wantResult(t, first, int64(0))
	}
	o, _ := s.Object(c.create("Barrier", int64(2), nil, huge))
	if got := o.(*barrier).timeout; got != forever {
		t.Errorf("2**100000 seconds are %v", got)
	}
	b := c.create("Barrier", int64(2), nil, 0.001)
	p := c.async(b, "wait")
	<-p.done
	wantFailure(t, p, "BrokenBarrierError()")
}

func TestBarrierBreaks(t *testing.T) {
	for name, end := range map[string]func(me *client, p *pending){
		"dies":    func(me *client, _ *pending) { me.die() },
		"cancels": func(_ *client, p *pending) { p.Cancel() },
		"timeout": func(*client, *pending) { <-time.After(2 * time.Minute) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStore(t, store.Limits{})
				a, me := connect(t, s), connect(t, s)
				b := a.create("Barrier", int64(3), nil, int64(60))
				other, mine := a.start(b, "wait", int64(3600)), me.start(b, "wait")
				end(me, mine)
				synctest.Wait()
				wantFailure(t, other, brokenBarrier)
				a.must(true, b, "__getattribute__", "broken")
				a.must(nil, b, "reset")
				one, two := a.start(b, "wait"), a.start(b, "wait")
				a.must(int64(2), b, "wait")
				wantResult(t, one, int64(0))
				wantResult(t, two, int64(1))
			})
		})
	}
}
