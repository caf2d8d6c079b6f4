package mp

import (
	"context"

	"multiproc/internal/complete"
	"multiproc/mp/driver"
)

// RWMutex is a lock that one writer holds, or any number of readers, processes
// and goroutines alike. Python has none. So far it lives in a place.
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
// RLock, and what readers did before RUnlock before what follows the next
// Lock.
type RWMutex struct {
	travels
	h     handle[complete.RWMutex]
	held  held
	reads held
}

// NewRWMutex makes a lock that nobody holds; see In and WithName.
func NewRWMutex(opts ...Option) (*RWMutex, error) {
	m := &RWMutex{}
	return made(m, newObject(&m.h, driver.KindRWMutex, opts))
}

// Lock takes the lock for writing, waiting while anybody holds it. After an
// error it is not held.
func (m *RWMutex) Lock(ctx context.Context) error {
	return lock(ctx, &m.h, &m.held, complete.RWMutex.Lock)
}

// TryLock takes the lock for writing if nobody holds it, and reports whether it
// did. After an error it is not held.
func (m *RWMutex) TryLock(ctx context.Context) (bool, error) {
	return tryLock(ctx, &m.h, &m.held, complete.RWMutex.TryLock)
}

// Unlock gives back what Lock took, as that of Mutex does.
func (m *RWMutex) Unlock() { unlock(&m.h, &m.held, "unlock", complete.RWMutex.Unlock) }

// Repair takes the lock for writing, calls f to put in order what a dead writer
// left, and gives the lock back. If f returns nil the lock works again.
func (m *RWMutex) Repair(ctx context.Context, f func() error) error { return repair(ctx, &m.h, f) }

// Owner is the process id of the writer, 0 if there is none, or on another
// machine. By the time it returns that may have changed.
func (m *RWMutex) Owner(ctx context.Context) (int, error) {
	return ask(ctx, &m.h, complete.RWMutex.Owner)
}

// RLock takes the lock for reading, waiting while one writes or waits to. After
// an error it is not held.
func (m *RWMutex) RLock(ctx context.Context) error {
	return lock(ctx, &m.h, &m.reads, complete.RWMutex.RLock)
}

// TryRLock takes the lock for reading if nobody writes or waits to, and reports
// whether it did.
func (m *RWMutex) TryRLock(ctx context.Context) (bool, error) {
	return tryLock(ctx, &m.h, &m.reads, complete.RWMutex.TryRLock)
}

// RUnlock takes back one RLock through this handle; it panics if there is none.
// If the connection to the place was lost since, the lock is no longer held, and
// RUnlock returns.
func (m *RWMutex) RUnlock() { unlock(&m.h, &m.reads, "read unlock", complete.RWMutex.RUnlock) }

// Close gives the handle back.
func (m *RWMutex) Close() error { return m.h.Close() }

// String names the object.
func (m *RWMutex) String() string { return m.h.String() }

func (m *RWMutex) travel() traveller { return &m.h }
