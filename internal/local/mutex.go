package local

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"
	"weak"

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
	held   uint32       // 1 while this handle holds the lock: of two Unlocks one gives it back
	lost   atomic.Int64 // locks that a Wait of a Cond did not get back, and Unlock has not been called for
}

var _ interface {
	driver.Mutex
	driver.MutexOwner
} = (*mutex)(nil)

const mutexSize = robust.LockSize + int64(unsafe.Sizeof(Health{}))

func newMutex(p *Place, seg *shm.Segment) (*mutex, error) {
	m := &mutex{object: object{place: p}, lock: &robust.Lock{}}
	if err := wants(seg, mutexSize); err != nil {
		return nil, err
	}
	if err := m.Adopt(seg, shm.HeaderSize+mutexSize, m.lock.Abort, nil); err != nil {
		return nil, err
	}
	m.lock.Init(m.Body())
	m.lock.AllowResident()
	m.Rest.Detach, m.Rest.Held = m.lock.Detach, m.lock.Held
	m.health = (*Health)(unsafe.Add(m.Body(), robust.LockSize))
	mutexes.add(m)
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
	if err := m.health.Sound(m.Seg.Kind.String()); err != nil {
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
	if m.release() {
		m.Exit()
		return nil
	}
	if drop(&m.lost, 1) > 0 {
		return nil
	}
	return m.notHeld()
}

// release gives the lock back, if this handle has it, and leaves the handle entered.
func (m *mutex) release() bool {
	if !atomic.CompareAndSwapUint32(&m.held, 1, 0) {
		return false
	}
	m.lock.Unlock()
	return true
}

// retake is LockBroken for a handle that release has left entered. died says that what
// the lock protects may be half changed.
func (m *mutex) retake(ctx context.Context) (died error, err error) {
	dead, err := m.lock.Lock(ctx)
	if err != nil {
		return nil, err
	}
	if dead {
		m.health.Poison(m.lock.Deceased())
	}
	fence.StoreRelease32(&m.held, 1)
	return m.health.Sound(m.Seg.Kind.String()), nil
}

// mutexes are the handles to mutexes that this process has: a Cond gives the lock up
// that another handle has taken.
var mutexes = holders{m: map[shm.ID][]weak.Pointer[mutex]{}}

type holders struct {
	mu sync.Mutex
	m  map[shm.ID][]weak.Pointer[mutex]
}

func (h *holders) add(m *mutex) {
	id := m.Seg.ID
	h.mu.Lock()
	h.m[id] = append(h.m[id], weak.Make(m))
	h.mu.Unlock()
	runtime.AddCleanup(m, h.prune, id)
}

// prune forgets handles that are collected.
func (h *holders) prune(id shm.ID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := slices.DeleteFunc(h.m[id], func(p weak.Pointer[mutex]) bool { return p.Value() == nil })
	if h.m[id] = list; len(list) == 0 {
		delete(h.m, id)
	}
}

// holder is the handle that has the lock, nil if this process has not got it.
func (h *holders) holder(id shm.ID) *mutex {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range h.m[id] {
		if m := p.Value(); m != nil && atomic.LoadUint32(&m.held) == 1 {
			return m
		}
	}
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
