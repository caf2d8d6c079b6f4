package local

import (
	"context"
	"fmt"
	"sync/atomic"
	"unsafe"

	"multiproc/internal/fence"
	"multiproc/internal/mperr"
	"multiproc/internal/robust"
	"multiproc/internal/shm"
	"multiproc/mp/driver"
)

// mutex implements driver.Mutex. Its memory:
//
//	 0  lock    robust
//	16  Health
//
// While the lock is held the handle counts as in use: Close does not unmap what
// the kernel may have to release.
type mutex struct {
	object
	lock   *robust.Lock // apart: a resident lock is kept, the handle must not be
	health *Health
	held   uint32 // 1 while this handle holds the lock: of two Unlocks one gives it back
}

var _ interface {
	driver.Mutex
	driver.MutexOwner
} = (*mutex)(nil)

const mutexSize = robust.LockSize + int64(unsafe.Sizeof(Health{}))

func newMutex(p *Place, seg *shm.Segment) (*mutex, error) {
	m := &mutex{object: object{place: p}, lock: &robust.Lock{}}
	if err := m.Adopt(seg, seg.Size, m.lock.Abort, nil); err != nil {
		return nil, err
	}
	m.lock.Init(m.Body())
	m.lock.AllowResident()
	m.Rest.Detach, m.Rest.Held = m.lock.Detach, m.lock.Held
	m.health = (*Health)(unsafe.Add(m.Body(), robust.LockSize))
	return m, nil
}

func (m *mutex) Lock(ctx context.Context) error {
	died, err := m.acquire(ctx)
	if err != nil {
		return err
	}
	return m.keep(died)
}

// acquire takes the lock, and leaves the handle entered.
func (m *mutex) acquire(ctx context.Context) (died bool, err error) {
	if ctx.Err() != nil {
		return false, mperr.Ended(ctx)
	}
	if !m.Enter() {
		return false, m.ErrClosed()
	}
	if died, err = m.lock.Lock(ctx); err != nil {
		m.Exit()
	}
	return died, err
}

func (m *mutex) TryLock(ctx context.Context) (bool, error) {
	if ctx.Err() != nil {
		return false, mperr.Ended(ctx)
	}
	if !m.Enter() {
		return false, m.ErrClosed()
	}
	ok, died, err := m.lock.TryLock()
	if err != nil || !ok {
		m.Exit()
		return false, err
	}
	err = m.keep(died)
	return err == nil, err
}

// keep keeps the lock if what it protects is sound.
func (m *mutex) keep(died bool) error {
	if died {
		m.health.Poison(m.lock.Deceased())
	}
	if err := m.health.Sound("mutex"); err != nil {
		m.lock.Unlock()
		m.Exit()
		return err
	}
	fence.StoreRelease32(&m.held, 1)
	return nil
}

func (m *mutex) LockBroken(ctx context.Context) error {
	died, err := m.acquire(ctx)
	if err != nil {
		return err
	}
	if died {
		m.health.Poison(m.lock.Deceased())
	}
	fence.StoreRelease32(&m.held, 1)
	return nil
}

func (m *mutex) Heal(context.Context) error {
	if atomic.LoadUint32(&m.held) == 0 {
		return m.notHeld()
	}
	m.health.Heal()
	return nil
}

func (m *mutex) Unlock(context.Context) error {
	if !atomic.CompareAndSwapUint32(&m.held, 1, 0) {
		return m.notHeld()
	}
	m.lock.Unlock()
	m.Exit()
	return nil
}

func (m *mutex) notHeld() error {
	if m.Closed() {
		return m.ErrClosed()
	}
	return fmt.Errorf("%s: %w", m, mperr.ErrNotHeld)
}

func (m *mutex) Owner(ctx context.Context) (int, error) {
	if ctx.Err() != nil {
		return 0, mperr.Ended(ctx)
	}
	if !m.Enter() {
		return 0, m.ErrClosed()
	}
	defer m.Exit()
	return m.lock.Owner(), nil
}
