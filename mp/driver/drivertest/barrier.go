package drivertest

import (
	"context"
	"testing"

	"multiproc/internal/mperr"
	"multiproc/mp/driver"
)

var barrierTests = []test{
	{"meet", testBarrier},
	{"broken", testBarrierBroken},
	{"rounds", testBarrierRounds},
}

func newBarrier(t *testing.T, p driver.Place, name string, parties int) driver.Barrier {
	t.Helper()
	return open[driver.Barrier](t, p, driver.Spec{Kind: driver.KindBarrier, Name: name, Size: parties})
}

// arrive is a Wait that is to have an index.
func arrive(t *testing.T, b driver.Barrier, index int) func(context.Context) error {
	return func(ctx context.Context) error {
		i, err := b.Wait(ctx)
		if err == nil && i != index {
			t.Errorf("index %d, want %d", i, index)
		}
		return err
	}
}

func testBarrier(t *testing.T, p driver.Place) {
	b, ctx := newBarrier(t, p, "", 3), within(t, timeLimit)
	n, err := b.Parties(ctx)
	is(t, "parties", n, err, 3)
	for range 2 {
		one, cancel := waiting(t, "the first", arrive(t, b, 0))
		two, cancel2 := waiting(t, "the second", arrive(t, b, 1))
		n, err = b.Waiting(ctx)
		is(t, "waiting", n, err, 2)
		must(t, arrive(t, b, 2)(ctx))
		must(t, <-one)
		must(t, <-two)
		cancel()
		cancel2()
		n, err = b.Waiting(ctx)
		is(t, "waiting afterwards", n, err, 0)
	}
	alone := newBarrier(t, p, "", 1)
	must(t, arrive(t, alone, 0)(ctx))
}

// isBroken checks the state, and repairs it.
func isBroken(t *testing.T, b driver.Barrier) {
	t.Helper()
	ctx := within(t, timeLimit)
	broken, err := b.Broken(ctx)
	is(t, "broken", broken, err, true)
	_, err = b.Wait(ctx)
	wantErr(t, "wait", err, mperr.ErrBroken)
	must(t, b.Reset(ctx))
	broken, err = b.Broken(ctx)
	is(t, "broken after Reset", broken, err, false)
}

func testBarrierBroken(t *testing.T, p driver.Place) {
	a, b, ctx := newBarrier(t, p, "b", 3), newBarrier(t, p, "b", 3), within(t, timeLimit)
	for what, end := range map[string]func(cancel func(), handle driver.Barrier){
		"cancel": func(cancel func(), _ driver.Barrier) { cancel() },
		"close":  func(_ func(), handle driver.Barrier) { must(t, handle.Close()) },
	} {
		mine := newBarrier(t, p, "b", 3)
		one, cancel := waiting(t, "wait", arrive(t, a, 0))
		two, cancelTwo := waiting(t, "wait", arrive(t, mine, 1))
		end(cancelTwo, mine)
		wantErr(t, "another's wait after "+what, <-one, mperr.ErrBroken)
		want := map[string]error{"cancel": context.Canceled, "close": mperr.ErrClosed}[what]
		wantErr(t, "wait after "+what, <-two, want)
		isBroken(t, b)
		cancel()
		cancelTwo()
	}
	_, err := a.Wait(within(t, short))
	wantErr(t, "wait with a deadline", err, context.DeadlineExceeded)
	isBroken(t, b)
	for what, end := range map[string]func(context.Context) error{"abort": b.Abort, "reset": b.Reset} {
		one, cancel := waiting(t, "wait", arrive(t, a, 0))
		must(t, end(ctx))
		wantErr(t, "wait after "+what, <-one, mperr.ErrBroken)
		cancel()
		if what == "abort" {
			isBroken(t, b)
		}
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	_, err = a.Wait(ended)
	wantErr(t, "wait with an ended context", err, context.Canceled)
	broken, err := b.Broken(ctx)
	is(t, "broken by one who did not come", broken, err, false)
}

// Nobody is in the next round before all are through the last one.
func testBarrierRounds(t *testing.T, p driver.Place) {
	b, rounds := newBarrier(t, p, "", 4), make(chan int, 4)
	crowd(t, 4, 1, func(ctx context.Context) error {
		for i := range 50 {
			rounds <- i
			index, err := b.Wait(ctx)
			if err != nil {
				return err
			}
			if index == 0 {
				for range 4 {
					if r := <-rounds; r != i {
						t.Errorf("round %d in round %d", r, i)
					}
				}
			}
			if _, err := b.Wait(ctx); err != nil {
				return err
			}
		}
		return nil
	})
}
