package mp

import (
	"context"
	"runtime"
	"sync"
	"time"
)

// Within returns a context that ends with ctx, or after d: for one call with a
// time limit, in a loop as well, since there is nothing to be given back.
//
//	v, err := q.Get(mp.Within(ctx, time.Second)) // Python's q.get(timeout=1)
//
// A call that does not wait never asks it whether time is up, and then it costs
// an allocation and a look at the clock. The error is
// context.DeadlineExceeded.
func Within(ctx context.Context, d time.Duration) context.Context {
	end := time.Now().Add(d)
	if parent, ok := ctx.Deadline(); ok && parent.Before(end) {
		return ctx
	}
	return &within{Context: ctx, end: end}
}

// within is a context whose timer is made when somebody waits for it.
type within struct {
	context.Context
	end time.Time

	once sync.Once
	mu   sync.Mutex
	real context.Context // nil until then; under mu
}

func (w *within) Deadline() (time.Time, bool) { return w.end, true }

func (w *within) Done() <-chan struct{} {
	w.once.Do(func() {
		real, cancel := context.WithDeadline(w.Context, w.end)
		// The collector finds w when the call is over: the timer goes then, and
		// the parent forgets it.
		runtime.AddCleanup(w, func(cancel context.CancelFunc) { cancel() }, cancel)
		w.mu.Lock()
		w.real = real
		w.mu.Unlock()
	})
	return w.real.Done()
}

func (w *within) Err() error { return w.now().Err() }

func (w *within) Value(key any) any { return w.now().Value(key) }

// now is the context that knows: of its end, and of its cause.
func (w *within) now() context.Context {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.real == nil {
		return w.Context
	}
	return w.real
}
