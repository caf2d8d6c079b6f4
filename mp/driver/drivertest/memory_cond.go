package drivertest

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"multiproc/internal/mperr"
	"multiproc/mp/driver"
)

// cond is the body of a Cond: a lock, and those who wait, first come first
// served.
type cond struct {
	lock    *mutex
	waiting []*waiter
}

type waiter struct {
	session  *Session
	notified bool // and no longer in line
}

// makeCond makes one with a lock of its own, or another's.
func makeCond(lock driver.Object) *cond {
	if lock == nil {
		return &cond{lock: &mutex{}}
	}
	return &cond{lock: lock.(*mutexHandle).m}
}

// checkLock reports what is wrong with Spec.Lock.
func (p *Session) checkLock(lock driver.Object) error {
	if lock == nil {
		return nil
	}
	if _, err := lock.Embed(p); err != nil {
		return err
	}
	if _, ok := lock.(*mutexHandle); !ok {
		return fmt.Errorf("%v is no lock for a Cond: %w", lock, mperr.ErrType)
	}
	return nil
}

func (c *cond) ownerGone(p *Session) {
	c.lock.ownerGone(p)
	c.waiting = slices.DeleteFunc(c.waiting, func(w *waiter) bool { return w.session == p })
}

// notify lets up to n waits go on.
func (c *cond) notify(n int) {
	n = min(n, len(c.waiting))
	for _, w := range c.waiting[:n] {
		w.notified = true
	}
	c.waiting = slices.Delete(c.waiting, 0, n)
}

type condHandle struct {
	mutexHandle
	c *cond
}

func (h *condHandle) Wait(ctx context.Context) error {
	w, mine := &waiter{session: h.session}, false
	err := h.mine(ctx, func() {
		h.m.owner = nil
		if mine = h.held > 0; mine {
			h.held--
		}
		h.c.waiting = append(h.c.waiting, w)
	})
	if err != nil {
		return err
	}
	err = h.when(ctx, func() (bool, error) { return w.notified, nil })
	if errors.Is(err, mperr.ErrClosed) || errors.Is(err, mperr.ErrUnknownFate) {
		h.withdraw(w)
		h.always(func() {
			if mine {
				h.lost++
			}
		})
		return err
	}
	if err != nil && h.withdraw(w) {
		err = nil
	}
	if lost := h.relock(); lost != nil {
		return lost
	}
	return err
}

// withdraw ends a wait, and reports whether it was notified.
func (h *condHandle) withdraw(w *waiter) (notified bool) {
	h.always(func() {
		h.c.waiting = slices.DeleteFunc(h.c.waiting, func(x *waiter) bool { return x == w })
		notified = w.notified
	})
	return notified
}

// relock takes the lock after a wait, and tells whether it is broken.
func (h *condHandle) relock() error {
	ctx, broken := context.Background(), false
	if err := h.LockBroken(ctx); err != nil {
		return err
	}
	if err := h.mine(ctx, func() { broken = h.m.broken }); err != nil || !broken {
		return err
	}
	return fmt.Errorf("%v: %w", h, h.died())
}

func (h *condHandle) Signal(ctx context.Context) error {
	return h.mine(ctx, func() { h.c.notify(1) })
}

func (h *condHandle) Broadcast(ctx context.Context) error {
	return h.mine(ctx, func() { h.c.notify(len(h.c.waiting)) })
}

// barrier is the body of a barrier.
type barrier struct {
	parties int
	broken  bool
	waiting []*party
}

type party struct {
	session *Session
	index   int
	done    bool
	err     error
}

func (b *barrier) ownerGone(p *Session) {
	if slices.ContainsFunc(b.waiting, func(x *party) bool { return x.session == p }) {
		b.finish(mperr.ErrBroken)
	}
}

// finish lets all go who wait. An error breaks the barrier.
func (b *barrier) finish(err error) {
	for _, x := range b.waiting {
		x.done, x.err = true, err
	}
	b.waiting, b.broken = nil, err != nil
}

type barrierHandle struct {
	*handle
	b *barrier
}

func (h *barrierHandle) Wait(ctx context.Context) (index int, err error) {
	me := &party{session: h.session}
	err = h.do(ctx, func() error {
		if h.b.broken {
			return mperr.ErrBroken
		}
		me.index = len(h.b.waiting)
		if h.b.waiting = append(h.b.waiting, me); len(h.b.waiting) == h.b.parties {
			h.b.finish(nil)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	if err = h.when(ctx, func() (bool, error) { return me.done, me.err }); err == nil {
		return me.index, nil
	}
	h.always(func() {
		if !me.done {
			h.b.finish(mperr.ErrBroken) // they would wait in vain
			return
		}
		if err = me.err; err != nil { // it came first
			err = fmt.Errorf("%v: %w", h, err)
		}
	})
	return me.index, err
}

func (h *barrierHandle) Abort(ctx context.Context) error {
	return h.do(ctx, func() error { h.b.finish(mperr.ErrBroken); return nil })
}

func (h *barrierHandle) Reset(ctx context.Context) error {
	return h.do(ctx, func() error {
		h.b.finish(mperr.ErrBroken)
		h.b.broken = false
		return nil
	})
}

func (h *barrierHandle) Parties(ctx context.Context) (n int, err error) {
	err = h.do(ctx, func() error { n = h.b.parties; return nil })
	return n, err
}

func (h *barrierHandle) Waiting(ctx context.Context) (n int, err error) {
	err = h.do(ctx, func() error { n = len(h.b.waiting); return nil })
	return n, err
}

func (h *barrierHandle) Broken(ctx context.Context) (broken bool, err error) {
	err = h.do(ctx, func() error { broken = h.b.broken; return nil })
	return broken, err
}
