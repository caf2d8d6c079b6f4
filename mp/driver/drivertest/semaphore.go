package drivertest

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"testing"

	"multiproc/internal/mperr"
	"multiproc/mp/driver"
)

// acquireAll takes permits until there are none, and waits for one more.
func acquireAll(ctx context.Context, s driver.Semaphore) error {
	for {
		if err := s.Acquire(ctx, 1); err != nil {
			return err
		}
	}
}

// one is Acquire of one permit.
func one(s driver.Semaphore) func(context.Context) error { return weighing(s, 1) }

// weighing is Acquire of n permits.
func weighing(s driver.Semaphore, n int) func(context.Context) error {
	return func(ctx context.Context) error { return s.Acquire(ctx, n) }
}

var (
	semaphoreTests = []test{
		{"permits", testSemaphore},
		{"weights", testSemaphoreWeights},
		{"line", testSemaphoreLine},
		{"numbers", testSemaphoreNumbers},
		{"model", testSemaphoreModel},
		{"signals", testSemaphoreSignals},
		{"excludes", testSemaphoreExcludes},
		{"closed while held", testSemaphoreClosedHeld},
	}
	boundedTests = []test{{"bound", testBounded}, {"weights", testBoundedWeights}}
)

func newSemaphore(t *testing.T, p driver.Place, name string, n int) driver.Semaphore {
	t.Helper()
	return open[driver.Semaphore](t, p, driver.Spec{Kind: driver.KindSemaphore, Name: name, Size: n})
}

func testSemaphore(t *testing.T, p driver.Place) {
	s, ctx := newSemaphore(t, p, "", 2), within(t, timeLimit)
	must(t, s.Acquire(ctx, 1))
	ok, err := s.TryAcquire(ctx, 1)
	is(t, "the second permit", ok, err, true)
	ok, err = s.TryAcquire(ctx, 1)
	is(t, "a third permit", ok, err, false)
	givesUp(t, "acquire", one(s))
	answer, cancel := waiting(t, "acquire", one(s))
	defer cancel()
	must(t, s.Release(ctx, 1))
	must(t, <-answer)
	for range 3 {
		must(t, s.Release(ctx, 1)) // one more than there were
	}
	for range 3 {
		must(t, s.Acquire(ctx, 1))
	}
	ok, err = s.TryAcquire(ctx, 1)
	is(t, "a fourth permit", ok, err, false)
}

// A permit that was acquired through a handle is given back through it also
// after Close.
func testSemaphoreClosedHeld(t *testing.T, p driver.Place) {
	ctx := within(t, timeLimit)
	a, b := newSemaphore(t, p, "s", 1), newSemaphore(t, p, "s", 1)
	must(t, a.Acquire(ctx, 1))
	must(t, a.Close())
	ok, err := b.TryAcquire(ctx, 1)
	is(t, "a permit of a closed handle", ok, err, false)
	must(t, a.Release(ctx, 1))
	wantErr(t, "the second release", a.Release(ctx, 1), mperr.ErrClosed)
	ok, err = b.TryAcquire(ctx, 1)
	is(t, "a permit that a closed handle gave back", ok, err, true)
	ok, err = b.TryAcquire(ctx, 1)
	is(t, "a permit too many", ok, err, false)
}

// A semaphore that begins with no permits is released by one and acquired by
// another.
func testSemaphoreSignals(t *testing.T, p driver.Place) {
	s, ctx := newSemaphore(t, p, "", 0), within(t, timeLimit)
	for range 3 {
		answer, cancel := waiting(t, "acquire", one(s))
		must(t, s.Release(ctx, 1))
		must(t, <-answer)
		cancel()
	}
}

// An Acquire that gives up has no permit, however close it was.
func testSemaphoreExcludes(t *testing.T, p driver.Place) {
	s, inside := newSemaphore(t, p, "", 2), make(chan struct{}, 2)
	crowd(t, 5, 50, func(ctx context.Context) error {
		c, cancel := context.WithCancel(ctx)
		go cancel()
		err := s.Acquire(c, 1)
		if errors.Is(err, context.Canceled) {
			err = s.Acquire(ctx, 1)
		}
		cancel()
		if err != nil {
			return err
		}
		select {
		case inside <- struct{}{}:
			<-inside
		default:
			t.Error("a third one is inside")
		}
		return s.Release(ctx, 1)
	})
	for i, want := range []bool{true, true, false} {
		ok, err := s.TryAcquire(within(t, timeLimit), 1)
		is(t, "permit "+strconv.Itoa(i), ok, err, want)
	}
}

func testBounded(t *testing.T, p driver.Place) {
	ctx := within(t, timeLimit)
	s := open[driver.Semaphore](t, p, driver.Spec{Kind: driver.KindBoundedSemaphore, Size: 1})
	wantErr(t, "a release too many", s.Release(ctx, 1), mperr.ErrValue)
	must(t, s.Acquire(ctx, 1))
	ok, err := s.TryAcquire(ctx, 1)
	is(t, "a second permit", ok, err, false)
	must(t, s.Release(ctx, 1))
	wantErr(t, "a release too many", s.Release(ctx, 1), mperr.ErrValue)
}

// Several permits are acquired all together or not at all, and may be released in parts.
func testSemaphoreWeights(t *testing.T, p driver.Place) {
	s, ctx := newSemaphore(t, p, "", 5), within(t, timeLimit)
	must(t, s.Acquire(ctx, 3))
	ok, err := s.TryAcquire(ctx, 3)
	is(t, "3 of 2", ok, err, false)
	givesUp(t, "acquire 3 of 2", weighing(s, 3))
	ok, err = s.TryAcquire(ctx, 2)
	is(t, "2 of 2", ok, err, true)
	answer, cancel := waiting(t, "acquire 4", weighing(s, 4))
	defer cancel()
	must(t, s.Release(ctx, 2))
	must(t, s.Release(ctx, 1))
	still(t, "4 of 3", 1, answer)
	must(t, s.Release(ctx, 2))
	must(t, <-answer)
	must(t, s.Release(ctx, 4))
	must(t, s.Release(ctx, 2)) // two more than there were
	must(t, s.Acquire(ctx, 7))
	ok, err = s.TryAcquire(ctx, 1)
	is(t, "an eighth of 7", ok, err, false)
}

// Who wants many is not passed by those who want few, and when it gives up they go on.
func testSemaphoreLine(t *testing.T, p driver.Place) {
	s, ctx := newSemaphore(t, p, "", 4), within(t, timeLimit)
	must(t, s.Acquire(ctx, 2))
	many, cancelMany := waiting(t, "acquire 4 of 2", weighing(s, 4))
	defer cancelMany()
	ok, err := s.TryAcquire(ctx, 1)
	is(t, "a permit while somebody waits for more", ok, err, false)
	few, cancel := waiting(t, "acquire behind it", one(s))
	defer cancel()
	must(t, s.Release(ctx, 1))
	still(t, "3 of 4 are there", 2, many, few)
	must(t, s.Release(ctx, 1))
	must(t, <-many)
	must(t, s.Release(ctx, 4))
	must(t, <-few)

	many, cancelMany = waiting(t, "acquire 4 of 3", weighing(s, 4))
	few, cancel = waiting(t, "acquire behind it", one(s))
	defer cancel()
	cancelMany()
	wantErr(t, "acquire that gave up", <-many, context.Canceled)
	must(t, <-few)
}

// Numbers that make no sense are refused, and change nothing.
func testSemaphoreNumbers(t *testing.T, p driver.Place) {
	s, ctx := newSemaphore(t, p, "", 1), within(t, timeLimit)
	for _, n := range []int{0, -1} {
		wantErr(t, "acquire", s.Acquire(ctx, n), mperr.ErrValue)
		_, err := s.TryAcquire(ctx, n)
		wantErr(t, "try to acquire", err, mperr.ErrValue)
		wantErr(t, "release", s.Release(ctx, n), mperr.ErrValue)
	}
	ok, err := s.TryAcquire(ctx, 1)
	is(t, "the permit", ok, err, true)
	ok, err = s.TryAcquire(ctx, 1)
	is(t, "another", ok, err, false)
}

// Whatever one session acquires and releases, there are as many permits as one counts.
func testSemaphoreModel(t *testing.T, p driver.Place) {
	for seed := range uint64(4) {
		r := rand.New(rand.NewPCG(seed, 0))
		ctx, free := within(t, timeLimit), int(seed)
		s := newSemaphore(t, p, "", free)
		for i := range 200 {
			n := 1 + r.IntN(5)
			if r.IntN(3) == 0 {
				must(t, s.Release(ctx, n))
				free += n
				continue
			}
			ok, err := s.TryAcquire(ctx, n)
			is(t, "seed "+strconv.Itoa(int(seed))+", step "+strconv.Itoa(i)+": "+strconv.Itoa(n)+" of "+strconv.Itoa(free), ok, err, free >= n)
			if ok {
				free -= n
			}
		}
	}
}

func testBoundedWeights(t *testing.T, p driver.Place) {
	ctx := within(t, timeLimit)
	s := open[driver.Semaphore](t, p, driver.Spec{Kind: driver.KindBoundedSemaphore, Size: 3})
	wantErr(t, "acquire of more than there ever are", s.Acquire(ctx, 4), mperr.ErrValue)
	_, err := s.TryAcquire(ctx, 4)
	wantErr(t, "try to acquire more than there ever are", err, mperr.ErrValue)
	must(t, s.Acquire(ctx, 2))
	wantErr(t, "a release too many", s.Release(ctx, 3), mperr.ErrValue)
	ok, err := s.TryAcquire(ctx, 2)
	is(t, "what was not released", ok, err, false)
	must(t, s.Release(ctx, 2))
	must(t, s.Acquire(ctx, 3))
}
