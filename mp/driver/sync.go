package driver

import "context"

// The kinds of synchronization, and the interfaces that their objects
// implement.
const (
	KindRecursiveMutex   Kind = "RLock"            // RecursiveMutex
	KindSemaphore        Kind = "Semaphore"        // Semaphore
	KindBoundedSemaphore Kind = "BoundedSemaphore" // Semaphore
	KindEvent            Kind = "Event"            // Event
	KindCond             Kind = "Condition"        // Cond
	KindBarrier          Kind = "Barrier"          // Barrier
	KindRWMutex          Kind = "RWLock"           // RWMutex; not one of Python's
	KindWaitGroup        Kind = "WaitGroup"        // WaitGroup; not one of Python's
	KindOnce             Kind = "Once"             // Once; not one of Python's
)

// RecursiveMutex excludes sessions from one another, and no goroutines of one
// session: that may lock again what it has locked, and unlocks as often. When
// the session ends without that, the next one just gets it.
type RecursiveMutex interface {
	Object
	Lock(ctx context.Context) error
	TryLock(ctx context.Context) (bool, error)
	Unlock(ctx context.Context) error // as that of Mutex
}

// Semaphore is a number of permits. Spec.Size is how many there are at first.
// When a session ends the permits that it has come back, but never more than
// there were at first: those of a semaphore that begins with none are signals,
// and come from others.
//
// n is how many permits a call is about, all of them or none. A number below 1, and
// one that a bounded semaphore never has, is ErrValue.
type Semaphore interface {
	Object
	// Acquire waits for n permits. Waiters are served in the order in which they came:
	// one that wants many is not passed by those that want few.
	Acquire(ctx context.Context, n int) error
	// TryAcquire takes n permits if they are there and nobody waits.
	TryAcquire(ctx context.Context, n int) (bool, error)
	// Release returns ErrValue if the semaphore is bounded and would have more
	// permits than at first, and ErrNotHeld if permits were lost with their session:
	// the rest of the n is released then.
	Release(ctx context.Context, n int) error
}

// Event is a flag to wait for.
type Event interface {
	Object
	Set(ctx context.Context) error
	Clear(ctx context.Context) error
	IsSet(ctx context.Context) (bool, error)
	// Wait returns when the flag is set, also if it is cleared at once.
	Wait(ctx context.Context) error
}

// Cond is a lock, and a line of those who wait in it for something that the lock
// protects. The lock is Spec.Lock's, or one of the Cond's own; its methods are
// those of that Mutex.
type Cond interface {
	Mutex
	// Wait gives the lock up, waits for Signal or Broadcast, and takes the lock
	// again, also if ctx ends meanwhile: it is held after an error, too, unless
	// that wraps ErrClosed, ErrNotHeld or ErrUnknownFate, and Unlock is called
	// in any case. If a holder died since, the error is an *mp.OwnerDiedError.
	Wait(ctx context.Context) error
	// Signal lets one wait go on, Broadcast all; the caller holds the lock. A
	// signal to a session that dies before it has the lock goes to another.
	Signal(ctx context.Context) error    // ErrNotHeld
	Broadcast(ctx context.Context) error // ErrNotHeld
}

// Barrier lets Spec.Size parties wait for each other. One that gives up, whose
// session ends, or whose handle is closed breaks it for all, until Reset.
type Barrier interface {
	Object
	// Wait returns when all parties are there, with the order of arrival.
	Wait(ctx context.Context) (index int, err error) // ErrBroken
	Abort(ctx context.Context) error
	Reset(ctx context.Context) error // ErrBroken for those who wait
	Parties(ctx context.Context) (int, error)
	Waiting(ctx context.Context) (int, error)
	Broken(ctx context.Context) (bool, error)
}

// RWMutex is a Mutex that sessions may also share as readers. One who waits to
// write bars new readers. A reader that dies is just gone; after the death of a
// writer readers, too, get an *mp.OwnerDiedError, until Heal. The methods of
// Mutex are the writer's.
type RWMutex interface {
	Mutex
	RLock(ctx context.Context) error
	TryRLock(ctx context.Context) (bool, error)
	RUnlock(ctx context.Context) error // as Unlock of Mutex
}

// WaitGroup is a count of what is still to be done. Each part of it belongs to a session:
// to the one that has added it, or has taken it over. What belongs to a session that ends
// is taken off at once, and Wait of the round tells of it. A round is the time from where
// the count leaves 0 to where it is 0 again.
type WaitGroup interface {
	Object
	// Add adds n. A negative n says that so much is done: of what belongs to the
	// session, or else of what has belonged to others for the longest time. It is
	// ErrValue, and changes nothing, if the count would be negative. What is done can be
	// said through a closed handle, too, as long as something belongs to the session.
	Add(ctx context.Context, n int) error
	// Take makes one of what belongs to others for the longest time the session's own;
	// it does nothing if everything is its own, and is ErrValue if the count is 0.
	Take(ctx context.Context) error
	// Lose is Add of -1, in all, for a process that died before it could say so: Wait
	// tells of it.
	Lose(ctx context.Context, pid int) error // ErrValue
	// Wait returns when the count is 0: the error is an *mp.OwnerDiedError if a part of
	// the round that ends so, or of the last one if the count is 0 already, was lost.
	Wait(ctx context.Context) error
	Count(ctx context.Context) (int, error)
}

// Once is something that is to be done once.
type Once interface {
	Object
	// Begin returns when it is done, with false, or when the session is to do it, with
	// true: then End follows. While one does it the others wait; when the session of the
	// one ends, the next one is to do it.
	Begin(ctx context.Context) (run bool, err error)
	// End says whether it is done; if not, the next one is to do it. It returns
	// ErrNotHeld if the session is not the one that does it, as after its end, and
	// works through a closed handle, too. As Unlock of Mutex it waits for a bounded
	// time.
	End(ctx context.Context, done bool) error
	// Done reports whether it is done.
	Done(ctx context.Context) (bool, error)
}
