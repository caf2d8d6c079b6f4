package mp

import (
	"context"
	"fmt"
	"sync/atomic"

	"multiproc/internal/complete"
	"multiproc/mp/driver"
)

// Mutex is a lock that excludes processes, and goroutines within them, in
// shared memory or in a place. It is not recursive.
//
// If a process ends in any way, or loses its connection to the place, while it
// holds the lock, the next ones to want it get an *OwnerDiedError and do not
// hold it: what it protects may be half changed. Repair puts it in order for
// everybody.
//
// Nobody is overtaken for long: a caller that has waited for a millisecond gets
// the lock before those who come later. A holder that is not given a processor,
// behind a hundred busy goroutines of its own process for example, lets
// everybody wait: the lock is held by the program and not by the library, so
// keep what you do under it short.
//
// What a holder did before Unlock happens before what the next one does after
// Lock.
//
// Cost: 10 to 50 ns for Lock and Unlock when nobody else wants it; in a place a
// round trip each.
type Mutex struct {
	travels
	h    handle[complete.Mutex]
	held held
}

// NewMutex makes a mutex that nobody holds.
func NewMutex(opts ...Option) (*Mutex, error) {
	m := &Mutex{}
	return made(m, newObject(&m.h, driver.KindMutex, opts))
}

// Lock takes the lock, waiting while another holds it. After an error, ctx's
// or an *OwnerDiedError, it is not held. A lock that is held when ctx ends
// stays held.
func (m *Mutex) Lock(ctx context.Context) error {
	if m.h.near {
		return m.h.obj.Lock(ctx) // and not by lock, which costs 10 ns
	}
	return lock(ctx, &m.h, &m.held, complete.Mutex.Lock)
}

// TryLock takes the lock if nobody holds it, and reports whether it did. After
// an error it is not held.
func (m *Mutex) TryLock(ctx context.Context) (bool, error) {
	return tryLock(ctx, &m.h, &m.held, complete.Mutex.TryLock)
}

// Unlock gives the lock back. Any goroutine of the process that holds it may
// call it, through the handle that took the lock; it panics if that does not
// hold it. Of two simultaneous calls one panics.
//
// If the connection to the mutex's place was lost since Lock, the lock is gone
// already, and there is nothing to give back: Unlock returns, and whoever locks
// next, this process too, gets the *OwnerDiedError.
func (m *Mutex) Unlock() {
	if m.h.near && m.h.obj.Unlock(context.Background()) == nil {
		return
	}
	unlock(&m.h, &m.held, "unlock", complete.Mutex.Unlock)
}

// Repair takes the lock, calls f to put in order what a dead holder left, and
// gives the lock back. If f returns nil the mutex works again. On a mutex in
// good order f is called all the same.
func (m *Mutex) Repair(ctx context.Context, f func() error) error { return repair(ctx, &m.h, f) }

// Owner is the process id of the holder, 0 if nobody holds the lock, or a
// process on another machine. By the time it returns that may have changed.
func (m *Mutex) Owner(ctx context.Context) (int, error) { return ask(ctx, &m.h, complete.Mutex.Owner) }

// Close gives the handle back. A lock that is held through it stays held until
// Unlock, which works all the same.
func (m *Mutex) Close() error { return m.h.Close() }

// String names the object.
func (m *Mutex) String() string { return m.h.String() }

func (m *Mutex) travel() traveller { return &m.h }

// held is how often a lock elsewhere was taken through a handle and not yet given
// back. It is more than 1 where the session lost the lock, and somebody else in
// this process took it, before the one who had it came to Unlock. A lock in memory
// counts for itself.
type held struct{ n atomic.Int64 }

// drop takes one off, and reports whether there was one.
func (h *held) drop() bool {
	if h.n.Add(-1) >= 0 {
		return true
	}
	h.n.Add(1)
	return false
}

// lock takes a lock by a method.
func lock[O driver.Object](ctx context.Context, h *handle[O], n *held, method func(O, context.Context) error) error {
	err := h.do(ctx, method)
	if err == nil {
		n.n.Add(1)
	}
	return err
}

// tryLock is lock without waiting.
func tryLock[O driver.Object](ctx context.Context, h *handle[O], n *held, method func(O, context.Context) (bool, error)) (bool, error) {
	ok, err := ask(ctx, h, method)
	if ok && err == nil {
		n.n.Add(1)
	}
	return ok, err
}

// unlock gives back what is held through a handle. That nothing is held is a
// mistake of the program; an error says that the connection is lost, and with it
// what was held.
func unlock[O driver.Object](h *handle[O], n *held, verb string, method func(O, context.Context) error) {
	if mine := n.drop(); h.near || !mine {
		panic(fmt.Sprintf("mp: %s of %v, which process %d does not hold through this handle", verb, h, Self().PID))
	}
	ctx, cancel := openContext()
	defer cancel()
	_ = method(h.obj, ctx)
}

// repair is Repair of everything that has a mutex's methods.
func repair[O complete.Mutex](ctx context.Context, h *handle[O], f func() error) error {
	o, err := h.access()
	if err != nil {
		return err
	}
	if err := o.LockBroken(ctx); err != nil {
		return err
	}
	defer func() { _ = o.Unlock(context.WithoutCancel(ctx)) }() // also when f panics
	if err := f(); err != nil {
		return err
	}
	return o.Heal(ctx)
}
