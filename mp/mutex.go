package mp

import (
	"context"
	"fmt"
	"sync/atomic"
	"unsafe"

	"multiproc/internal/fence"
	"multiproc/internal/robust"
	"multiproc/internal/shm"
	"multiproc/mp/driver"
)

// Mutex is a lock that excludes processes, and goroutines within them, in
// shared memory or in a place. A pointer to a Mutex may travel to other
// processes. It is not recursive. The zero Mutex is not usable.
//
// If a process ends in any way, or loses its connection to the place, while it
// holds the lock, the next ones to want it get an *OwnerDiedError and do not
// hold it: what it protects may be half changed. Repair puts it in order for
// everybody.
//
// Nobody is overtaken for long: who has waited for a millisecond gets the lock
// before those who come later. A holder that is not given a processor, behind a
// hundred busy goroutines of its own process for example, lets everybody wait:
// the lock is held by the program and not by the library, so keep what you do
// under it short.
//
// What a holder did before Unlock happens before what the next one does after
// Lock.
type Mutex struct {
	object
	lock   *robust.Lock // apart: a resident lock is kept, the handle must not be
	health *health
	held   uint32                    // 1 while this handle holds the lock: of two Unlocks one takes it
	far    *placeMutex[driver.Mutex] // of a mutex in a place, which has no memory
}

// NewMutex makes a mutex that nobody holds; in a place with In.
func NewMutex(opts ...Option) (*Mutex, error) {
	o, err := unbounded(opts)
	if err != nil {
		return nil, fmt.Errorf("new mutex: %w", err)
	}
	m := &Mutex{}
	if o.in {
		return m.openIn(o)
	}
	f, seg, err := newSegment(shm.KindMutex, [16]byte{}, shm.PageSize(), [4]uint64{})
	if err != nil {
		return nil, err
	}
	if err := m.attach(f, seg, 0); err != nil {
		return nil, err
	}
	return m, nil
}

func (m *Mutex) kind() shm.Kind                { return shm.KindMutex }
func (m *Mutex) finger(byte) ([16]byte, error) { return [16]byte{}, nil }

func (m *Mutex) attach(_ *family, seg *shm.Segment, _ byte) error {
	m.lock = &robust.Lock{}
	if err := m.adopt(seg, seg.Size, m.lock.Abort, nil); err != nil {
		return err
	}
	m.lock.Init(m.body())
	m.lock.AllowResident()
	m.rest.detach, m.rest.held = m.lock.Detach, m.lock.Held
	m.health = (*health)(unsafe.Add(m.body(), robust.LockSize))
	return nil
}

// Lock takes the lock, waiting while another holds it. After an error, ctx's
// or an *OwnerDiedError, it is not held. A lock that is held when ctx ends
// stays held.
//
// Cost: 25 to 50 ns when nobody holds it.
func (m *Mutex) Lock(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !m.enter() {
		if m.far != nil {
			return m.far.lock(ctx)
		}
		return m.errClosed()
	}
	died, err := m.lock.Lock(ctx)
	if err != nil {
		m.exit()
		return err
	}
	return m.taken(died)
}

// TryLock takes the lock if nobody holds it, and reports whether it did. After
// an error it is not held.
func (m *Mutex) TryLock() (bool, error) {
	if !m.enter() {
		if m.far != nil {
			return m.far.tryLock()
		}
		return false, m.errClosed()
	}
	ok, died, err := m.lock.TryLock()
	if err != nil || !ok {
		m.exit()
		return false, err
	}
	err = m.taken(died)
	return err == nil, err
}

// taken keeps the lock if what it protects is sound. While it is held the
// handle counts as in use: Close does not unmap what the kernel may have to
// release.
func (m *Mutex) taken(died bool) error {
	if died {
		m.health.poison(m.lock.Deceased())
	}
	if err := m.health.sound("mutex"); err != nil {
		m.lock.Unlock()
		m.exit()
		return err
	}
	fence.StoreRelease32(&m.held, 1)
	return nil
}

// Unlock gives the lock back. Any goroutine of the process that holds it may
// call it, through the handle that took the lock; it panics if that does not
// hold it. Of two simultaneous calls one panics.
//
// If the connection to the mutex's place was lost since Lock, the lock is gone
// already, and there is nothing to give back: Unlock returns, and whoever locks
// next, this process too, gets the *OwnerDiedError.
func (m *Mutex) Unlock() {
	switch {
	case atomic.CompareAndSwapUint32(&m.held, 1, 0):
		m.lock.Unlock()
		m.exit()
	case m.far != nil:
		m.far.unlock()
	default:
		panic(fmt.Sprintf("mp: unlock of a mutex that process %d does not hold through this handle", Self().PID))
	}
}

// Repair takes the lock, calls f to put in order what a dead holder left, and
// gives the lock back. If f returns nil the mutex works again. On a mutex in
// good order f is called all the same.
func (m *Mutex) Repair(ctx context.Context, f func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !m.enter() {
		if m.far != nil {
			return m.far.repair(ctx, f)
		}
		return m.errClosed()
	}
	defer m.exit()
	died, err := m.lock.Lock(ctx)
	if err != nil {
		return err
	}
	defer m.lock.Unlock()
	if died {
		m.health.poison(m.lock.Deceased())
	}
	if err := f(); err != nil {
		return err
	}
	m.health.heal()
	return nil
}

// Owner is the process id of the holder, 0 if nobody holds the lock, or a
// process on another machine. By the time it returns that may have changed.
func (m *Mutex) Owner() int {
	if !m.enter() {
		if m.far != nil {
			return m.far.owner()
		}
		return 0
	}
	defer m.exit()
	return m.lock.Owner()
}

// Close gives back this process's handle. Calls that wait in it return
// ErrClosed, and so do later ones, and a second Close. A lock that is held
// through the handle stays held until Unlock, which works all the same.
func (m *Mutex) Close() error {
	if m.far != nil {
		return m.far.Close()
	}
	return m.object.Close()
}
