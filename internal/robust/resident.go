package robust

import (
	"os"
	"sync"
	"sync/atomic"
	"unsafe"

	"multiproc/internal/failpoint"
	"multiproc/internal/fence"
)

// A lock that a process uses often becomes resident in it: its node stays on
// the list of a second keeper, held or not, until the handle is closed or the place
// is needed for a lock that is used more.
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
// # Where a resident lock may lie
//
// In the first TwinDistance (16 KiB) of a mapping that shm.Segment.Map has made from
// offset 0 of a segment, at a multiple of 8: behind the header of 128 bytes there is
// room for 1016 bare locks, or 127 of a cache line pair each. A structure with more
// locks lets the ones beyond go without AllowResident, or has them in segments of their
// own. Resident locks cost their process a page of private memory for each page of the
// segment in which there are any, so a structure has them close together.
//
// The bound could be raised by a larger constant, since what is reserved is addresses
// and no memory; but every handle of every process pays for it, also against a limit of
// its address space, and who needs more than a thousand locks in one object
// spreads its keys over more locks than there are processors to take them. A list for each
// distance would take another thread each.
//
// A death between the store that releases a resident lock and the wake leaves
// a sleeper without its wake-up; the death word brings it.
//
// # Who is resident
//
// There is room for maxResidents locks of the process, for the kernel's walk of the
// list ends after 2048. Once it is full, a lock that asks for a place gets that of one
// that was not used lately, found by a clock: a hand goes round the list and
// makes those that it passes idle, which takes the short way from them (home.at is 0)
// and not the place. Whoever uses an idle lock takes the long way, once, and finds
// that the lock has its place still and the short way is free again. What is idle when the
// hand comes again was not used for a whole round, and goes. So the short way
// notes no use: it would be a store in each. The hand goes clockSteps at a time at most;
// who finds nobody idle asks again after promoteAfter uses.
//
// The short way loads home.at, takes the word, and loads home.at again. The hand
// stores 0 there, and looks at the word one round later. So either the hand finds a lock
// that is held in the short way, and lets it stay, or the taker, however long it stood
// between the load and the taking of the word, finds 0, gives the word back, and takes the
// long way (if somebody waits for it by then, he keeps it). For some nanoseconds the word then names this process by a node that is
// on no list. Who dies there leaves what a keeper leaves that was the first thread to go:
// a name of nobody, which waiters find within 5 ms (see owner.go).
//
// A node that left the list keeps pointing on, so that a walk that stands there goes on
// to the rest. Only when the last node of a page has left, the page is given back.

// TwinDistance is how far before a lock the memory for its resident node is.
const TwinDistance = 16 << 10

// promoteAfter is how many times a process takes a lock before it becomes
// resident there: an object that is hardly used does not pay for the page.
const promoteAfter = 64

// maxResidents bounds the list, as maxHeld does: resident locks count for the
// kernel's limit whether they are held or not.
const maxResidents = 1500

// clockSteps is how far the hand goes for one lock that asks for a place. Each step
// may send a lock that is used the long way once, some 100 ns.
const clockSteps = 16

// residents is the second keeper.
type residents struct {
	mu    sync.Mutex
	name  uint64 // written once, before the first lock is resident
	head  head
	count int
	last  *Lock            // first in the list
	hand  *Lock            // where the clock goes on, nil: at the first
	nodes map[*uint64]bool // those on the list
	pages map[uintptr]int  // how many of them are in each page
}

var resident = residents{nodes: map[*uint64]bool{}, pages: map[uintptr]int{}}

// AllowResident says that the TwinDistance bytes before the lock's page are
// this process's own, reserved for the lock's node: see "Where a resident lock may lie".
// Detach must be called before they are not.
func (l *Lock) AllowResident() { l.twin.Store(true) }

// home is what a lock that may become resident knows about it; see Lock.
type home struct {
	twin  atomic.Bool // AllowResident was called
	uses  uint32      // written by the holder: in the long way, since it last asked for a place
	owned bool        // held by way of the resident path; written by the holder

	at         atomic.Uint64 // the resident keeper's name; 0: not resident, or idle
	idle       atomic.Bool   // the hand has passed; written under resident.mu
	listed     bool          // under resident.mu, as what follows
	next, prev *Lock
}

// promote makes the lock resident if there is room, or another has to go. The lock is
// not held by the caller; others may hold it in the meantime, by either path.
func (l *Lock) promote() {
	r := &resident
	r.mu.Lock()
	defer r.mu.Unlock()
	if l.home.at.Load() != 0 || !l.twin.Load() {
		return
	}
	if l.home.listed { // idle, and used again
		l.home.idle.Store(false)
		l.home.at.Store(r.name)
		return
	}
	if !r.start() {
		l.twin.Store(false)
		return
	}
	// A node that is on the list already is that of another handle to the
	// same memory; twice on the list it would close a circle.
	twin := l.twinNode()
	if r.nodes[twin] || r.count >= maxResidents && !r.evict() {
		return
	}
	if r.pages[pageOf(twin)] == 0 && !unprotect(twin) {
		l.twin.Store(false)
		return
	}
	r.nodes[twin] = true
	r.pages[pageOf(twin)]++
	l.home.listed = true
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
	if l.home.listed {
		l.home.at.Store(0)
		r.remove(l)
	}
}

// evict gives the place of a lock back that was idle for a whole round of the hand. mu is
// held.
func (r *residents) evict() bool {
	for range clockSteps {
		l := r.hand
		if l == nil {
			l = r.last
		}
		r.hand = l.home.next
		switch {
		case l.home.at.Load() != 0:
			l.home.idle.Store(true) // first: who finds no short way asks why
			l.home.at.Store(0)
		case atomic.LoadUint64(&l.n.word)&^flags == r.name: // held in the short way, since the hand was here
		default:
			r.remove(l)
			if twin := l.twinNode(); r.pages[pageOf(twin)] == 0 {
				protect(twin)
			}
			return true
		}
	}
	return false
}

// remove takes a lock off the list that has no short way any more. mu is held.
func (r *residents) remove(l *Lock) {
	twin := l.twinNode()
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
	failpoint.Hit("resident.removed")
	if r.hand == l {
		r.hand = l.home.next
	}
	l.home.next, l.home.prev, l.home.listed = nil, nil, false
	l.home.idle.Store(false)
	r.count--
	delete(r.nodes, twin)
	if r.pages[pageOf(twin)]--; r.pages[pageOf(twin)] == 0 {
		delete(r.pages, pageOf(twin))
	}
}

// pageOf is the page of an address.
func pageOf(p *uint64) uintptr { return uintptr(unsafe.Pointer(p)) &^ (uintptr(pageSize) - 1) }

var pageSize = os.Getpagesize()

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
	if l.home.at.Load() == 0 && l.tooLate(name|bits) {
		return false
	}
	raceTaken()
	l.owned = true
	failpoint.Hit("lock.taken")
	return true
}

// tooLate gives back a word that was taken in the short way when that was no more. It
// reports false if somebody waits for it already: then it stays taken, and whoever dies
// with it is found by those who wait. It calls nothing, or the short way would need a
// frame, for a nanosecond. Nobody has to be woken: the caller tries again, in the
// long way, and with the same bits.
func (l *Lock) tooLate(word uint64) bool {
	failpoint.Hit("resident.late")
	return atomic.CompareAndSwapUint64(&l.n.word, word, 0)
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
	if !atomic.CompareAndSwapUint64(&l.n.word, resident.name, 0) { // home.at may be 0 by now
		l.owned = true
		return false
	}
	failpoint.Hit("unlock.released")
	return true
}
