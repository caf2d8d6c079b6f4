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
//	 8  word  0, or the owner's keeper thread id, with futex.Waiters and
//	          futex.OwnerDied
//	12  pid   the owner's process id: stored after the word was taken, cleared
//	          before it is released. For messages and for waitGone only
type node struct {
	next uint64
	word uint32
	pid  uint32
}

var _ [LockSize]byte = [unsafe.Sizeof(node{})]byte{}

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
}

var self = uint32(os.Getpid())

// Init attaches the handle to LockSize bytes of shared memory.
func (l *Lock) Init(p unsafe.Pointer) { l.n = (*node)(p) }

// TryLock takes the lock if it is free. died says that the last owner died
// while it held the lock: what it protects may be half changed, and the
// caller, who holds the lock now, must mend it before it goes on.
func (l *Lock) TryLock() (ok, died bool, err error) {
	k := current.Load()
	if k == nil || k.held >= maxHeld {
		if k, err = newKeeper(k); err != nil {
			return false, false, err
		}
	}
	ok, died = l.try(k, 0)
	if died {
		l.inherit()
	}
	return ok, died, nil
}

// try is one attempt. bits are kept in the word: a waiter that wakes cannot
// know whether others still sleep, so it takes the lock with futex.Waiters.
func (l *Lock) try(k *keeper, bits uint32) (ok, died bool) {
	n := l.n
	if atomic.LoadUint32(&n.word)&futex.TIDMask != 0 {
		return false, false
	}
	k.lock()
	k.begin(n)
	failpoint.Hit("lock.pending")
	for {
		old := atomic.LoadUint32(&n.word)
		if old&futex.TIDMask != 0 {
			k.end()
			k.unlock()
			return false, false
		}
		if atomic.CompareAndSwapUint32(&n.word, old, k.tid|old&futex.Waiters|bits) {
			died = old&futex.OwnerDied != 0
			break
		}
	}
	failpoint.Hit("lock.taken")
	k.push(l)
	failpoint.Hit("lock.pushed")
	k.end()
	k.unlock()
	if !died {
		// After a death the dead owner's pid is still wanted.
		fence.StoreRelease32(&n.pid, self)
	}
	failpoint.Hit("lock.named")
	return true, died
}

// inherit waits until the dead owner's last thread has stopped storing.
func (l *Lock) inherit() {
	waitGone(int(atomic.LoadUint32(&l.n.pid)))
	fence.StoreRelease32(&l.n.pid, self)
}

// Lock takes the lock, waiting while another holds it. For died see TryLock.
// After an error (the context's, or ErrClosed after Wake) the lock is not
// held. Cost: 25 to 40 ns when it is free.
func (l *Lock) Lock(ctx context.Context) (died bool, err error) {
	if k := current.Load(); k != nil && k.held < maxHeld {
		if ok, died := l.try(k, 0); ok {
			if died {
				l.inherit()
			}
			return died, nil
		}
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
		k := current.Load()
		if k == nil || k.held >= maxHeld {
			if k, failed = newKeeper(k); failed != nil {
				return true
			}
		}
		for {
			if got, died = l.try(k, s.bits); got {
				return true
			}
			old := atomic.LoadUint32(&l.n.word)
			if old&futex.TIDMask == 0 {
				continue
			}
			// The kernel and Unlock wake nobody without the bit.
			if old&futex.Waiters == 0 && !atomic.CompareAndSwapUint32(&l.n.word, old, old|futex.Waiters) {
				continue
			}
			s.bits = futex.Waiters
			s.word = futex.Word{Addr: &l.n.word, Old: old | futex.Waiters}
			return false
		}
	})
	if died {
		l.inherit()
	}
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

// Unlock releases the lock. Any goroutine of the process that holds it may
// call it. It reports false if this process does not hold the lock.
func (l *Lock) Unlock() bool { return l.release(0) }

// bequeath releases an inherited lock as if the dead owner still had it: the
// next one to take it hears of the death again.
func (l *Lock) bequeath() bool { return l.release(futex.OwnerDied) }

func (l *Lock) release(to uint32) bool {
	k := l.keeper
	if k == nil {
		return false
	}
	n := l.n
	fence.StoreRelease32(&n.pid, 0)
	failpoint.Hit("unlock.unnamed")
	k.lock()
	k.begin(n)
	failpoint.Hit("unlock.pending")
	k.remove(l)
	failpoint.Hit("unlock.removed")
	// The swap is also the StoreLoad fence for callers that look for
	// sleepers after Unlock.
	old := atomic.SwapUint32(&n.word, to)
	failpoint.Hit("unlock.released")
	k.end()
	k.unlock()
	// A death between the swap and the wake: with pending set the kernel
	// wakes a waiter when it finds the word 0, afterwards the death word
	// does.
	failpoint.Hit("unlock.done")
	if old&futex.Waiters != 0 {
		futex.Wake(&n.word, 1)
	}
	return true
}

// Held reports whether this process holds the lock.
func (l *Lock) Held() bool { return l.keeper != nil }

// Owner returns the process id of the holder, 0 if the lock is free or its
// holder is just taking or releasing it.
func (l *Lock) Owner() int {
	if atomic.LoadUint32(&l.n.word)&futex.TIDMask == 0 {
		return 0
	}
	return int(atomic.LoadUint32(&l.n.pid))
}

// OwnerAlive reports whether anybody holds the lock: the word of a lock that
// is held for life tells whether its owner lives.
func (l *Lock) OwnerAlive() bool {
	return atomic.LoadUint32(&l.n.word)&futex.TIDMask != 0
}

// Abort makes all goroutines of this process that wait for the lock give up
// with ErrClosed, now and later.
func (l *Lock) Abort() { l.gate.close() }
