package client

import (
	"context"
	"errors"
	"fmt"

	"multiproc/internal/data"
	"multiproc/internal/mperr"
	"multiproc/internal/portable"
	"multiproc/mp/driver"
)

// condHandle implements driver.Cond. Its lock is a Lock, unless Python made the
// Condition; mutexHandle's methods are the server's methods of both.
type condHandle struct{ mutexHandle }

var _ driver.Cond = (*condHandle)(nil)

// openCond adds the constructor's argument to an open request of a Condition:
// the lock, or one that is made for it and lives as long. Python's own default,
// an RLock, would keep no goroutine of this process out.
func (m *Manager) openCond(ctx context.Context, r *request, lock driver.Object) (release func(), err error) {
	release = func() {}
	if lock == nil {
		own, err := m.Open(ctx, driver.Spec{Kind: driver.KindMutex})
		if err != nil {
			return nil, err
		}
		lock, release = own, func() { _ = own.Close() }
	}
	l, ok := lock.(*mutexHandle)
	if !ok {
		return nil, fmt.Errorf("%v is no lock for a Cond: %w", lock, mperr.ErrType)
	}
	if _, err := l.Embed(m); err != nil {
		return nil, err
	}
	item, err := portable.AppendValue(nil, data.Ref{ID: l.id, Type: l.typ})
	if err != nil {
		return nil, err
	}
	r.begin(1).raw(item)
	return release, nil
}

// Wait is two calls: the server's wait brings the lock, whatever happened to
// it, and the second call asks. A wait that is given up comes back without the
// lock, which then is taken again, or not if the handle was closed.
func (c *condHandle) Wait(ctx context.Context) error {
	had := c.lend()
	r := c.request("mp.wait")
	r.stays = true // once it is notified it comes back with the lock, in the lock's time
	err := r.do(ctx)
	began, on := r.seq != 0, r.on
	r.free()
	after := context.WithoutCancel(ctx)
	switch {
	case err == nil && c.closed.Load():
		c.returned(had, nil)
		return c.closedMeanwhile(after)
	case err == nil:
		c.returned(had, on)
	case began && gaveUp(err):
		again, lost := c.lockAgain(after)
		if c.returned(had, again); lost != nil {
			return lost
		}
	case !began:
		c.returned(had, had)
		return err
	default:
		c.returned(had, nil)
		return err
	}
	if broken := c.request("mp.sound").void(after); broken != nil {
		return broken
	}
	return err
}

// lend notes that a wait gives the lock up, and returns where it was held
// through this handle. Nil: it is held through another, whose affair it stays.
func (c *condHandle) lend() *link {
	c.state.Lock()
	defer c.state.Unlock()
	had := c.heldOn
	if c.n = max(0, c.n-1); c.n == 0 {
		c.heldOn = nil
	}
	return had
}

// returned notes that the lock that lend has noted is held again, on a link, or
// that its Unlock has nothing to give back: nil.
func (c *condHandle) returned(had, on *link) {
	switch {
	case had == nil:
	case on != nil:
		c.locked(on)
	default:
		c.state.Lock()
		c.lost++
		c.state.Unlock()
	}
}

// lockAgain is LockBroken for returned.
func (c *condHandle) lockAgain(ctx context.Context) (*link, error) {
	r := c.request("mp.lockBroken")
	r.undo = undoLock
	defer r.free()
	if err := r.do(ctx); err != nil {
		return nil, err
	}
	return r.on, nil
}

// gaveUp reports whether a wait ended because its context did.
func gaveUp(err error) bool {
	return !errors.Is(err, mperr.ErrUnknownFate) &&
		(errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded))
}

// closedMeanwhile gives the lock back that came to a closed handle.
func (c *condHandle) closedMeanwhile(ctx context.Context) error {
	_ = undoLock(ctx, c.m, c.id, nil)
	return fmt.Errorf("%s: %w", c, mperr.ErrClosed)
}

func (c *condHandle) Signal(ctx context.Context) error {
	return c.request("mp.signal").void(ctx)
}

func (c *condHandle) Broadcast(ctx context.Context) error {
	return c.request("mp.broadcast").void(ctx)
}

// rwHandle implements driver.RWMutex. What mutexHandle holds is the writer's.
type rwHandle struct {
	mutexHandle
	reads holdings
}

var _ driver.RWMutex = (*rwHandle)(nil)

var undoRead = undoTake("mp.rUnlock")

func (l *rwHandle) RLock(ctx context.Context) error {
	r := l.request("mp.rLock")
	r.undo = undoRead
	_, err := l.reads.take(ctx, r)
	return err
}

func (l *rwHandle) TryRLock(ctx context.Context) (bool, error) {
	r := l.request("mp.tryRLock")
	r.undo = undoRead
	return l.reads.take(ctx, r)
}

func (l *rwHandle) RUnlock(ctx context.Context) error {
	held, lost := l.reads.given(l.m)
	return l.unlock(ctx, held, lost, "mp.rUnlock")
}
