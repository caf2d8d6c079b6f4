package mp

import (
	"context"
	"fmt"
	"sync/atomic"

	"multiproc/internal/mperr"
	"multiproc/mp/driver"
)

// placeMutex is a mutex in a place, or another lock that can be used as one. It
// belongs to the session with the place.
type placeMutex[O driver.Mutex] struct {
	remote[O]
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
	switch obj.(type) {
	case driver.Cond, driver.RWMutex: // which have a mutex's methods, too
		err := fmt.Errorf("%v is no mutex: %w", obj, mperr.ErrType)
		_ = obj.Close()
		return err
	}
	far := &placeMutex[driver.Mutex]{}
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

func (m *placeMutex[O]) lock(ctx context.Context) error {
	o, err := m.access()
	if err != nil {
		return err
	}
	if err := o.Lock(ctx); err != nil {
		return err
	}
	m.held.Add(1)
	return nil
}

func (m *placeMutex[O]) tryLock() (bool, error) {
	o, err := m.access()
	if err != nil {
		return false, err
	}
	ok, err := o.TryLock(context.Background())
	if ok && err == nil {
		m.held.Add(1)
	}
	return ok, err
}

func (m *placeMutex[O]) unlock() {
	unhold(&m.held, "unlock", m)
	_ = m.obj.Unlock(context.Background()) // an error says that the lock was lost
}

// unhold counts one of what is held through a handle as given back. That there
// is none is a mistake of the program.
func unhold(held *atomic.Int64, verb string, h fmt.Stringer) {
	if held.Add(-1) < 0 {
		held.Add(1)
		panic(fmt.Sprintf("mp: %s of %v, which process %d does not hold through this handle", verb, h, Self().PID))
	}
}

func (m *placeMutex[O]) repair(ctx context.Context, f func() error) error {
	o, err := m.access()
	if err != nil {
		return err
	}
	if err := o.LockBroken(ctx); err != nil {
		return err
	}
	defer func() { _ = o.Unlock(context.WithoutCancel(ctx)) }() // also when f panics
	if err := f(); err != nil {
		return err
	}
	return o.Heal(ctx)
}

func (m *placeMutex[O]) owner() int {
	o, err := m.access()
	if err != nil {
		return 0
	}
	pid, _ := o.Owner(context.Background())
	return pid
}
