package drivertest

import (
	"context"
	"fmt"
	"slices"

	"multiproc/internal/mperr"
	"multiproc/mp/driver"
)

// semaphore is the body of a semaphore. As long as it has permits of its own
// each that is out is owed by a session, the first ones first.
type semaphore struct {
	value, initial int
	bounded        bool
	owed           []*Session // at most initial, oldest first
	line           []*asking  // who waits, first come first served
}

// asking is one who waits for permits.
type asking struct{ session *Session }

func newPermits(spec driver.Spec) *semaphore {
	return &semaphore{value: spec.Size, initial: spec.Size, bounded: spec.Kind == driver.KindBoundedSemaphore}
}

func (s *semaphore) ownerGone(p *Session) {
	s.line = slices.DeleteFunc(s.line, func(a *asking) bool { return a.session == p })
	for i := 0; i < len(s.owed); {
		if s.owed[i] != p {
			i++
			continue
		}
		s.pay(i)
		s.value++
	}
}

func (s *semaphore) pay(i int) { s.owed = append(s.owed[:i], s.owed[i+1:]...) }

type semaphoreHandle struct {
	*handle
	s *semaphore
}

// check is the error of a number of permits that nobody can have.
func (h *semaphoreHandle) check(n int) error {
	if n < 1 || h.s.bounded && n > h.s.initial {
		return fmt.Errorf("%v: %d permits: %w", h, n, mperr.ErrValue)
	}
	return nil
}

// take takes n permits for one who waits, or only tries: me is nil.
func (h *semaphoreHandle) take(n int, me *asking) bool {
	if len(h.s.line) > 0 && h.s.line[0] != me || h.s.value < n {
		return false
	}
	h.s.value -= n
	h.held += n
	for range n {
		h.s.owed = append(h.s.owed, h.session)
	}
	if over := len(h.s.owed) - h.s.initial; over > 0 {
		h.s.owed = h.s.owed[over:]
	}
	return true
}

func (h *semaphoreHandle) Acquire(ctx context.Context, n int) error {
	if err := h.check(n); err != nil {
		return err
	}
	var me *asking
	err := h.when(ctx, func() (bool, error) {
		if me == nil {
			me = &asking{h.session}
			h.s.line = append(h.s.line, me)
		}
		return h.take(n, me), nil
	})
	h.always(func() {
		if i := slices.Index(h.s.line, me); i >= 0 {
			h.s.line = slices.Delete(h.s.line, i, i+1)
		}
	})
	return err
}

func (h *semaphoreHandle) TryAcquire(ctx context.Context, n int) (ok bool, err error) {
	if err := h.check(n); err != nil {
		return false, err
	}
	err = h.do(ctx, func() error { ok = h.take(n, nil); return nil })
	return ok, err
}

func (h *semaphoreHandle) Release(ctx context.Context, n int) error {
	if n < 1 {
		return h.check(n)
	}
	lost := 0
	for lost < n && h.wasLost() {
		lost++
	}
	err := h.release(ctx, n-lost)
	if err == nil && lost > 0 {
		err = fmt.Errorf("%v: %d permits came back with their session: %w", h, lost, mperr.ErrNotHeld)
	}
	return err
}

func (h *semaphoreHandle) release(ctx context.Context, n int) error {
	if n == 0 {
		return nil
	}
	return h.giveBack(ctx, n, func() error {
		if h.s.bounded && h.s.value+n > h.s.initial {
			return fmt.Errorf("released too many times: %w", mperr.ErrValue)
		}
		h.s.value += n
		for range min(n, len(h.s.owed)) {
			h.s.pay(max(slices.Index(h.s.owed, h.session), 0))
		}
		return nil
	})
}
