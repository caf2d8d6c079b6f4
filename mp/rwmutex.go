package mp

import (
	"context"
	"sync/atomic"

	"multiproc/mp/driver"
)

// RWMutex is a lock that one writer holds, or any number of readers, processes
// and goroutines alike. Python has none. So far it lives in a place, see In;
// each method is one round trip.
//
// It is not recursive, not even for readers: one who waits to write bars new
// readers, so that writers do not starve, and a second RLock beside the first
// would wait for one who waits for the first.
//
// If a writer is killed, or loses its connection to the place, the next ones to
// want the lock, readers too, get an *OwnerDiedError and do not hold it, until
// Repair, as with Mutex. A reader's lock is just released.
//
// What a writer did before Unlock happens before what follows the next Lock or
// RLock, and what readers did before RUnlock before what follows the next Lock.
// A pointer to an RWMutex may travel to other processes. The zero RWMutex is not
// usable.
type RWMutex struct {
	placeMutex[driver.RWMutex]
	reads atomic.Int64 // as held is of writes
}

// NewRWMutex makes a lock that nobody holds in the place that In names, or
// finds the one that has the name of WithName.
func NewRWMutex(opts ...Option) (*RWMutex, error) {
	m := &RWMutex{}
	return made(m, newInPlace(m, driver.KindRWMutex, opts))
}

// Lock takes the lock for writing, waiting while anybody holds it. After an
// error it is not held.
func (m *RWMutex) Lock(ctx context.Context) error { return m.lock(ctx) }

// TryLock takes the lock for writing if nobody holds it, and reports whether it
// did. After an error it is not held.
func (m *RWMutex) TryLock() (bool, error) { return m.tryLock() }

// Unlock gives back what Lock took, as that of Mutex does.
func (m *RWMutex) Unlock() { m.unlock() }

// Repair takes the lock for writing, calls f to put in order what a dead writer
// left, and gives the lock back. If f returns nil the lock works again.
func (m *RWMutex) Repair(ctx context.Context, f func() error) error { return m.repair(ctx, f) }

// Owner is the process id of the writer, 0 if there is none, or on another
// machine. By the time it returns that may have changed.
func (m *RWMutex) Owner() int { return m.owner() }

// RLock takes the lock for reading, waiting while one writes or waits to. After
// an error it is not held.
func (m *RWMutex) RLock(ctx context.Context) error {
	o, err := m.access()
	if err != nil {
		return err
	}
	if err := o.RLock(ctx); err != nil {
		return err
	}
	m.reads.Add(1)
	return nil
}

// TryRLock takes the lock for reading if nobody writes or waits to, and reports
// whether it did. After an error it is not held.
func (m *RWMutex) TryRLock() (bool, error) {
	o, err := m.access()
	if err != nil {
		return false, err
	}
	ok, err := o.TryRLock(context.Background())
	if ok && err == nil {
		m.reads.Add(1)
	}
	return ok, err
}

// RUnlock takes back one RLock through this handle; it panics if there is none.
// If the connection to the place was lost since, the lock is no longer held, and
// RUnlock returns.
func (m *RWMutex) RUnlock() {
	unhold(&m.reads, "read unlock", m)
	_ = m.obj.RUnlock(context.Background()) // an error says that the lock was lost
}
