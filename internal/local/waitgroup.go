package local

import (
	"context"
	"sync"

	"multiproc/internal/ledger"
	"multiproc/internal/mperr"
	"multiproc/internal/shm"
	"multiproc/mp/driver"
)

// waitGroup implements driver.WaitGroup.
//
// If this process has something to do when the handle is closed, the memory stays mapped,
// so that it can still say that it has done it.
type waitGroup struct {
	object
	w *ledger.WaitGroup // apart: a resident lock is kept, the handle must not be

	mu   sync.Mutex
	late bool // closed, and in use until this process has nothing to do; under mu
}

var _ driver.WaitGroup = (*waitGroup)(nil)

func newWaitGroup(p *Place, seg *shm.Segment) (*waitGroup, error) {
	if err := wants(seg, ledger.WaitGroupSize); err != nil {
		return nil, err
	}
	w := &waitGroup{object: object{place: p}, w: &ledger.WaitGroup{}}
	if err := w.Adopt(seg, seg.Size, w.w.Abort, nil); err != nil {
		return nil, err
	}
	m := p.Members()
	m.Owe()
	w.w.Attach(w.Body(), m)
	w.Rest.Detach = w.w.Detach
	return w, nil
}

func (w *waitGroup) Add(ctx context.Context, n int) error {
	if ctx.Err() != nil {
		return mperr.Ended(ctx)
	}
	add := func() error { return w.w.Add(ctx, int64(n)) }
	if n < 0 {
		return w.settle(ctx, add)
	}
	if !w.Enter() {
		return w.ErrClosed()
	}
	defer w.Exit()
	return w.named(add())
}

// settle calls f, which takes something off, also through a handle that was closed as long
// as this process has something to do.
func (w *waitGroup) settle(ctx context.Context, f func() error) error {
	if ctx.Err() != nil {
		return mperr.Ended(ctx)
	}
	if w.Enter() {
		defer w.Exit()
		return w.named(f())
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.late {
		return w.ErrClosed()
	}
	err := f()
	if owes, failed := w.w.Owes(context.Background()); failed == nil && owes == 0 {
		w.late = false
		w.Exit()
	}
	return w.named(err)
}

// Close implements driver.Object.
func (w *waitGroup) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.Enter() {
		return w.ErrClosed()
	}
	owes, err := w.w.Owes(context.Background())
	if err == nil && owes > 0 {
		if err = w.object.Close(); err == nil {
			w.late = true
			w.Linger()
			return nil
		}
	} else {
		err = w.object.Close()
	}
	w.Exit()
	return err
}

func (w *waitGroup) Take(ctx context.Context) error {
	if err := w.enter(ctx); err != nil {
		return err
	}
	defer w.Exit()
	return w.named(w.w.Take(ctx))
}

func (w *waitGroup) Lose(ctx context.Context, pid int) error {
	return w.settle(ctx, func() error { return w.w.Lose(ctx, pid) })
}

func (w *waitGroup) Wait(ctx context.Context) error {
	if err := w.enter(ctx); err != nil {
		return err
	}
	defer w.Exit()
	died, pid, err := w.w.Wait(ctx)
	if err == nil && died {
		err = &mperr.OwnerDiedError{Object: "waitgroup", PID: pid}
	}
	return w.named(err)
}

func (w *waitGroup) Count(ctx context.Context) (int, error) {
	if err := w.enter(ctx); err != nil {
		return 0, err
	}
	defer w.Exit()
	n, err := w.w.Count(ctx)
	return int(n), w.named(err)
}
