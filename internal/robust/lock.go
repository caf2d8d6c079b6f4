package robust

import (
	"context"
	"os"
	"sync/atomic"
	"unsafe"

	"multiproc/internal/failpoint"
	"multiproc/internal/futex"
	"multiproc/internal/pin"
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
//	12        high half: the owner's process id, with handOver in the highest
//	          bit
//
// Both halves change hands together, by one 64-bit compare-and-swap, so that
// no owner is ever without its name. The kernel touches the low half only:
// after a death the high half still names the dead.
type node struct {
	next uint64
	word uint64
}

var _ [LockSize]byte = [unsafe.Sizeof(node{})]byte{}

// handOver says that a waiter has waited for long and was overtaken: whoever
// gives the lock back leaves it to those who have slept for it, see wait.go.
const handOver = 1 << 63

// flags are the bits of a word that do not belong to the owner's name.
const flags = handOver | futex.Waiters

// futexAddr is the low half; the package supports little-endian machines only
// (shm refuses others).
func (n *node) futexAddr() *uint32 { return (*uint32)(unsafe.Pointer(&n.word)) }

func ownerPID(word uint64) uint32 { return uint32(word &^ handOver >> 32) }

// Lock is this process's handle to a lock in shared memory. It excludes
// goroutines of one process and processes alike. All zero memory is a free
// lock. It is not recursive.
//
// Lock, TryLock and Unlock are for locks that are held while code of the user
// runs. What the library does under a lock it does between Hold and Free, and
// is not preempted.
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

	deceased uint32                // from whom the lock was inherited; written by the holder
	lead     atomic.Pointer[sleep] // set while the holder still leads the gate, see wait.go
	doubt    doubt

	home
}

var self = uint32(os.Getpid())

// Init attaches the handle to LockSize bytes of shared memory.
func (l *Lock) Init(p unsafe.Pointer) { l.n = (*node)(p) }

// TryLock takes the lock if it is free. died says that the last owner died
// while it held the lock: what it protects may be half changed, and the
// caller, who holds the lock now, must mend it before it goes on. After a
// death it may take some milliseconds, see waitGone.
//
// A lock whose word names nobody who lives becomes free after some calls: the
// first one to find it so remembers it, and one a millisecond later looks.
func (l *Lock) TryLock() (ok, died bool, err error) {
	if l.takeResident(0) { // without a pin, see Lock
		return true, false, nil
	}
	var gone uint32
	for {
		pin.On()
		a := l.take(attempting{gone: gone})
		pin.Off()
		switch a {
		case taken:
			return true, false, nil
		case inherited:
			return true, true, nil
		case busy, reserved:
			if !l.doubt.raise(l) {
				return false, false, nil
			}
		default:
			if err := l.prepare(a, &gone); err != nil {
				return false, false, err
			}
		}
	}
}

// prepare does what an attempt that came to nothing asks for.
func (l *Lock) prepare(a attempt, gone *uint32) error {
	switch a {
	case dying:
		if pid := ownerPID(atomic.LoadUint64(&l.n.word)); pid != 0 {
			waitGone(int(pid))
			*gone = pid
		}
	case crowded:
		return anotherKeeper()
	}
	return nil
}

// attempt is what came of one attempt to take a lock.
type attempt int

const (
	taken     attempt = iota
	inherited         // taken, from an owner that died with it
	busy              // somebody holds it
	reserved          // free, but left to those who have slept for it
	dying             // its owner is dead, but a thread of it may still be running
	crowded           // this process's keeper has no room
)

// attempting is in which state a caller attempts to take a lock.
type attempting struct {
	slept bool   // it may take a lock that is reserved
	bits  uint64 // flags to take the word with: a waiter that wakes cannot know whether others still sleep
	gone  uint32 // a process that is known to have ended, 0 for none
}

// take is one attempt, by the short way or the long one. The caller is pinned,
// once.
func (l *Lock) take(t attempting) attempt {
	if l.takeResident(t.bits) {
		return taken
	}
	return l.try(t)
}

// try is one attempt. The caller is pinned, once.
//
// Only from a process that is known to have ended a lock is inherited. Until
// then a thread of the dead could still store to what the lock protects.
func (l *Lock) try(t attempting) attempt {
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
		result := t.judge(old)
		if result != taken && result != inherited {
			k.end()
			k.unlock()
			return result
		}
		if atomic.CompareAndSwapUint64(&n.word, old, k.name|old&futex.Waiters|t.bits) {
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

// judge says what may be done about a word.
func (t *attempting) judge(word uint64) attempt {
	if word&futex.TIDMask != 0 {
		return busy
	}
	if word&futex.OwnerDied != 0 {
		if dead := ownerPID(word); dead != 0 && dead != t.gone && dead != self {
			return dying
		}
		return inherited
	}
	if word&handOver != 0 && !t.slept {
		return reserved
	}
	return taken
}

// Lock takes the lock, waiting while another holds it. For died see TryLock.
// After an error (the context's, or ErrClosed after Abort) the lock is not
// held. Cost: 15 to 30 ns when it is free.
func (l *Lock) Lock(ctx context.Context) (died bool, err error) {
	// Without a pin: who has the lock goes on to code that is preempted as ever.
	if l.takeResident(0) {
		return false, nil
	}
	died, err = l.Hold(ctx)
	if err == nil {
		pin.Off()
		if s := l.lead.Load(); s != nil {
			s.forget()
		}
	}
	return died, err
}

// Hold is Lock for a critical section of the library: with a nil error the
// caller is pinned, until the Rest that follows Free. So it is short and obeys
// the rules of package pin. The caller is not pinned before.
func (l *Lock) Hold(ctx context.Context) (died bool, err error) {
	pin.On()
	if l.takeResident(0) {
		return false, nil
	}
	switch l.try(attempting{}) {
	case taken:
		return false, nil
	case inherited:
		return true, nil
	}
	pin.Off()
	return l.wait(ctx)
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

// Idle reports whether nobody holds the lock, nor has died with it.
func (l *Lock) Idle() bool { return atomic.LoadUint64(&l.n.word)&^flags == 0 }

// Abort makes all goroutines of this process that wait for the lock give up
// with ErrClosed, now and later.
func (l *Lock) Abort() { l.gate.close() }
