package client

import (
	"context"
	"fmt"
	"sync"

	"multiproc/internal/frames"
	"multiproc/internal/mperr"
	"multiproc/mp/driver"
)

// The objects of synchronization but Lock, Condition and RWLock. Their methods
// are those that Python calls.

// constructor adds the constructor's arguments for a kind of synchronization.
// False: it is none.
func (r *request) constructor(spec driver.Spec) bool {
	switch spec.Kind {
	case driver.KindSemaphore, driver.KindBoundedSemaphore, driver.KindBarrier:
		r.begin(1).int(spec.Size)
	case driver.KindMutex, driver.KindRecursiveMutex, driver.KindEvent, driver.KindRWMutex,
		driver.KindWaitGroup, driver.KindOnce:
		r.begin(0)
	default:
		return false
	}
	return true
}

// sync is the handle with the methods of its type, nil if it is another.
func (h *handle) sync() driver.Object {
	switch driver.Kind(h.typ) {
	case driver.KindMutex:
		return &mutexHandle{handle: h}
	case driver.KindRecursiveMutex:
		return &recursiveHandle{handle: h}
	case driver.KindSemaphore, driver.KindBoundedSemaphore:
		return &semaphoreHandle{handle: h, held: holdings{most: h.capacity}}
	case driver.KindEvent:
		return &eventHandle{h}
	case driver.KindCond:
		return &condHandle{mutexHandle{handle: h}}
	case driver.KindBarrier:
		return &barrierHandle{h}
	case driver.KindRWMutex:
		return &rwHandle{mutexHandle: mutexHandle{handle: h}}
	case driver.KindWaitGroup:
		return &waitGroupHandle{handle: h}
	case driver.KindOnce:
		return &onceHandle{handle: h}
	}
	return nil
}

// holdings is what was taken through a handle and not given back, in number. It
// belongs to a session, and is lost with it: mutexHandle has the same for what
// is held once.
type holdings struct {
	most int // that can be lost at once; 0: there is no such bound

	mu   sync.Mutex
	on   *link // where n were taken
	n    int
	lost int
}

// add counts n more.
func (s *holdings) add(on *link, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.on != on {
		s.lose()
		s.on = on
	}
	s.n += n
}

func (s *holdings) lose() {
	if s.most > 0 {
		s.n = min(s.n, s.most)
	}
	s.n, s.lost = 0, s.lost+s.n
}

// given counts n less. It reports how many of them ended with their session, and
// whether the others are held through this handle. Which of several are given back is
// not known: those that were lost are taken to be the first.
func (s *holdings) given(m *Manager, n int) (held bool, lost int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.n > 0 && (s.on.broken.Load() || s.on != m.link.Load()) {
		s.lose()
	}
	lost = min(n, s.lost)
	s.lost -= lost
	n -= lost
	held = s.n > 0 && s.n >= n
	s.n = max(0, s.n-n)
	return held, lost
}

// take makes a call that brings n things to hold: null, or a truth value.
func (s *holdings) take(ctx context.Context, r *request, n int) (bool, error) {
	defer r.free()
	if err := r.do(ctx); err != nil {
		return false, err
	}
	if got, ok := frames.Bool(r.reply.value); ok && !got {
		return false, nil
	}
	s.add(r.on, n)
	return true, nil
}

// undoTake gives back, by a method with those arguments, what came too late.
func undoTake(method string, args ...int) undo {
	return func(ctx context.Context, m *Manager, id uint64, answer []byte) error {
		if got, ok := frames.Bool(answer); ok && !got {
			return nil
		}
		r := m.request(method).ints(args)
		r.id = id
		return r.void(ctx)
	}
}

var (
	undoAcquire = undoTake("release")
	undoPermit  = undoTake("release", 1)
)

// recursiveHandle implements driver.RecursiveMutex.
type recursiveHandle struct {
	*handle
	held holdings
}

var _ driver.RecursiveMutex = (*recursiveHandle)(nil)

func (l *recursiveHandle) Lock(ctx context.Context) error {
	r := l.request("acquire")
	r.undo = undoAcquire
	_, err := l.held.take(ctx, r, 1)
	return err
}

func (l *recursiveHandle) TryLock(ctx context.Context) (bool, error) {
	r := l.request("acquire").bool(false)
	r.undo = undoAcquire
	return l.held.take(ctx, r, 1)
}

func (l *recursiveHandle) Unlock(ctx context.Context) error {
	held, lost := l.held.given(l.m, 1)
	return l.unlock(ctx, held, lost > 0, "release")
}

// semaphoreHandle implements driver.Semaphore. The permits that the session has
// come back with its end: as many as there were at first, at most, so none if
// it began with none.
type semaphoreHandle struct {
	*handle
	held holdings
}

var _ driver.Semaphore = (*semaphoreHandle)(nil)

func (s *semaphoreHandle) Acquire(ctx context.Context, n int) error {
	_, err := s.take(ctx, "mp.acquire", n)
	return err
}

func (s *semaphoreHandle) TryAcquire(ctx context.Context, n int) (bool, error) {
	return s.take(ctx, "mp.tryAcquire", n)
}

// take acquires n permits. It reports false if they were not to be had at once.
func (s *semaphoreHandle) take(ctx context.Context, method string, n int) (bool, error) {
	r := s.request(method).int(n)
	r.undo = undoPermit
	if n != 1 {
		r.undo = undoTake("release", n)
	}
	if s.capacity > 0 {
		return s.held.take(ctx, r, n)
	}
	return new(holdings).take(ctx, r, n) // signals are nobody's
}

func (s *semaphoreHandle) Release(ctx context.Context, n int) error {
	if n < 1 { // or the count of what is held would be wrong
		return fmt.Errorf("%s: %d permits are not 1 at least: %w", s, n, mperr.ErrValue)
	}
	held, lost := s.held.given(s.m, n)
	if n > lost {
		if err := s.giveBack(ctx, held, "release", n-lost); err != nil {
			return err
		}
	}
	if lost > 0 {
		return fmt.Errorf("%s: the connection broke since %d were taken, and they came back with the session: %w", s, lost, mperr.ErrNotHeld)
	}
	return nil
}

// eventHandle implements driver.Event.
type eventHandle struct{ *handle }

var _ driver.Event = (*eventHandle)(nil)

func (e *eventHandle) Set(ctx context.Context) error   { return e.request("set").void(ctx) }
func (e *eventHandle) Clear(ctx context.Context) error { return e.request("clear").void(ctx) }
func (e *eventHandle) Wait(ctx context.Context) error  { return e.request("wait").void(ctx) }

func (e *eventHandle) IsSet(ctx context.Context) (bool, error) {
	return e.request("is_set").truth(ctx)
}

// barrierHandle implements driver.Barrier.
type barrierHandle struct{ *handle }

var _ driver.Barrier = (*barrierHandle)(nil)

func (b *barrierHandle) Wait(ctx context.Context) (int, error) {
	return b.request("wait").number(ctx)
}

func (b *barrierHandle) Abort(ctx context.Context) error { return b.request("abort").void(ctx) }
func (b *barrierHandle) Reset(ctx context.Context) error { return b.request("reset").void(ctx) }

func (b *barrierHandle) Parties(ctx context.Context) (int, error) {
	return b.request("__getattribute__").text("parties").number(ctx)
}

func (b *barrierHandle) Waiting(ctx context.Context) (int, error) {
	return b.request("__getattribute__").text("n_waiting").number(ctx)
}

func (b *barrierHandle) Broken(ctx context.Context) (bool, error) {
	return b.request("__getattribute__").text("broken").truth(ctx)
}
