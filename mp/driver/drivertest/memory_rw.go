package drivertest

import (
	"context"

	"multiproc/internal/mperr"
)

// rw is the body of a lock for readers and writers. The writer's part of it is
// a mutex, which nobody takes as long as there are readers.
type rw struct {
	mutex
	readers map[*Session]int
	writers int // how many wait
}

func (l *rw) ownerGone(p *Session) {
	l.mutex.ownerGone(p)
	delete(l.readers, p)
}

type rwHandle struct {
	mutexHandle
	l *rw
}

// unread is a condition for writers.
func (h *rwHandle) unread(take func() (bool, error)) func() (bool, error) {
	return func() (bool, error) {
		if len(h.l.readers) > 0 {
			return false, nil
		}
		return take()
	}
}

func (h *rwHandle) Lock(ctx context.Context) error { return h.write(ctx, h.take) }

func (h *rwHandle) LockBroken(ctx context.Context) error { return h.write(ctx, h.takeBroken) }

// write bars new readers while it waits.
func (h *rwHandle) write(ctx context.Context, take func() (bool, error)) error {
	h.always(func() { h.l.writers++ })
	defer h.always(func() { h.l.writers-- })
	return h.when(ctx, h.unread(take))
}

func (h *rwHandle) TryLock(ctx context.Context) (ok bool, err error) {
	err = h.do(ctx, func() error { ok, err = h.unread(h.take)(); return err })
	return ok, err
}

func (h *rwHandle) takeRead() (bool, error) {
	switch {
	case h.l.owner != nil, h.l.writers > 0 && !h.l.broken:
		return false, nil
	case h.l.broken:
		return false, h.died()
	}
	h.l.readers[h.session]++
	h.held++
	return true, nil
}

func (h *rwHandle) RLock(ctx context.Context) error { return h.when(ctx, h.takeRead) }

func (h *rwHandle) TryRLock(ctx context.Context) (ok bool, err error) {
	err = h.do(ctx, func() error { ok, err = h.takeRead(); return err })
	return ok, err
}

func (h *rwHandle) RUnlock(ctx context.Context) error {
	return h.unlock(ctx, func() error {
		switch n := h.l.readers[h.session]; n {
		case 0:
			return mperr.ErrNotHeld
		case 1:
			delete(h.l.readers, h.session)
		default:
			h.l.readers[h.session] = n - 1
		}
		return nil
	})
}
