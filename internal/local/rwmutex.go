package local

import (
	"context"
	"runtime"
	"sync/atomic"
	"unsafe"

	"multiproc/internal/ledger"
	"multiproc/internal/mperr"
	"multiproc/internal/shm"
	"multiproc/mp/driver"
)

// RWMutex implements driver.RWMutex. All handles of the process share its part in the
// lock: what one has taken another may give back, as the driver has it. Those of
// package mp do not, and call the methods whose names end in Own.
//
// A call that need not wait runs under a Hold.
type RWMutex struct {
	object
	shared *shared[*rwPart]
	lock   *ledger.RWMutex // in shared
	reads  atomic.Int64    // through this handle, not yet given back
	writes atomic.Int64    // the same
}

var _ interface {
	driver.RWMutex
	driver.MutexOwner
} = (*RWMutex)(nil)

// rwPart is the process's part.
type rwPart struct{ ledger.RWMutex }

func (p *rwPart) idle() bool { return p.Idle() }
func (p *rwPart) detach()    { p.Detach() }

// rwParts are those of this process.
var rwParts = sharing[*rwPart]{size: ledger.RWMutexSize}

func newRWMutex(p *Place, seg *shm.Segment) (*RWMutex, error) {
	if err := wants(seg, ledger.RWMutexSize); err != nil {
		return nil, err
	}
	members := p.Members()
	members.Owe()
	s, err := rwParts.of(seg, func(body unsafe.Pointer) *rwPart {
		part := &rwPart{}
		part.Attach(body, members)
		return part
	})
	if err != nil {
		_ = seg.Close()
		return nil, err
	}
	m := &RWMutex{object: object{place: p}, shared: s, lock: &s.part.RWMutex}
	if err := m.Adopt(seg, shm.HeaderSize, func() {}, nil); err != nil {
		s.leave()
		return nil, err
	}
	m.Rest.Detach = s.leave
	m.UseHold()
	return m, nil
}

// RLock implements driver.RWMutex.
func (m *RWMutex) RLock(ctx context.Context) error {
	h := m.Hold()
	switch {
	case ctx.Err() != nil:
		return mperr.Ended(ctx)
	case h == nil:
		return m.ErrClosed()
	case !m.lock.Read():
		if err := m.until(ctx, m.lock.RLock); err != nil {
			return m.named(err)
		}
	}
	m.reads.Add(1)
	runtime.KeepAlive(h)
	return nil
}

// TryRLock implements driver.RWMutex.
func (m *RWMutex) TryRLock(ctx context.Context) (bool, error) {
	h := m.Hold()
	switch {
	case ctx.Err() != nil:
		return false, mperr.Ended(ctx)
	case h == nil:
		return false, m.ErrClosed()
	}
	ok, err := m.lock.TryRLock()
	if ok {
		m.reads.Add(1)
	}
	runtime.KeepAlive(h)
	return ok, m.named(err)
}

// Lock implements driver.Mutex.
func (m *RWMutex) Lock(ctx context.Context) error { return m.write(ctx, false) }

// LockBroken implements driver.Mutex.
func (m *RWMutex) LockBroken(ctx context.Context) error { return m.write(ctx, true) }

func (m *RWMutex) write(ctx context.Context, broken bool) error {
	h := m.Hold()
	switch {
	case ctx.Err() != nil:
		return mperr.Ended(ctx)
	case h == nil:
		return m.ErrClosed()
	}
	ok, err := m.lock.Write()
	if !ok && (err == nil || broken) {
		err = m.until(ctx, func(ctx context.Context) error { return m.lock.Lock(ctx, broken) })
	}
	if err == nil {
		m.writes.Add(1)
	}
	runtime.KeepAlive(h)
	return m.named(err)
}

// TryLock implements driver.Mutex.
func (m *RWMutex) TryLock(ctx context.Context) (bool, error) {
	h := m.Hold()
	switch {
	case ctx.Err() != nil:
		return false, mperr.Ended(ctx)
	case h == nil:
		return false, m.ErrClosed()
	}
	ok, err := m.lock.TryLock()
	if ok {
		m.writes.Add(1)
	}
	runtime.KeepAlive(h)
	return ok, m.named(err)
}

// RUnlock gives back what any handle of the process has taken, or, if this one is
// closed, what it has itself.
func (m *RWMutex) RUnlock(context.Context) error {
	mine := drop(&m.reads, 1) > 0
	if h := m.Hold(); h != nil {
		ok := m.lock.RUnlock()
		runtime.KeepAlive(h)
		return m.given(ok, mine, &m.reads)
	}
	return m.late(mine, &m.reads, (*ledger.RWMutex).RUnlock)
}

// Unlock is as RUnlock.
func (m *RWMutex) Unlock(context.Context) error {
	mine := drop(&m.writes, 1) > 0
	if h := m.Hold(); h != nil {
		ok := m.lock.Unlock()
		runtime.KeepAlive(h)
		return m.given(ok, mine, &m.writes)
	}
	return m.late(mine, &m.writes, (*ledger.RWMutex).Unlock)
}

// given is the error of what was given back, or was not.
func (m *RWMutex) given(ok, mine bool, own *atomic.Int64) error {
	if ok {
		return nil
	}
	if mine {
		own.Add(1)
	}
	return m.named(mperr.ErrNotHeld)
}

// late gives back what a closed handle has.
func (m *RWMutex) late(mine bool, own *atomic.Int64, f func(*ledger.RWMutex) bool) (err error) {
	if !mine || !m.shared.late(func() { err = m.given(f(m.lock), true, own) }) {
		return m.ErrClosed()
	}
	return err
}

// RUnlockOwn is RUnlock of what was taken through this handle. It reports false if
// nothing is.
func (m *RWMutex) RUnlockOwn() bool {
	return m.reads.Load() > 0 && m.RUnlock(context.Background()) == nil
}

// UnlockOwn is Unlock of what was taken through this handle. It reports false if
// nothing is.
func (m *RWMutex) UnlockOwn() bool {
	return m.writes.Load() > 0 && m.Unlock(context.Background()) == nil
}

// Heal implements driver.Mutex.
func (m *RWMutex) Heal(context.Context) error {
	h := m.Hold()
	switch {
	case h == nil:
		return m.ErrClosed()
	case !m.lock.Heal():
		return m.named(mperr.ErrNotHeld)
	}
	runtime.KeepAlive(h)
	return nil
}

// Owner implements driver.MutexOwner.
func (m *RWMutex) Owner(ctx context.Context) (int, error) {
	h := m.Hold()
	switch {
	case ctx.Err() != nil:
		return 0, mperr.Ended(ctx)
	case h == nil:
		return 0, m.ErrClosed()
	}
	pid := m.lock.Owner()
	runtime.KeepAlive(h)
	return pid, nil
}
