package drivertest

import (
	"context"
	"os"

	"multiproc/internal/mperr"
)

// mutex is the body of a lock.
type mutex struct {
	owner  *Session
	broken bool // an owner died
}

func (m *mutex) ownerGone(p *Session) {
	if m.owner == p {
		m.owner, m.broken = nil, true
	}
}

type mutexHandle struct {
	*handle
	m *mutex
}

func (h *mutexHandle) take() (bool, error) {
	switch {
	case h.m.owner != nil:
		return false, nil
	case h.m.broken:
		return false, h.died()
	}
	h.m.owner = h.session
	h.held++
	return true, nil
}

func (h *mutexHandle) died() error {
	return &mperr.OwnerDiedError{Object: h.String(), PID: os.Getpid()}
}

func (h *mutexHandle) takeBroken() (bool, error) {
	if h.m.owner != nil {
		return false, nil
	}
	h.m.owner = h.session
	h.held++
	return true, nil
}

func (h *mutexHandle) Lock(ctx context.Context) error { return h.when(ctx, h.take) }

func (h *mutexHandle) TryLock(ctx context.Context) (ok bool, err error) {
	err = h.do(ctx, func() error { ok, err = h.take(); return err })
	return ok, err
}

// mine calls f if the session holds the lock.
func (h *mutexHandle) mine(ctx context.Context, f func()) error { return h.do(ctx, h.owned(f)) }

func (h *mutexHandle) owned(f func()) func() error {
	return func() error {
		if h.m.owner != h.session {
			return mperr.ErrNotHeld
		}
		f()
		return nil
	}
}

func (h *mutexHandle) Unlock(ctx context.Context) error {
	return h.unlock(ctx, h.owned(func() { h.m.owner = nil }))
}

func (h *mutexHandle) LockBroken(ctx context.Context) error {
	return h.when(ctx, h.takeBroken)
}

func (h *mutexHandle) Heal(ctx context.Context) error {
	return h.mine(ctx, func() { h.m.broken = false })
}

func (h *mutexHandle) Owner(ctx context.Context) (pid int, err error) {
	err = h.do(ctx, func() error {
		if h.m.owner != nil {
			pid = os.Getpid()
		}
		return nil
	})
	return pid, err
}
