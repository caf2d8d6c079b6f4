package mp

import (
	"context"
	"errors"
	"fmt"

	"multiproc/internal/complete"
	"multiproc/internal/local"
	"multiproc/mp/driver"
)

// Cond is a lock, and a line of those who wait for something that the lock
// protects to become true: Python's Condition, sync.Cond. It lives in shared memory
// or in a place.
//
//	if err := c.Lock(ctx); err != nil {
//		return err
//	}
//	defer c.Unlock()
//	if err := c.WaitFor(ctx, ready); err != nil {
//		return err
//	}
//
// The lock is that of a Mutex, excludes processes and goroutines, and tells of
// the death of its holders: see there. Who is killed, or loses its connection
// to the place, while it waits, waits no more; if it was signalled and did not
// have the lock yet, the next one is instead.
//
// What a process did before Signal or Broadcast happens before what follows the
// Wait that it ends, since one gives the lock to the other.
//
// A Condition that Python made with its own lock, an RLock, excludes processes
// only, as RecursiveMutex does, and tells of no death.
//
// Cost: in memory that of a Mutex for the lock, some 50 ns for Signal, and a system
// call if the one that is signalled sleeps; only its process is woken. A nanosecond
// more for each that waits, 65 536 goroutines at most, in all processes; 1.3 MiB of
// addresses, of which three or four pages are used. In a place a round trip each, two
// for Wait.
type Cond struct {
	travels
	h    handle[complete.Cond]
	held held
}

// NewCond makes a Cond whose lock is that of m, in memory or in the place where m is;
// m may have several, and may be closed. With a nil m the Cond has a lock of its own, in
// memory or in the place that In names. With WithName it finds the one of that name,
// whose lock is what it is.
func NewCond(m *Mutex, opts ...Option) (*Cond, error) {
	c, spec := &Cond{}, driver.Spec{Kind: driver.KindCond}
	if m != nil {
		lock, err := m.h.access()
		if err != nil {
			return nil, fmt.Errorf("new %s: %w", spec.Kind, err)
		}
		spec.Lock = complete.Bare(lock)
		opts = append([]Option{In(lock.Place())}, opts...)
	}
	return made(c, newOf(&c.h, spec, opts))
}

// Lock is as that of Mutex.
func (c *Cond) Lock(ctx context.Context) error {
	if c.h.near {
		return c.h.obj.Lock(ctx)
	}
	return lock(ctx, &c.h, &c.held, complete.Cond.Lock)
}

// TryLock is as that of Mutex.
func (c *Cond) TryLock(ctx context.Context) (bool, error) {
	return tryLock(ctx, &c.h, &c.held, complete.Cond.TryLock)
}

// Unlock is as that of Mutex: it panics if the lock was not taken through this
// handle.
func (c *Cond) Unlock() {
	if near, ok := c.h.obj.(*local.Cond); ok && near.UnlockOwn() {
		return
	}
	unlock(&c.h, &c.held, "unlock", complete.Cond.Unlock)
}

// Repair is as that of Mutex.
func (c *Cond) Repair(ctx context.Context, f func() error) error { return repair(ctx, &c.h, f) }

// Owner is as that of Mutex.
func (c *Cond) Owner(ctx context.Context) (int, error) { return ask(ctx, &c.h, complete.Cond.Owner) }

// Wait gives the lock up, waits for Signal or Broadcast, and takes the lock
// again. The caller holds it before and after, whatever the error, and calls
// Unlock: so it is after ctx's error, which may come late because of that, and
// after an *OwnerDiedError, which says that a holder died meanwhile. Only if the
// handle was closed or the connection lost is the lock gone, and then Unlock
// does nothing.
//
// Others may have run between the signal and the return, so what was waited for
// is looked at again.
func (c *Cond) Wait(ctx context.Context) error { return c.h.do(ctx, complete.Cond.Wait) }

// WaitFor waits until ready returns true, which it calls with the lock held, at first
// and after each Wait: Python's wait_for. The caller holds the lock before and after, as
// with Wait, also after an error: Wait's own. If ready is true the error is nil, though
// ctx may have ended. What ready looks at is changed under the lock, by those who call
// Signal or Broadcast then. If ready panics the lock is held.
func (c *Cond) WaitFor(ctx context.Context, ready func() bool) error {
	if _, err := c.h.access(); err != nil {
		return err
	}
	for !ready() {
		if err := c.Wait(ctx); err != nil {
			if ctx.Err() != nil && c.holds(err) && ready() {
				return nil
			}
			return err
		}
	}
	return nil
}

// holds reports whether the lock is held after an error of Wait that ctx has ended.
func (c *Cond) holds(err error) bool {
	var died *OwnerDiedError
	return !errors.As(err, &died) && !errors.Is(err, ErrClosed) && !errors.Is(err, ErrNotHeld) && !errors.Is(err, ErrUnknownFate)
}

// Signal lets the first of those who wait go on. The caller holds the lock. A
// signal to nobody is forgotten.
func (c *Cond) Signal(ctx context.Context) error { return c.h.do(ctx, complete.Cond.Signal) }

// Broadcast lets all go on who wait. The caller holds the lock.
func (c *Cond) Broadcast(ctx context.Context) error { return c.h.do(ctx, complete.Cond.Broadcast) }

// Close gives the handle back.
func (c *Cond) Close() error { return c.h.Close() }

// String names the object.
func (c *Cond) String() string { return c.h.String() }

func (c *Cond) travel() traveller { return &c.h }
