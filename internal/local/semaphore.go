package local

import (
	"context"
	"fmt"
	"sync/atomic"

	"multiproc/internal/ledger"
	"multiproc/internal/mperr"
	"multiproc/internal/shm"
	"multiproc/mp/driver"
)

// semaphore implements driver.Semaphore. The numbers in the header of its segment
// are the permits at first, and 1 if there are never more.
//
// While permits are held through the handle it counts as in use, so that they can be
// given back after Close. Those of a semaphore that began with none are signals, and
// used up.
type semaphore struct {
	object
	s       *ledger.Semaphore // apart: a resident lock is kept, the handle must not be
	permits int
	bounded bool
	held    atomic.Int64 // permits that keep the handle in use
}

var _ driver.Semaphore = (*semaphore)(nil)

func newSemaphore(p *Place, seg *shm.Segment) (*semaphore, error) {
	if err := wants(seg, ledger.SemaphoreSize); err != nil {
		return nil, err
	}
	s := &semaphore{object: object{place: p}, s: &ledger.Semaphore{}}
	permits := seg.Params[0]
	s.permits, s.bounded = int(min(permits, ledger.MaxPermits)), seg.Params[1] != 0
	if permits > ledger.MaxPermits {
		_ = seg.Close()
		return nil, fmt.Errorf("%d permits are more than %d: %w", permits, ledger.MaxPermits, mperr.ErrValue)
	}
	if err := s.Adopt(seg, seg.Size, s.s.Abort, nil); err != nil {
		return nil, err
	}
	m := p.Members()
	m.Owe()
	s.s.Attach(s.Body(), s.permits, seg.ID, m)
	s.Rest.Detach = s.s.Detach
	return s, nil
}

// wants checks that a segment has the memory of an object. If not it closes it.
func wants(seg *shm.Segment, size int64) error {
	if seg.Size >= shm.HeaderSize+size {
		return nil
	}
	err := fmt.Errorf("%s %s has %d bytes: %w", seg.Kind, seg.ID, seg.Size, mperr.ErrCorrupt)
	_ = seg.Close()
	return err
}

// enter begins a call of an object that was not closed, with a context that has not
// ended.
func (o *object) enter(ctx context.Context) error {
	if ctx.Err() != nil {
		return mperr.Ended(ctx)
	}
	if !o.Enter() {
		return o.ErrClosed()
	}
	return nil
}

func (s *semaphore) Acquire(ctx context.Context, n int) error {
	if err := s.check(n); err != nil {
		return err
	}
	if err := s.enter(ctx); err != nil {
		return err
	}
	err := s.s.Acquire(ctx, n)
	s.keep(n, err == nil)
	return s.named(err)
}

func (s *semaphore) TryAcquire(ctx context.Context, n int) (bool, error) {
	if err := s.check(n); err != nil {
		return false, err
	}
	if err := s.enter(ctx); err != nil {
		return false, err
	}
	ok, err := s.s.TryAcquire(ctx, n)
	s.keep(n, ok)
	return ok, s.named(err)
}

// check refuses numbers of permits that nobody can acquire.
func (s *semaphore) check(n int) error {
	switch {
	case n < 1 || n > ledger.MaxPermits:
		return s.named(fmt.Errorf("%d permits are not 1 to %d: %w", n, ledger.MaxPermits, mperr.ErrValue))
	case s.bounded && n > s.permits:
		return s.named(fmt.Errorf("it never has more than %d permits, and %d were wanted: %w", s.permits, n, mperr.ErrValue))
	}
	return nil
}

// Waiting is how many processes wait for permits.
func (s *semaphore) Waiting() int {
	if !s.Enter() {
		return 0
	}
	defer s.Exit()
	return s.s.Waiting()
}

// Close implements driver.Object. While permits are held the memory stays mapped, as
// long as anybody has the handle and can give them back.
func (s *semaphore) Close() error {
	if !s.Enter() {
		return s.ErrClosed()
	}
	defer s.Exit()
	err := s.object.Close()
	if err == nil && s.held.Load() > 0 {
		s.Linger()
	}
	return err
}

// keep leaves the handle in use for each of n permits, or ends the call.
func (s *semaphore) keep(n int, taken bool) {
	if !taken || s.permits == 0 {
		s.Exit()
		return
	}
	s.Stay(int64(n - 1)) // and the call itself
	s.held.Add(int64(n))
}

func (s *semaphore) Release(ctx context.Context, n int) error {
	if n < 1 || n > ledger.MaxPermits {
		return s.check(n)
	}
	err := s.enter(ctx)
	if err != nil && (ctx.Err() != nil || s.held.Load() == 0) {
		return err
	}
	open := err == nil
	mine := drop(&s.held, int64(n))
	if !open && mine < int64(n) { // a closed handle gives back what it has, and no more
		s.held.Add(mine)
		return err
	}
	if err = s.s.Release(ctx, n, s.bounded); err != nil {
		s.held.Add(mine)
		mine = 0
	}
	if open {
		s.Exit()
	}
	s.Leave(mine)
	return s.named(err)
}

// drop takes up to n off what is held, and returns how many.
func drop(held *atomic.Int64, n int64) int64 {
	for {
		old := held.Load()
		k := min(n, old)
		if k == 0 || held.CompareAndSwap(old, old-k) {
			return k
		}
	}
}

// named says of which object an error is.
func (o *object) named(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", o, err)
}
