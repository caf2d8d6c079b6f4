package drivertest

import (
	"context"
	"errors"

	"multiproc/internal/mperr"
	"multiproc/mp/driver"
)

// mortal is a body in which something belongs to a session. The lock is held.
type mortal interface{ ownerGone(p *Session) }

// makeSync makes the body of an object of synchronization, or nil.
func makeSync(spec driver.Spec) any {
	switch spec.Kind {
	case driver.KindRecursiveMutex:
		return &recursive{}
	case driver.KindSemaphore, driver.KindBoundedSemaphore:
		return newPermits(spec)
	case driver.KindEvent:
		return &event{}
	case driver.KindCond:
		return makeCond(spec.Lock)
	case driver.KindBarrier:
		return &barrier{parties: spec.Size}
	case driver.KindWaitGroup:
		return &waitGroup{lost: map[int]bool{}}
	case driver.KindOnce:
		return &once{}
	case driver.KindRWMutex:
		return &rw{readers: map[*Session]int{}}
	}
	return nil
}

// sync is the handle with the methods of its kind.
func (h *handle) sync() driver.Object {
	switch body := h.o.body.(type) {
	case *recursive:
		return &recursiveHandle{h, body}
	case *semaphore:
		return &semaphoreHandle{h, body}
	case *event:
		return &eventHandle{h, body}
	case *cond:
		return &condHandle{mutexHandle{h, body.lock}, body}
	case *barrier:
		return &barrierHandle{h, body}
	case *waitGroup:
		return &waitGroupHandle{h, body}
	case *once:
		return &onceHandle{h, body}
	default:
		l := body.(*rw)
		return &rwHandle{mutexHandle{h, &l.mutex}, l}
	}
}

// always calls f with the lock held, whether or not the handle still works: it
// is for what must be cleared away.
func (h *handle) always(f func()) {
	s := h.session.store
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	s.tell()
}

// unlock is giveBack for locks: one that was lost with the session is gone
// already.
func (h *handle) unlock(ctx context.Context, f func() error) error {
	if h.wasLost() {
		return nil
	}
	return h.giveBack(ctx, 1, f)
}

// wasLost counts one of what was lost with the session as given back, if
// anything was.
func (h *handle) wasLost() (lost bool) {
	h.always(func() {
		if lost = h.lost > 0; lost {
			h.lost--
		}
	})
	return lost
}

// giveBack calls f, which gives n of something back that the session holds, also if
// the handle was closed since they were taken.
func (h *handle) giveBack(ctx context.Context, n int, f func() error) error {
	give := func() error {
		err := f()
		if err == nil {
			h.held = max(0, h.held-n)
		}
		return err
	}
	err := h.do(ctx, give)
	if errors.Is(err, mperr.ErrClosed) {
		h.always(func() {
			if h.held >= n && give() == nil {
				err = nil
			}
		})
	}
	return err
}

// recursive is the body of a recursive lock.
type recursive struct {
	owner *Session
	depth int
}

func (r *recursive) ownerGone(p *Session) {
	if r.owner == p {
		r.owner, r.depth = nil, 0
	}
}

type recursiveHandle struct {
	*handle
	r *recursive
}

func (h *recursiveHandle) take() (bool, error) {
	if h.r.owner != nil && h.r.owner != h.session {
		return false, nil
	}
	h.r.owner = h.session
	h.r.depth++
	h.held++
	return true, nil
}

func (h *recursiveHandle) Lock(ctx context.Context) error { return h.when(ctx, h.take) }

func (h *recursiveHandle) TryLock(ctx context.Context) (ok bool, err error) {
	err = h.do(ctx, func() error { ok, err = h.take(); return err })
	return ok, err
}

func (h *recursiveHandle) Unlock(ctx context.Context) error {
	return h.unlock(ctx, func() error {
		if h.r.owner != h.session {
			return mperr.ErrNotHeld
		}
		if h.r.depth--; h.r.depth == 0 {
			h.r.owner = nil
		}
		return nil
	})
}

// event is the body of an event.
type event struct {
	set   bool
	times int // that it was set
}

type eventHandle struct {
	*handle
	e *event
}

func (h *eventHandle) to(ctx context.Context, set bool) error {
	return h.do(ctx, func() error {
		if h.e.set = set; set {
			h.e.times++
		}
		return nil
	})
}

func (h *eventHandle) Set(ctx context.Context) error   { return h.to(ctx, true) }
func (h *eventHandle) Clear(ctx context.Context) error { return h.to(ctx, false) }

func (h *eventHandle) IsSet(ctx context.Context) (set bool, err error) {
	err = h.do(ctx, func() error { set = h.e.set; return nil })
	return set, err
}

func (h *eventHandle) Wait(ctx context.Context) error {
	before := -1
	return h.when(ctx, func() (bool, error) {
		if before < 0 {
			before = h.e.times
		}
		return h.e.set || h.e.times > before, nil
	})
}
