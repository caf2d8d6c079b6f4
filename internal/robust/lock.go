package robust

import (
	"context"
	"os"
	"sync/atomic"
	"unsafe"

	"multiproc/internal/failpoint"
	"multiproc/internal/fence"
	"multiproc/internal/futex"
)

// LockSize is how many bytes a lock takes in shared memory; it is aligned to 8.
const LockSize = 16

// node is the lock in shared memory. The kernel knows the distance from the
// node to the word, which is the same for all locks.
//
//	 0  next  address of the next node of the owner's list, an address of the
//	          owner's; without meaning while the lock is free
//	 8  word  low half, the kernel's: 0, or the owner's keeper thread id, with
//	          futex.Waiters and futex.OwnerDied
//	12        high half: the owner's process id
//
// Both halves change hands together, by one 64-bit swap, so that no owner is
// ever without its name. The kernel touches the low half only: after a death
// the high half still names the dead.
type node struct {
	next uint64
	word uint64
}

var _ [LockSize]byte = [unsafe.Sizeof(node{})]byte{}

// futexAddr is the low half; the package supports little-endian machines only
// (shm refuses others).
func (n *node) futexAddr() *uint32 { return (*uint32)(unsafe.Pointer(&n.word)) }

func ownerPID(word uint64) uint32 { return uint32(word >> 32) }

// Lock is this process's handle to a lock in shared memory. It excludes
// goroutines of one process and processes alike. All zero memory is a free
// lock. It is not recursive.
//
// What a holder did before Unlock happens before what the next holder does
// after Lock.
type Lock struct {
	n    *node
	gate gate

	// While held by this process: the keeper and the neighbours on its list.
	// Under keeper.spin.
	keeper     *keeper
	next, prev *Lock

	deceased uint32 // from whom the lock was inherited; written by the holder

	home
}

var self = uint32(os.Getpid())

// Init attaches the handle to LockSize bytes of shared memory.
func (l *Lock) Init(p unsafe.Pointer) { l.n = (*node)(p) }

// TryLock takes the lock if it is free. died says that the last owner died
// while it held the lock: what it protects may be half changed, and the
// caller, who holds the lock now, must mend it before it goes on. After a
// death it may take some milliseconds, see waitGone.
func (l *Lock) TryLock() (ok, died bool, err error) {
	if l.takeResident() {
		return true, false, nil
	}
	return l.tryLock(0)
}

func (l *Lock) tryLock(bits uint32) (ok, died bool, err error) {
	var gone uint32
	for {
		switch l.try(bits, gone) {
		case taken:
			return true, false, nil
		case inherited:
			return true, true, nil
		case busy:
			return false, false, nil
		case dying:
			if gone = ownerPID(atomic.LoadUint64(&l.n.word)); gone != 0 {
				waitGone(int(gone))
			}
		case crowded:
			if err := anotherKeeper(); err != nil {
				return false, false, err
			}
		}
	}
}

// attempt is what came of one attempt to take a lock.
type attempt int

const (
	taken     attempt = iota
	inherited         // taken, from an owner that died with it
	busy              // somebody holds it
	dying             // its owner is dead, but a thread of it may still be running
	crowded           // this process's keeper has no room
)

// try is one attempt. bits are kept in the word: a waiter that wakes cannot
// know whether others still sleep, so it takes the lock with futex.Waiters.
// gone is a process that is known to have ended, 0 for none: only from such a
// one is a lock inherited. Until then a thread of the dead could still store
// to what the lock protects, and its unlocking swap would even take the lock
// from the heir.
func (l *Lock) try(bits, gone uint32) attempt {
	n := l.n
	old := atomic.LoadUint64(&n.word)
	if old&futex.TIDMask != 0 {
		return busy
	}
	k := current.Load()
	if k == nil {
		return crowded
	}
	k.lock()
	if k.held >= maxHeld {
		k.unlock()
		return crowded
	}
	k.begin(n)
	failpoint.Hit("lock.pending")
	for {
		result := taken
		if old != 0 {
			switch dead := ownerPID(old); {
			case old&futex.TIDMask != 0:
				result = busy
			case old&futex.OwnerDied == 0:
			case dead != 0 && dead != gone && dead != self:
				result = dying
			default:
				result = inherited
			}
		}
		if result == busy || result == dying {
			k.end()
			k.unlock()
			return result
		}
		if atomic.CompareAndSwapUint64(&n.word, old, k.name|old&futex.Waiters|uint64(bits)) {
			raceTaken()
			failpoint.Hit("lock.taken")
			k.push(l)
			if result == inherited {
				l.deceased = ownerPID(old)
			}
			failpoint.Hit("lock.pushed")
			k.end()
			k.unlock()
			failpoint.Hit("lock.done")
			return result
		}
		old = atomic.LoadUint64(&n.word)
	}
}

// Lock takes the lock, waiting while another holds it. For died see TryLock.
// After an error (the context's, or ErrClosed after Abort) the lock is not
// held. Cost: 15 to 30 ns when it is free.
func (l *Lock) Lock(ctx context.Context) (died bool, err error) {
	if l.takeResident() {
		return false, nil
	}
	switch l.try(0, 0) {
	case taken:
		return false, nil
	case inherited:
		return true, nil
	}
	return l.lockSlow(ctx)
}

// spinLock is how many rounds of spinPauses pauses a contender spins before
// it sleeps: about 4 µs, the length of some 50 critical sections.
const (
	spinLock   = 16
	spinPauses = 10
)

func (l *Lock) lockSlow(ctx context.Context) (bool, error) {
	for range spinLock {
		if ok, died, err := l.TryLock(); ok || err != nil {
			return died, err
		}
		fence.Pause(spinPauses)
	}
	var got, died bool
	var failed error
	err := l.gate.wait(ctx, func(s *sleep) bool {
		// One goroutine of this process at a time is in here.
		for {
			if got, died, failed = l.tryLock(s.bits); got || failed != nil {
				return true
			}
			old := atomic.LoadUint64(&l.n.word)
			if old&futex.TIDMask == 0 || (s.suspect && l.bury(old)) {
				continue
			}
			// The kernel and Unlock wake nobody without the bit.
			if old&futex.Waiters == 0 && !atomic.CompareAndSwapUint64(&l.n.word, old, old|futex.Waiters) {
				continue
			}
			s.bits = futex.Waiters
			s.word = futex.Word{Addr: l.n.futexAddr(), Old: uint32(old) | futex.Waiters}
			return false
		}
	})
	if got {
		// It was taken, so it is held: a context that ended in the same
		// moment comes too late.
		return died, nil
	}
	if failed != nil {
		return false, failed
	}
	return false, err
}

// bury does the kernel's work where it came too early. A process dies thread
// by thread: one of its threads may take a lock in the microseconds after the
// keeper's end, and then nobody ever looks at that lock again. It reports
// whether the word has changed. Waiters ask when they have slept for long, or
// when a process of the family has died.
func (l *Lock) bury(old uint64) bool {
	if !threadGone(ownerPID(old), uint32(old)&futex.TIDMask) {
		return false
	}
	atomic.CompareAndSwapUint64(&l.n.word, old, old&^futex.TIDMask|futex.OwnerDied)
	return true
}

// Unlock releases the lock. Any goroutine of the process that holds it may
// call it. It reports false if this handle does not hold the lock.
func (l *Lock) Unlock() bool {
	if l.owned {
		l.releaseResident()
		return true
	}
	k := l.keeper
	if k == nil {
		return false
	}
	n := l.n
	k.lock()
	if l.keeper != k { // another goroutine was first
		k.unlock()
		return false
	}
	k.begin(n)
	failpoint.Hit("unlock.pending")
	k.remove(l)
	failpoint.Hit("unlock.removed")
	// The swap is also the StoreLoad fence for callers that look for
	// sleepers after Unlock.
	l.uses++
	promote := l.twin.Load() && l.uses >= promoteAfter
	raceReleasing()
	old := atomic.SwapUint64(&n.word, 0)
	failpoint.Hit("unlock.released")
	k.end()
	k.unlock()
	// A death between the swap and the wake: with pending set the kernel
	// wakes a waiter when it finds the word 0, afterwards the death word
	// does.
	failpoint.Hit("unlock.done")
	if old&futex.Waiters != 0 {
		futex.Wake(n.futexAddr(), 1)
	}
	if promote {
		l.promote()
	}
	return true
}

// Deceased is the process id of the owner that died, for whoever has just taken
// the lock with died.
func (l *Lock) Deceased() int { return int(l.deceased) }

// Held reports whether this process holds the lock.
func (l *Lock) Held() bool {
	word := atomic.LoadUint64(&l.n.word)
	return word&futex.TIDMask != 0 && ownerPID(word) == self
}

// Owner returns the process id of the holder, 0 if the lock is free.
func (l *Lock) Owner() int {
	word := atomic.LoadUint64(&l.n.word)
	if word&futex.TIDMask == 0 {
		return 0
	}
	return int(ownerPID(word))
}

// OwnerAlive reports whether anybody holds the lock: the word of a lock that
// is held for life tells whether its owner lives.
func (l *Lock) OwnerAlive() bool {
	return atomic.LoadUint64(&l.n.word)&futex.TIDMask != 0
}

// Abort makes all goroutines of this process that wait for the lock give up
// with ErrClosed, now and later.
func (l *Lock) Abort() { l.gate.close() }
