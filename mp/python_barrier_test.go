//go:build linux

package mp_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"multiproc/mp"
)

func pyBarrier(t *testing.T, opts []mp.Option, rounds int) {
	x, ctx := newPyTools(t, opts, 5), within(t, long)
	x.Rounds = rounds
	x.crew(t, "meet", 2, 3, func() error { return x.meet(ctx) })()
	if n := get(x.B.Parties(ctx))(t); n != 5 || get(x.B.Waiting(ctx))(t) != 0 || get(x.B.Broken(ctx))(t) {
		t.Errorf("%d parties", n)
	}
}

// parties calls f in so many goroutines and collects what they return.
func parties(n int, f func(i int) error) []error {
	errs, all := make([]error, n), sync.WaitGroup{}
	for i := range n {
		all.Go(func() { errs[i] = f(i) })
	}
	all.Wait()
	return errs
}

func pyBarrierReturn(t *testing.T, opts []mp.Option) {
	x, ctx, first := newPyTools(t, opts, 5), within(t, long), make(chan int, 5)
	must(t, errors.Join(parties(5, func(int) error {
		i, err := x.B.Wait(ctx)
		first <- i
		return err
	})...))
	close(first)
	zeros := 0
	for i := range first {
		if i == 0 {
			zeros++
		}
	}
	if zeros != 1 {
		t.Errorf("%d have 0", zeros)
	}
}

// There is no action: it is for the one who gets 0, and others who need it wait once more.
func pyBarrierAction(t *testing.T, opts []mp.Option) {
	x, ctx := newPyTools(t, opts, 5), within(t, long)
	must(t, errors.Join(parties(5, func(int) error {
		i, err := x.B.Wait(ctx)
		if i == 0 && err == nil {
			_, err = x.N.Add(ctx, 1)
		}
		_, again := x.B.Wait(ctx)
		n, failed := x.N.Load(ctx)
		if n != 1 {
			failed = errors.Join(failed, errors.New("not once"))
		}
		return errors.Join(err, again, failed)
	})...))
}

// spoiled lets one party do something that breaks the barrier when the others wait, and
// checks that they have heard.
func (x pyTools) spoiled(t *testing.T, spoil func() error) {
	t.Helper()
	ctx := within(t, long)
	for i, err := range parties(5, func(i int) error {
		if i > 0 {
			_, err := x.B.Wait(ctx)
			return err
		}
		for {
			n, err := x.B.Waiting(ctx)
			if n == 4 || err != nil {
				return errors.Join(err, spoil())
			}
		}
	}) {
		switch {
		case i == 0 && err != nil:
			t.Error(err)
		case i > 0:
			wantErr(t, "Wait", err, mp.ErrBroken)
		}
	}
}

// passes checks that all five get through.
func (x pyTools) passes(t *testing.T) {
	t.Helper()
	ctx := within(t, long)
	must(t, errors.Join(parties(5, func(int) error { _, err := x.B.Wait(ctx); return err })...))
}

func pyBarrierAbort(t *testing.T, opts []mp.Option) {
	x := newPyTools(t, opts, 5)
	x.spoiled(t, func() error { return x.B.Abort(t.Context()) })
	if !get(x.B.Broken(t.Context()))(t) {
		t.Error("it is not broken")
	}
}

func pyBarrierReset(t *testing.T, opts []mp.Option) {
	x := newPyTools(t, opts, 5)
	x.passes(t)
	x.spoiled(t, func() error { return x.B.Reset(t.Context()) })
	x.passes(t)
}

func pyBarrierAbortAndReset(t *testing.T, opts []mp.Option) {
	x := newPyTools(t, opts, 5)
	x.spoiled(t, func() error { return x.B.Abort(t.Context()) })
	must(t, x.B.Reset(t.Context()))
	x.passes(t)
}

// A time limit is of a call, by its context, and none is of the barrier.
func pyBarrierTimeout(t *testing.T, opts []mp.Option) {
	x := newPyTools(t, opts, 5)
	errs := parties(4, func(int) error { _, err := x.B.Wait(mp.Within(t.Context(), 20*time.Millisecond)); return err })
	for _, err := range errs {
		if !errors.Is(err, mp.ErrBroken) && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("with a party that does not come: %v", err)
		}
	}
	wantErr(t, "who comes late", get2(x.B.Wait(t.Context())), mp.ErrBroken)
}

func pyBarrierSingle(t *testing.T, opts []mp.Option) {
	x := newPyTools(t, opts, 1)
	for range 2 {
		if i := get(x.B.Wait(within(t, long)))(t); i != 0 {
			t.Errorf("index %d", i)
		}
	}
}
