package client

import (
	"context"
	"errors"
	"sync"

	"multiproc/internal/frames"
	"multiproc/internal/mperr"
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

var _ driver.Mutex = (*mutexHandle)(nil)

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

// giveBack calls the method that gives back what was taken. What is held through
// a handle that was closed since is given back all the same: nobody else could.
func (h *handle) giveBack(ctx context.Context, held bool, method string) error {
	err := h.request(method).void(ctx)
	if held && errors.Is(err, mperr.ErrClosed) {
		r := h.m.request(method)
		r.id = h.id
		err = r.void(ctx)
	}
	return err
}

func (m *mutexHandle) Heal(ctx context.Context) error { return m.request("mp.heal").void(ctx) }

func (m *mutexHandle) Owner(ctx context.Context) (int, error) {
	return m.request("mp.owner").number(ctx)
}
