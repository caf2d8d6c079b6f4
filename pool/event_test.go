//go:build linux

package pool_test

import (
	"errors"
	"sync/atomic"
	"testing"

	"multiproc/pool"
)

// When a loop is over, its observer has heard of all items, however slow it is.
func TestObservedBeforeTheEnd(t *testing.T) {
	p := newPool(t, pool.Options{Workers: 2})
	for range 20 {
		var done, ended atomic.Int64
		call := pool.Call{Observe: func(e pool.Event) {
			for range 1000 * e.Count {
				done.Add(0)
			}
			done.Add(int64(e.Count))
			if e.Kind == pool.CallEnded {
				ended.Add(1)
			}
		}}
		for _, err := range Increment.Map(t.Context(), p.With(call), upTo(100)) {
			if err != nil {
				t.Fatal(err)
			}
		}
		if done.Load() != 100 || ended.Load() != 1 {
			t.Fatalf("the loop is over, and its observer has heard of %d items of 100, and of its end %d times", done.Load(), ended.Load())
		}
	}
}

// An observer may ask the pool; a loop that is left says so.
func TestObserverAsks(t *testing.T) {
	p := newPool(t, pool.Options{Workers: 2})
	var ended []error
	var calls []int
	call := pool.Call{Observe: func(e pool.Event) {
		_ = p.Stats()
		if e.Kind == pool.CallEnded {
			ended = append(ended, e.Err)
			calls = append(calls, e.Call)
		}
	}}
	for _, leave := range []bool{false, true} {
		n := 100
		if leave {
			n = 1 << 40 // one that is not done by then
		}
		for _, err := range Increment.Map(t.Context(), p.With(call), upTo(n)) {
			if err != nil {
				t.Fatal(err)
			}
			if leave {
				break
			}
		}
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if len(ended) != 2 || ended[0] != nil || !errors.Is(ended[1], pool.ErrGivenUp) || calls[1] != calls[0]+1 {
		t.Errorf("%v %v", ended, calls)
	}
}
