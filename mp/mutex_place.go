package mp

import (
	"context"
	"fmt"
	"sync/atomic"

	"multiproc/mp/driver"
)

// placeMutex is a mutex in a place. It belongs to the session with the place.
type placeMutex struct {
	remote[driver.Mutex]
	// held is how often the lock was taken through this handle and not yet given
	// back. It is more than 1 where the session lost the lock, and somebody else
	// in this process took it, before the one who had it came to Unlock. What the
	// place would answer then does not tell that misfortune from a mistake.
	held atomic.Int64
}

func (m *Mutex) openIn(o objectOptions) (*Mutex, error) {
	if err := openIn(m, o, driver.Spec{Kind: driver.KindMutex}); err != nil {
		return nil, err
	}
	return m, nil
}

func (m *Mutex) open(obj driver.Object) error {
	far := &placeMutex{}
	if err := far.open(obj); err != nil {
		return err
	}
	m.far = far
	return nil
}

func (m *Mutex) inPlace() driver.Object {
	if m.far == nil {
		return nil
	}
	return m.far.obj
}

func (m *placeMutex) lock(ctx context.Context) error {
	if err := m.obj.Lock(ctx); err != nil {
		return err
	}
	m.held.Add(1)
	return nil
}

func (m *placeMutex) tryLock() (bool, error) {
	ok, err := m.obj.TryLock(context.Background())
	if ok && err == nil {
		m.held.Add(1)
	}
	return ok, err
}

func (m *placeMutex) unlock() {
	if m.held.Add(-1) < 0 {
		m.held.Add(1)
		panic(fmt.Sprintf("mp: unlock of %v, which process %d does not hold through this handle", m.obj, Self().PID))
	}
	_ = m.obj.Unlock(context.Background()) // an error says that the lock was lost
}

func (m *placeMutex) repair(ctx context.Context, f func() error) error {
	if err := m.obj.LockBroken(ctx); err != nil {
		return err
	}
	defer func() { _ = m.obj.Unlock(context.WithoutCancel(ctx)) }() // also when f panics
	if err := f(); err != nil {
		return err
	}
	return m.obj.Heal(ctx)
}

func (m *placeMutex) owner() int {
	pid, _ := m.obj.Owner(context.Background())
	return pid
}
