package robust

import (
	"sync"
	"sync/atomic"
	"unsafe"

	"multiproc/internal/failpoint"
	"multiproc/internal/fence"
)

// A lock that a process uses often becomes resident in it: its node stays on
// the list of a second keeper for as long as the handle is open, held or not.
//
// That is allowed because the kernel, walking the list of a dead thread, does
// nothing about a lock whose word carries another thread's id. And it makes
// the bookkeeping of Lock and Unlock vanish: no list changes, no pending slot,
// no spin lock around both. What remains is one compare-and-swap to take the
// lock and one to release it.
//
// A lock can be resident in several processes, so its node cannot stand in
// shared memory: it stands in private memory of the process, at a fixed
// distance before the lock (TwinDistance), for the kernel knows one distance
// for all locks of a list. Whoever maps the lock reserves that memory; a page
// of it is made usable when the first lock in front of it becomes resident.
//
// A death between the store that releases a resident lock and the wake leaves
// a sleeper without its wake-up; the death word brings it.

// TwinDistance is how far before a lock the memory for its resident node is.
const TwinDistance = 16 << 10

// promoteAfter is how many times a process takes a lock before it becomes
// resident there: an object that is hardly used does not pay for the page.
const promoteAfter = 64

// maxResidents bounds the list, as maxHeld does: resident locks count for the
// kernel's limit whether they are held or not.
const maxResidents = 1500

// residents is the second keeper.
type residents struct {
	mu    sync.Mutex
	name  uint64
	head  head
	count int
	last  *Lock // first in the list
}

var resident residents

// AllowResident says that the TwinDistance bytes before the lock's page are
// this process's own, reserved for the lock's node.
func (l *Lock) AllowResident() { l.twin.Store(true) }

// home is what a lock that may become resident knows about it; see Lock.
type home struct {
	twin  atomic.Bool // AllowResident was called
	uses  uint32      // written by the holder
	owned bool        // held by way of the resident path; written by the holder

	at         atomic.Uint64 // the resident keeper's name; 0: not resident
	next, prev *Lock         // under resident.mu
}

// promote makes the lock resident if there is room. The lock is not held by
// the caller; others may hold it in the meantime, by either path.
func (l *Lock) promote() {
	r := &resident
	r.mu.Lock()
	defer r.mu.Unlock()
	if l.home.at.Load() != 0 || !l.twin.Load() || r.count >= maxResidents || !r.start() {
		l.twin.Store(l.home.at.Load() != 0)
		return
	}
	twin := l.twinNode()
	// A node that points on is on the list already, for another handle to the
	// same memory; twice on the list it would close a circle.
	if !unprotect(twin) || *twin != 0 {
		l.twin.Store(false)
		return
	}
	// The node points on before anything points to the node.
	fence.StoreRelease64(twin, r.head.first)
	failpoint.Hit("resident.noded")
	l.home.next = r.last
	if r.last != nil {
		r.last.home.prev = l
	}
	r.last = l
	r.count++
	fence.StoreRelease64(&r.head.first, uint64(uintptr(unsafe.Pointer(twin))))
	l.home.at.Store(r.name)
}

// Detach takes the lock off the list of resident locks. It must be called
// before the memory of a lock is unmapped that may have become resident, and
// nobody may be using the handle.
func (l *Lock) Detach() {
	r := &resident
	r.mu.Lock()
	defer r.mu.Unlock()
	if l.home.at.Load() == 0 {
		return
	}
	following := uint64(uintptr(unsafe.Pointer(&r.head)))
	if l.home.next != nil {
		following = uint64(uintptr(unsafe.Pointer(l.home.next.twinNode())))
		l.home.next.home.prev = l.home.prev
	}
	if l.home.prev != nil {
		l.home.prev.home.next = l.home.next
		fence.StoreRelease64(l.home.prev.twinNode(), following)
	} else {
		r.last = l.home.next
		fence.StoreRelease64(&r.head.first, following)
	}
	*l.twinNode() = 0
	l.home.next, l.home.prev = nil, nil
	l.home.at.Store(0)
	r.count--
}

// twinNode is the word that the list runs through.
func (l *Lock) twinNode() *uint64 { return (*uint64)(unsafe.Add(unsafe.Pointer(l.n), -TwinDistance)) }

// start makes the resident keeper's thread, unless there is one. mu is held.
func (r *residents) start() bool {
	if r.name != 0 {
		return true
	}
	keeperMu.Lock()
	defer keeperMu.Unlock()
	name, err := ownerThread(&r.head, TwinDistance+int64(unsafe.Offsetof(node{}.word)))
	if err != nil {
		return false // the ordinary way works on
	}
	r.name = name
	return true
}

// takeResident is the short way to take a lock. It reports false if the lock
// is not free, or not resident. bits are flags for the word.
func (l *Lock) takeResident(bits uint64) bool {
	name := l.home.at.Load()
	if name == 0 || !atomic.CompareAndSwapUint64(&l.n.word, 0, name|bits) {
		return false
	}
	raceTaken()
	l.owned = true
	failpoint.Hit("lock.taken")
	return true
}

// HoldResident is Hold for a lock that is free and resident; else it reports
// false. The caller pins himself, before.
func (l *Lock) HoldResident() bool { return l.takeResident(0) }

// FreeResident is Free for a lock that HoldResident took and nobody waits for;
// else it reports false, and the lock is still held. The caller remains pinned.
func (l *Lock) FreeResident() bool {
	l.owned = false
	failpoint.Hit("unlock.pending")
	raceReleasing()
	if !atomic.CompareAndSwapUint64(&l.n.word, l.home.at.Load(), 0) {
		l.owned = true
		return false
	}
	failpoint.Hit("unlock.released")
	return true
}
