package robust

import (
	"context"
	"sync/atomic"
	"unsafe"

	"multiproc/internal/failpoint"
	"multiproc/internal/futex"
	"multiproc/internal/pin"
)

// EventSize is how many bytes an event takes in shared memory; it is aligned
// to 8.
const EventSize = 8

// Event is this process's handle to a word in shared memory by which those
// who wait for a condition hear of its change (an "eventcount"). The
// condition itself lives in other words.
//
//	waiter                       changer
//	count++, remember seq        store the change
//	look at the condition        (full fence)
//	sleep while seq is the same  count > 0: seq++, wake
//	count--
//
// With nobody waiting the changer pays one load. The word:
//
//	bits  0..31  seq    what waiters sleep on
//	bits 32..47  count  processes that sleep, or are about to
//	bits 48..62  wipe   how often count was set to 0 by a changer
//	bit  63      woken  one waiter was woken and has not yet looked
//
// woken keeps a burst of changes from waking everybody for what the first to
// wake will find alone: whoever wakes clears the bit, looks, and if more is
// there than it took it notifies the next.
//
// A waiter that is killed leaves its count behind. A changer that then wakes
// nobody although count > 0 sets count to 0 and advances seq: a waiter that
// was still on its way to sleep finds seq changed and counts itself again;
// wipe tells it that its old count is gone.
type Event struct {
	w    *uint64
	gate gate
}

const (
	countOne  = 1 << 32
	countMask = 0xffff << 32
	wipeShift = 48
	wipeOne   = 1 << wipeShift
	wipeMask  = 0x7fff << wipeShift
	wokenBit  = 1 << 63
	seqMask   = 1<<32 - 1
)

// Init attaches the handle to EventSize bytes of shared memory, all zero at
// first.
func (e *Event) Init(p unsafe.Pointer) { e.w = (*uint64)(p) }

// seqAddr is the low half of the word; the package supports little-endian
// machines only (shm refuses others).
func (e *Event) seqAddr() *uint32 { return (*uint32)(unsafe.Pointer(e.w)) }

// Wait sleeps until cond is true. cond is called by one goroutine of this
// process at a time, may be called often, and must not block. After an error
// (the context's, or ErrClosed after Abort) its last answer was false. A
// waiter that takes less than there is calls Notify for the next one.
func (e *Event) Wait(ctx context.Context, cond func() bool) error {
	var key uint64
	counted := false
	err := e.gate.wait(ctx, func(s *sleep) bool {
		if counted {
			e.leave(key)
			counted = false
		}
		if cond() {
			return true
		}
		key, counted = e.Enter(), true
		failpoint.Hit("event.entered")
		if cond() {
			return true
		}
		s.word = e.word(key)
		return false
	})
	if counted {
		e.leave(key)
	}
	return err
}

// Enter counts the caller as a waiter and returns the key for Word and Leave.
func (e *Event) Enter() uint64 { return atomic.AddUint64(e.w, countOne) }

// enterFresh is Enter for who sleeps after one look at the condition: it clears
// woken, which may be the mark of one that was woken and died before it looked.
// The newcomer would sleep through every change. (Wait looks twice, and leaves
// in between.)
func (e *Event) enterFresh() uint64 {
	for {
		old := atomic.LoadUint64(e.w)
		v := (old + countOne) &^ wokenBit
		if atomic.CompareAndSwapUint64(e.w, old, v) {
			return v
		}
	}
}

// Word is what to sleep on after Enter.
func (e *Event) Word(key uint64) futex.Word { return e.word(key) }

// Leave undoes Enter.
func (e *Event) Leave(key uint64) { e.leave(key) }

func (e *Event) word(key uint64) futex.Word {
	return futex.Word{Addr: e.seqAddr(), Old: uint32(key & seqMask)}
}

// leave gives back the count of Enter and clears woken: the caller is about
// to look at the condition, so it may have been the one who was woken. To
// clear it for another costs one needless wake-up.
func (e *Event) leave(key uint64) {
	for {
		old := atomic.LoadUint64(e.w)
		v := old &^ wokenBit
		if old&wipeMask == key&wipeMask && old&countMask != 0 {
			v -= countOne
		}
		if atomic.CompareAndSwapUint64(e.w, old, v) {
			return
		}
	}
}

// Notify wakes one waiter, unless none waits or one is already on its way.
// The change must be stored before, with a full fence in between (a swap or a
// CAS; on arm64 a release store is enough, as the load here is an acquire).
// Cost: one load when nobody waits, else one system call.
func (e *Event) Notify() {
	if atomic.LoadUint64(e.w)&countMask != 0 {
		e.notify(1)
	}
}

// NotifyAll wakes all waiters.
func (e *Event) NotifyAll() {
	if atomic.LoadUint64(e.w)&countMask != 0 {
		e.notify(1 << 30)
	}
}

// Waiting reports whether somebody waits, or died waiting.
func (e *Event) Waiting() bool { return atomic.LoadUint64(e.w)&countMask != 0 }

func (e *Event) notify(n int) {
	var v uint64
	for {
		old := atomic.LoadUint64(e.w)
		if old&countMask == 0 || (old&wokenBit != 0 && n == 1) {
			return
		}
		v = (old &^ seqMask) | (old+1)&seqMask | wokenBit
		if atomic.CompareAndSwapUint64(e.w, old, v) {
			break
		}
	}
	failpoint.Hit("event.bumped")
	if futex.WakePinned(e.seqAddr(), n) == 0 {
		e.clean(v)
		return
	}
	wakes[pin.Processor()%len(wakes)].recent.Store(true)
}

// wakes notes for each processor of the scheduler that who runs there has woken
// somebody. Each has a cache line.
var wakes [64]struct {
	recent atomic.Bool
	_      [63]byte
}

// WokeSomebody reports whether a Notify on the caller's processor, most likely by
// the caller, has woken a sleeper since WokeSomebody was last called there.
func WokeSomebody() bool {
	w := &wakes[pin.Processor()%len(wakes)].recent
	return w.Load() && w.Swap(false)
}

// clean is for a changer that has left v in the word and then woken nobody:
// those on their way to sleep have an older seq and will not sleep; the rest
// of the count is of the dead.
func (e *Event) clean(v uint64) {
	wiped := (v+1)&seqMask | (v+wipeOne)&wipeMask
	if !atomic.CompareAndSwapUint64(e.w, v, wiped) {
		// Somebody came or went since. Leave the count to the next change,
		// but not woken: if all that were counted are dead, nobody else
		// clears it, and the newcomer would sleep through every change.
		atomic.AndUint64(e.w, ^uint64(wokenBit))
	}
}

// Abort makes all goroutines of this process that wait give up with
// ErrClosed, now and later.
func (e *Event) Abort() { e.gate.close() }
