package mp

import (
	"context"
	"errors"

	"multiproc/mp/driver"
)

// WaitGroup is a count of what is still to be done, by processes and goroutines
// within them, in shared memory or in a place: sync.WaitGroup over processes.
//
// Nobody waits for the dead. Each part of the count belongs to a process: to the one that
// has added it, or has taken it over. If that process ends in any way, or loses its
// connection to the place, its part is taken off at once, and Wait says so when the
// others have done theirs: an *OwnerDiedError that names the process. So an error of
// Wait means that not everything was done, and also that nobody is at work any more.
//
// Done takes off what belongs to the process that calls it, or else what has belonged to
// others for the longest time. So a parent may add, and its children are done. But
// who dies then must be known as the one whose part it was. Three ways are safe:
//
//	wg.Go(ctx, func() (mp.Child, error) { return Work.Start(ctx, job) })
//
// for a process that is one thing to be done: it needs no handle, and is done
// when it ends;
//
//	wg.Add(ctx, 1); …; wg.Done(ctx)     // by one process
//
// where each adds what it does itself; and Take, by which a worker that has fetched
// an item makes its part the worker's own. Where a parent adds and a child is killed
// before it has called Take or Done, the part is still the parent's, and Wait waits
// until the parent ends.
//
// A round is the time from where the count leaves 0 to where it is 0 again. Wait waits
// for the round that it finds, also if the next one begins at once. What was lost is told
// until the next round begins.
//
// What a process did before Done happens before what follows a Wait that it lets go
// on.
//
// Cost: in memory some 150 ns for Add and Done, a system call to wake those who
// wait, and 100 KiB of addresses, of which two or three pages are used; in a place a
// round trip each.
type WaitGroup struct {
	travels
	h handle[driver.WaitGroup]
}

// NewWaitGroup makes a wait group whose count is 0; see In and WithName.
func NewWaitGroup(opts ...Option) (*WaitGroup, error) {
	w := &WaitGroup{}
	return made(w, newObject(&w.h, driver.KindWaitGroup, opts))
}

// Add adds n to the count, as this process's own. A negative n is Done that often. The
// error wraps ErrValue, and nothing has changed, if the count would be negative.
func (w *WaitGroup) Add(ctx context.Context, n int) error {
	o, err := w.h.access()
	if err != nil {
		return err
	}
	return o.Add(ctx, n)
}

// Done says that one thing is done: one of this process's own, or else the oldest of
// others. The error wraps ErrValue if there is nothing to do.
func (w *WaitGroup) Done(ctx context.Context) error { return w.Add(ctx, -1) }

// Take makes one thing that belongs to others, the oldest, this process's own: from
// now on it is lost with this process and not with the one that added it. If
// everything is this process's own it does nothing; the error wraps ErrValue if there is
// nothing to do.
func (w *WaitGroup) Take(ctx context.Context) error { return w.h.do(ctx, driver.WaitGroup.Take) }

// Go adds 1, calls start, and is Done when the process that start returns has ended. If
// it was killed, panicked or ended without an answer, that is lost, as Wait says; an
// error that its task returns is for who waits for the process. If start fails, Go
// returns its error and the count is as before.
//
// It does not wait for the process. The count is this process's: if it ends before,
// which ends its children as well, others hear of that.
func (w *WaitGroup) Go(ctx context.Context, start func() (Child, error)) error {
	if err := w.Add(ctx, 1); err != nil {
		return err
	}
	started := false
	defer func() { // also if start panics
		if !started {
			w.settle(func(o driver.WaitGroup, ctx context.Context) error { return o.Add(ctx, -1) })
		}
	}()
	p, err := start()
	if err != nil {
		return err
	}
	started = true
	go w.follow(p)
	return nil
}

// follow waits for a process that Go started.
func (w *WaitGroup) follow(p Child) {
	err := p.Wait(context.Background())
	w.settle(func(o driver.WaitGroup, ctx context.Context) error {
		var said *RemoteError
		if err == nil || errors.As(err, &said) && !said.Panic {
			return o.Add(ctx, -1)
		}
		return o.Lose(ctx, p.PID())
	})
}

// settle takes one off that Go has added. An error says that it is gone already, with the
// connection or with the round.
func (w *WaitGroup) settle(f func(driver.WaitGroup, context.Context) error) {
	ctx, cancel := openContext()
	defer cancel()
	_ = f(w.h.obj, ctx)
}

// Wait waits until the count is 0. An *OwnerDiedError says that it is, and that a process
// died, or ended, with something still to do.
func (w *WaitGroup) Wait(ctx context.Context) error { return w.h.do(ctx, driver.WaitGroup.Wait) }

// Count is how much there is to do. By the time it returns that may have changed.
func (w *WaitGroup) Count(ctx context.Context) (int, error) {
	return ask(ctx, &w.h, driver.WaitGroup.Count)
}

// Close gives the handle back. What this process has to do stays to be done: Done works all
// the same until it has nothing to do, and so does what Go has begun.
func (w *WaitGroup) Close() error { return w.h.Close() }

// String names the object.
func (w *WaitGroup) String() string { return w.h.String() }

func (w *WaitGroup) travel() traveller { return &w.h }
