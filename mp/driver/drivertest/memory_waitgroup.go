package drivertest

import (
	"context"
	"fmt"
	"slices"

	"multiproc/internal/mperr"
	"multiproc/mp/driver"
)

// waitGroup is the body of a wait group: whose each part of the count is, oldest first.
type waitGroup struct {
	parts  []*Session
	rounds int // that have ended
	lost   map[int]bool
}

func (w *waitGroup) ownerGone(p *Session) {
	if !slices.Contains(w.parts, p) {
		return
	}
	w.lost[w.rounds] = true
	w.keep(func(s *Session) bool { return s != p })
}

// keep keeps some parts.
func (w *waitGroup) keep(f func(*Session) bool) {
	w.parts = slices.DeleteFunc(w.parts, func(s *Session) bool { return !f(s) })
	if len(w.parts) == 0 {
		w.rounds++
	}
}

// drop takes the part off that a session has done.
func (w *waitGroup) drop(p *Session) {
	i := max(slices.Index(w.parts, p), 0)
	if w.parts = slices.Delete(w.parts, i, i+1); len(w.parts) == 0 {
		w.rounds++
	}
}

var (
	_ driver.WaitGroup = (*waitGroupHandle)(nil)
	_ driver.Once      = (*onceHandle)(nil)
)

type waitGroupHandle struct {
	*handle
	w *waitGroup
}

func (h *waitGroupHandle) Add(ctx context.Context, n int) error {
	add := func() error {
		if n < -len(h.w.parts) {
			return fmt.Errorf("%d less of %d: %w", -n, len(h.w.parts), mperr.ErrValue)
		}
		for range n {
			h.w.parts = append(h.w.parts, h.session)
			h.held++
		}
		for range -n {
			h.w.drop(h.session)
		}
		return nil
	}
	if n < 0 {
		return h.giveBack(ctx, -n, add)
	}
	return h.do(ctx, add)
}

func (h *waitGroupHandle) Take(ctx context.Context) error {
	return h.do(ctx, func() error {
		if len(h.w.parts) == 0 {
			return mperr.ErrValue
		}
		if i := slices.IndexFunc(h.w.parts, func(s *Session) bool { return s != h.session }); i >= 0 {
			h.w.parts = append(slices.Delete(h.w.parts, i, i+1), h.session)
			h.held++
		}
		return nil
	})
}

func (h *waitGroupHandle) Lose(ctx context.Context, _ int) error {
	return h.do(ctx, func() error {
		if len(h.w.parts) == 0 {
			return mperr.ErrValue
		}
		h.w.lost[h.w.rounds] = true
		h.w.drop(h.session)
		return nil
	})
}

func (h *waitGroupHandle) Wait(ctx context.Context) error {
	round := -1
	err := h.when(ctx, func() (bool, error) {
		if round < 0 {
			if round = h.w.rounds; len(h.w.parts) == 0 {
				round--
				return true, nil
			}
		}
		return h.w.rounds > round, nil
	})
	lost := false
	h.always(func() { lost = h.w.lost[round] })
	if err == nil && lost {
		err = &mperr.OwnerDiedError{Object: "waitgroup"}
	}
	return err
}

func (h *waitGroupHandle) Count(ctx context.Context) (n int, err error) {
	err = h.do(ctx, func() error { n = len(h.w.parts); return nil })
	return n, err
}

// once is the body of a once.
type once struct {
	done bool
	who  *Session
}

func (o *once) ownerGone(p *Session) {
	if o.who == p {
		o.who = nil
	}
}

type onceHandle struct {
	*handle
	o *once
}

func (h *onceHandle) Begin(ctx context.Context) (run bool, err error) {
	err = h.when(ctx, func() (bool, error) {
		if run = !h.o.done && h.o.who == nil; run {
			h.o.who = h.session
			h.held++
		}
		return run || h.o.done, nil
	})
	return run && err == nil, err
}

func (h *onceHandle) End(ctx context.Context, done bool) error {
	return h.giveBack(ctx, 1, func() error {
		if h.o.who != h.session || h.o.who == nil {
			return mperr.ErrNotHeld
		}
		h.o.who, h.o.done = nil, done
		return nil
	})
}

func (h *onceHandle) Done(ctx context.Context) (done bool, err error) {
	err = h.do(ctx, func() error { done = h.o.done; return nil })
	return done, err
}
