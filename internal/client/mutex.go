package client

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"multiproc/internal/complete"
	"multiproc/internal/frames"
	"multiproc/internal/interchange"
	"multiproc/internal/mperr"
	"multiproc/internal/pyvalue"
	"multiproc/mp/driver"
)

// mutexHandle implements driver.Mutex. The lock belongs to the session, and is lost
// with it: the next owner is told that the last one died.
type mutexHandle struct {
	*handle
	state  sync.Mutex
	heldOn *link // where the lock was taken, nil once it is given back
	n      int   // how often: more than once only for a Condition that Python made, over an RLock
	// lost counts the locks that ended with their session and of which Unlock
	// has not been told. Whose Unlock comes first is not known here; until all
	// have come the lock of the new session is kept.
	lost int
}

var _ complete.Mutex = (*mutexHandle)(nil)

func (m *mutexHandle) Lock(ctx context.Context) error { return m.lock(ctx, "mp.lock") }

func (m *mutexHandle) LockBroken(ctx context.Context) error { return m.lock(ctx, "mp.lockBroken") }

func (m *mutexHandle) lock(ctx context.Context, method string) error {
	r := m.request(method)
	r.undo = undoLock
	defer r.free()
	if err := r.do(ctx); err != nil {
		return err
	}
	m.locked(r.on)
	return nil
}

func (m *mutexHandle) TryLock(ctx context.Context) (bool, error) {
	r := m.request("mp.tryLock")
	r.undo = undoLock
	defer r.free()
	if err := r.do(ctx); err != nil {
		return false, err
	}
	got, ok := frames.Bool(r.reply.value)
	if got {
		m.locked(r.on)
	}
	return got, r.want(ok, "a truth value")
}

// undoLock gives back a lock that came too late.
func undoLock(ctx context.Context, m *Manager, id uint64, answer []byte) error {
	if got, ok := frames.Bool(answer); ok && !got {
		return nil // TryLock's
	}
	r := m.request("mp.unlock")
	r.id = id
	return r.void(ctx)
}

func (m *mutexHandle) locked(on *link) {
	m.state.Lock()
	defer m.state.Unlock()
	if m.heldOn != on {
		m.lost, m.n = m.lost+m.n, 0
	}
	m.heldOn = on
	m.n++
}

func (m *mutexHandle) Unlock(ctx context.Context) error {
	held, lost := m.given()
	return m.unlock(ctx, held, lost, "mp.unlock")
}

// given notes that the lock is given back. It reports whether it is held through
// this handle, and whether it ended with its session.
func (m *mutexHandle) given() (held, lost bool) {
	m.state.Lock()
	defer m.state.Unlock()
	if m.lost > 0 {
		m.lost--
		return false, true
	}
	if m.n == 0 {
		return false, false
	}
	lost = m.heldOn.broken.Load() || m.heldOn != m.m.link.Load()
	if m.n--; lost {
		m.lost, m.n = m.lost+m.n, 0
	}
	if m.n == 0 {
		m.heldOn = nil
	}
	return true, lost
}

// unlock gives back a lock by a method. One that was lost with its session is
// gone already.
func (h *handle) unlock(ctx context.Context, held, lost bool, method string) error {
	if lost {
		return nil
	}
	return h.giveBack(ctx, held, method)
}

// giveBack calls the method that gives back what was taken, with those arguments. What
// is held through a handle that was closed since is given back all the same: nobody else
// could.
func (h *handle) giveBack(ctx context.Context, held bool, method string, args ...int) error {
	err := h.request(method).ints(args).void(ctx)
	if held && errors.Is(err, mperr.ErrClosed) {
		r := h.m.request(method).ints(args)
		r.id = h.id
		err = r.void(ctx)
	}
	return err
}

func (m *mutexHandle) Heal(ctx context.Context) error { return m.request("mp.heal").void(ctx) }

func (m *mutexHandle) Owner(ctx context.Context) (int, error) {
	return m.request("mp.owner").number(ctx)
}

// condHandle implements driver.Cond. Its lock is a Lock, unless Python made the
// Condition; mutexHandle's methods are the server's methods of both.
type condHandle struct{ mutexHandle }

var _ complete.Cond = (*condHandle)(nil)

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
	item, err := interchange.AppendValue(nil, pyvalue.Ref{ID: l.id, Type: l.typ})
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

var _ complete.RWMutex = (*rwHandle)(nil)

var undoRead = undoTake("mp.rUnlock")

func (l *rwHandle) RLock(ctx context.Context) error {
	r := l.request("mp.rLock")
	r.undo = undoRead
	_, err := l.reads.take(ctx, r, 1)
	return err
}

func (l *rwHandle) TryRLock(ctx context.Context) (bool, error) {
	r := l.request("mp.tryRLock")
	r.undo = undoRead
	return l.reads.take(ctx, r, 1)
}

func (l *rwHandle) RUnlock(ctx context.Context) error {
	held, lost := l.reads.given(l.m, 1)
	return l.unlock(ctx, held, lost > 0, "mp.rUnlock")
}
