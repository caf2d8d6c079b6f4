package robust

import (
	"runtime"
	"sync"
	"sync/atomic"
	"unsafe"

	"multiproc/internal/fence"
	"multiproc/internal/pin"
)

// maxHeld is how many locks one keeper holds at most. The kernel stops its
// walk after ROBUST_LIST_LIMIT (2048) entries, to be safe against cycles.
const maxHeld = 1500

// head is struct robust_list_head (linux/futex.h). It is never on a stack:
// the kernel reads it by its address when the thread exits.
type head struct {
	first   uint64 // address of the first node, or of the head itself
	offset  int64  // from a node to its lock word
	pending uint64 // the node whose word is being taken or released right now
}

// keeper is one thread that owns locks on behalf of the process.
//
// The list and the pending slot belong to the thread, so all that change them
// take spin first. It is held for some ten instructions, by goroutines that are
// pinned, so a spin lock is enough.
type keeper struct {
	spin
	held int    // under spin
	name uint64 // what the word of a held lock says: process and thread id
	head head
	last *Lock // the most recently taken, first in the list; under spin
}

var (
	keeperMu sync.Mutex
	current  atomic.Pointer[keeper] // the keeper that takes new locks
	all      []*keeper              // under keeperMu; keeps them reachable
	names    []uint64               // under keeperMu: of all owner threads, the resident keeper's too
)

// Start makes the keeper thread, unless there is one. Every function of this
// package calls it when needed; calling it early shows a platform's refusal
// early. Cost: one thread, some 50 µs.
func Start() error {
	if current.Load() != nil {
		return nil
	}
	return anotherKeeper()
}

// anotherKeeper replaces the current keeper if there is none or it is full: by
// an old one that has room again, else by a new one.
func anotherKeeper() error {
	keeperMu.Lock()
	defer keeperMu.Unlock()
	if k := current.Load(); k != nil && k.count() < maxHeld {
		return nil
	}
	for _, k := range all {
		if k.count() <= maxHeld/2 {
			current.Store(k)
			return nil
		}
	}
	k := &keeper{}
	var err error
	if k.name, err = ownerThread(&k.head, int64(unsafe.Offsetof(node{}.word))); err != nil {
		return err
	}
	all = append(all, k)
	current.Store(k)
	return nil
}

// ownerThread starts a thread that lives as long as the process and on whose
// robust list, at h, locks can hang whose word is offset bytes behind their
// node. It returns what the word of a held lock says: process and thread id.
// keeperMu is held.
func ownerThread(h *head, offset int64) (name uint64, err error) {
	h.first, h.offset = uint64(uintptr(unsafe.Pointer(h))), offset
	ready := make(chan ownerStarted)
	go own(h, ready)
	s := <-ready
	if s.err == nil {
		names = append(names, s.name)
	}
	return s.name, s.err
}

type ownerStarted struct {
	name uint64
	err  error
}

// own is the life of an owner thread.
func own(h *head, ready chan<- ownerStarted) {
	// Locked for life: the thread must not end before the process.
	runtime.LockOSThread()
	if onMainThread() {
		// The main thread's id stays taken until the process is reaped, so
		// threadGone could not tell its end. While this goroutine holds it,
		// the next one gets another.
		next := make(chan ownerStarted)
		go own(h, next)
		ready <- <-next
		runtime.UnlockOSThread()
		return
	}
	name, err := registerList(h)
	ready <- ownerStarted{name, err}
	if err == nil {
		select {}
	}
}

func (k *keeper) count() int {
	pin.On()
	k.lock()
	held := k.held
	k.unlock()
	pin.Off()
	return held
}

// begin announces that the node's word is about to change hands. From here to
// end the kernel looks at this one word although it is not on the list. The
// swap of the word that follows has release order: it is not seen before this.
func (k *keeper) begin(n *node) {
	fence.StoreRelease64(&k.head.pending, uint64(uintptr(unsafe.Pointer(n))))
}

func (k *keeper) end() { fence.StoreRelease64(&k.head.pending, 0) }

// push puts l, whose word was just taken, in front of the list. A death
// before the store to first finds the node through pending.
func (k *keeper) push(l *Lock) {
	l.keeper, l.next, l.prev = k, k.last, nil
	fence.StoreRelease64(&l.n.next, k.head.first)
	if k.last != nil {
		k.last.prev = l
	}
	k.last = l
	k.held++
	fence.StoreRelease64(&k.head.first, uint64(uintptr(unsafe.Pointer(l.n))))
}

// remove takes l off the list; its word is still held. A death right after
// finds the node through pending.
//
// The links are set from this process's own memory, not from the shared node:
// another process's stray store must not spread over the list.
func (k *keeper) remove(l *Lock) {
	following := uint64(uintptr(unsafe.Pointer(&k.head)))
	if l.next != nil {
		following = uint64(uintptr(unsafe.Pointer(l.next.n)))
		l.next.prev = l.prev
	}
	if l.prev != nil {
		l.prev.next = l.next
		fence.StoreRelease64(&l.prev.n.next, following)
	} else {
		k.last = l.next
		fence.StoreRelease64(&k.head.first, following)
	}
	l.next, l.prev, l.keeper = nil, nil, nil
	k.held--
}
