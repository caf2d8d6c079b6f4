package robust

import (
	"sync/atomic"

	"multiproc/internal/failpoint"
	"multiproc/internal/futex"
	"multiproc/internal/pin"
)

// Unlock releases the lock, for whoever holds it; any goroutine of the process
// may do so. It reports false if this handle does not hold the lock. Only one
// goroutine at a time may try.
func (l *Lock) Unlock() bool {
	if l.owned && l.lead.Load() == nil && l.releaseQuietly() {
		return true
	}
	pin.On()
	rest, ok := l.free()
	rest.Do()
	return ok
}

// releaseQuietly is the short way to give back a resident lock: without a pin, as
// nobody sleeps who has to be woken. It reports false if somebody does.
func (l *Lock) releaseQuietly() bool {
	return atomic.LoadUint64(&l.n.word)&flags == 0 && l.FreeResident()
}

// Free gives back a lock that Hold took, and wakes a waiter. The caller remains
// pinned: it tells others what it has changed, then calls Do of the Rest.
func (l *Lock) Free() Rest {
	rest, _ := l.free()
	return rest
}

// Rest is what remains to be done after Free.
type Rest struct {
	l    *Lock
	lead *sleep // the lead of the gate, to be handed on
	more restBits
}

type restBits uint8

const (
	restPromote restBits = 1 << iota // the lock is used often
	restDamaged                      // the word was not as this process left it
)

// Do ends the pin. It may take a few microseconds longer than Free did.
func (r Rest) Do() {
	pin.Off()
	if r.lead != nil || r.more != 0 {
		r.do()
	}
}

func (r Rest) do() {
	if r.lead != nil {
		r.l.gate.resign(r.lead)
	}
	if r.more&restPromote != 0 {
		r.l.promote()
	}
	if r.more&restDamaged != 0 {
		r.l.reclaim(atomic.LoadUint64(&r.l.n.word))
	}
}

// free releases the lock. The caller is pinned, and stays so.
func (l *Lock) free() (rest Rest, ok bool) {
	rest.l = l
	if l.owned {
		l.owned = false
		if l.lead.Load() != nil {
			rest.lead = l.lead.Swap(nil)
		}
		failpoint.Hit("unlock.pending")
		raceReleasing()
		name := resident.name // home.at may be 0 by now
		if atomic.CompareAndSwapUint64(&l.n.word, name, 0) {
			failpoint.Hit("unlock.released")
		} else {
			rest.more = l.release(name)
		}
		return rest, true
	}
	k := l.keeper
	if k == nil {
		return rest, false
	}
	k.lock()
	if l.keeper != k { // another goroutine was first
		k.unlock()
		return rest, false
	}
	rest.lead = l.lead.Swap(nil)
	k.begin(l.n)
	failpoint.Hit("unlock.pending")
	k.remove(l)
	failpoint.Hit("unlock.removed")
	l.uses++
	if (l.uses >= promoteAfter || l.home.idle.Load()) && l.twin.Load() {
		l.uses = 0
		rest.more = restPromote
	}
	raceReleasing()
	more, wake := l.vacate(k.name)
	failpoint.Hit("unlock.released")
	k.end()
	k.unlock()
	// A death between the store and the wake: with pending set the kernel
	// wakes a waiter when it finds the low half 0, afterwards the death word
	// does.
	failpoint.Hit("unlock.done")
	if wake {
		l.wakeOne()
	}
	rest.more |= more
	return rest, true
}

// release gives back a lock that is held by name, and wakes a waiter.
func (l *Lock) release(name uint64) restBits {
	more, wake := l.vacate(name)
	failpoint.Hit("unlock.released")
	if wake {
		l.wakeOne()
	}
	return more
}

// vacate makes the word say that nobody holds the lock. It is also the full
// fence for callers that look for sleepers after it. wake says that somebody
// sleeps.
func (l *Lock) vacate(name uint64) (more restBits, wake bool) {
	w := &l.n.word
	if atomic.CompareAndSwapUint64(w, name, 0) {
		return 0, false
	}
	for {
		old := atomic.LoadUint64(w)
		if old&^flags != name {
			return restDamaged, false
		}
		next := uint64(0)
		if old&flags == flags {
			next = handOver
		}
		if atomic.CompareAndSwapUint64(w, old, next) {
			return 0, old&futex.Waiters != 0
		}
	}
}
