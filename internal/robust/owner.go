package robust

import (
	"sync/atomic"
	"time"

	"multiproc/internal/futex"
)

// # Words that name nobody
//
// The kernel marks the locks of a dead process when its keeper ends, and that
// is usually all. But a lock can say that it is held without anybody holding
// it: a process dies thread by thread, and one of its threads may take a lock
// in the microseconds after the keeper's end, which nobody ever looks at again;
// and memory that several processes write can be damaged. Waiters that have
// slept for long, or have heard of a death, look whether the owner exists, and
// do the kernel's work if it does not.

// reclaim does the kernel's work if the word's owner is gone. It reports whether
// the word has changed since, or it is worth to look again. It makes system
// calls.
func (l *Lock) reclaim(word uint64) bool {
	if word&futex.TIDMask == 0 {
		return true
	}
	if !ownerGone(ownerPID(word), uint32(word)&futex.TIDMask) {
		return false
	}
	atomic.CompareAndSwapUint64(&l.n.word, word, word&^(futex.TIDMask|handOver)|futex.OwnerDied)
	return true
}

// Reclaim makes a lock free that says it is held, and whose owner is gone; what
// TryLock and Lock do after some time.
func (l *Lock) Reclaim() { l.reclaim(atomic.LoadUint64(&l.n.word)) }

// The kernel's bound of process ids, PID_MAX_LIMIT: words that name others are
// damaged.
const maxPID = 1 << 22

// ownerGone reports whether the thread of that process that a word names holds
// no lock. No for an answer may be wrong where /proc is missing; yes may not.
func ownerGone(pid, tid uint32) bool {
	if pid == self {
		return !keeps(uint64(pid)<<32 | uint64(tid))
	}
	return noThread(pid, tid) || !keeperThread(pid, tid)
}

// nobody is the cheap part of the question.
func nobody(word uint64) bool { return noThread(ownerPID(word), uint32(word)&futex.TIDMask) }

func noThread(pid, tid uint32) bool {
	return pid == 0 || pid > maxPID || tid > maxPID || threadGone(pid, tid)
}

// keeps reports whether name is that of an owner thread of this process.
func keeps(name uint64) bool {
	keeperMu.Lock()
	defer keeperMu.Unlock()
	for _, n := range names {
		if n == name {
			return true
		}
	}
	return false
}

// doubt is what a handle's TryLock remembers of a word that was held. Callers
// of TryLock do not sleep, so none of them would ever suspect anything.
type doubt struct {
	word  atomic.Uint64
	since atomic.Int64
}

// raise is called for each attempt that found the lock held or reserved. It
// reports whether there is reason to try again.
func (d *doubt) raise(l *Lock) bool {
	word, now := atomic.LoadUint64(&l.n.word), time.Since(start).Nanoseconds()
	if d.word.Swap(word) != word {
		d.since.Store(now)
		return false
	}
	if now-d.since.Load() < int64(firstRecheck/100) {
		return false
	}
	d.since.Store(now)
	if word&futex.TIDMask == 0 && word&futex.OwnerDied == 0 {
		// Reserved for somebody who does not come.
		return atomic.CompareAndSwapUint64(&l.n.word, word, word&futex.Waiters)
	}
	return l.reclaim(word)
}

var start = time.Now()
