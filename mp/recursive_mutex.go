package mp

import (
	"context"
	"sync/atomic"

	"multiproc/mp/driver"
)

// RecursiveMutex is a lock whose owner may take it again, and gives it back as
// often: Python's RLock. So far it lives in a place, see In; each method is one
// round trip.
//
// The owner is the process, more exactly its connection to the place: all its
// goroutines, and all its handles to the mutex, are one owner. So it excludes
// processes from one another and no goroutines within one; a Mutex does both.
//
// If the owner is killed, or loses its connection to the place, the mutex is
// free, and the next one just gets it. A Mutex would tell.
//
// What an owner did before its last Unlock happens before what the next one
// does after Lock. A pointer to a RecursiveMutex may travel to other processes.
// The zero RecursiveMutex is not usable.
type RecursiveMutex struct {
	remote[driver.RecursiveMutex]
	held atomic.Int64 // as in placeMutex
}

// NewRecursiveMutex makes a mutex that nobody holds in the place that In names,
// or finds the one that has the name of WithName.
func NewRecursiveMutex(opts ...Option) (*RecursiveMutex, error) {
	m := &RecursiveMutex{}
	return made(m, newInPlace(m, driver.KindRecursiveMutex, opts))
}

// Lock takes the mutex, waiting while another process holds it. After an error
// this Lock has not taken it.
func (m *RecursiveMutex) Lock(ctx context.Context) error {
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

// TryLock takes the mutex unless another process holds it, and reports whether
// it did.
func (m *RecursiveMutex) TryLock() (bool, error) {
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

// Unlock takes back one Lock through this handle; it panics if there is none.
// If the connection to the place was lost since, the mutex is no longer held,
// and Unlock returns.
func (m *RecursiveMutex) Unlock() {
	unhold(&m.held, "unlock", m)
	_ = m.obj.Unlock(context.Background()) // an error says that the lock was lost
}
