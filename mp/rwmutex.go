package mp

import (
	"context"

	"multiproc/internal/complete"
	"multiproc/internal/local"
	"multiproc/mp/driver"
)

// RWMutex is a lock that one writer holds, or any number of readers, processes
// and goroutines alike, in shared memory or in a place. Python has none.
//
// It is not recursive, not even for readers: one who waits to write bars new
// readers, so that writers do not starve, and a second RLock beside the first
// would wait for one who waits for the first. Nor do readers starve: in memory
// those whom a writer has kept waiting get in before the next writer, unless they
// take more than 5 ms to come.
//
// If a writer ends in any way, or loses its connection to the place, the next
// ones to want the lock, readers too, get an *OwnerDiedError and do not hold it,
// until Repair, as with Mutex. A reader's lock is just released: nobody waits for
// a dead one.
//
// What a writer did before Unlock happens before what follows the next Lock or
// RLock, and what readers did before RUnlock before what follows the next
// Lock.
//
// Cost: in memory some 30 ns for RLock and RUnlock where nobody writes, and
// processes that read do not slow each other down; 80 ns for Lock and Unlock where
// nobody else has the lock, and a nanosecond more for each process that has ever
// read; 260 KiB of addresses, of which two or three pages are used. In a place a
// round trip each.
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
	if m.h.near {
		return m.h.obj.Lock(ctx)
	}
	return lock(ctx, &m.h, &m.held, complete.RWMutex.Lock)
}

// TryLock takes the lock for writing if nobody holds it, and reports whether it
// did. After an error it is not held.
func (m *RWMutex) TryLock(ctx context.Context) (bool, error) {
	return tryLock(ctx, &m.h, &m.held, complete.RWMutex.TryLock)
}

// Unlock gives back what Lock took, as that of Mutex does.
func (m *RWMutex) Unlock() {
	if near, ok := m.h.obj.(*local.RWMutex); ok && near.UnlockOwn() {
		return
	}
	unlock(&m.h, &m.held, "unlock", complete.RWMutex.Unlock)
}

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
	if m.h.near {
		return m.h.obj.RLock(ctx) // and not by lock, which costs 10 ns
	}
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
func (m *RWMutex) RUnlock() {
	if near, ok := m.h.obj.(*local.RWMutex); ok && near.RUnlockOwn() {
		return
	}
	unlock(&m.h, &m.reads, "read unlock", complete.RWMutex.RUnlock)
}

// Close gives the handle back.
func (m *RWMutex) Close() error { return m.h.Close() }

// String names the object.
func (m *RWMutex) String() string { return m.h.String() }

func (m *RWMutex) travel() traveller { return &m.h }
