package ledger

import (
	"context"
	"fmt"
	"sync/atomic"
	"unsafe"

	"multiproc/internal/failpoint"
	"multiproc/internal/mperr"
	"multiproc/internal/robust"
	"multiproc/internal/table"
)

// Cond is this process's handle to a line of those who wait for a signal. Its memory:
//
//	   0  lock     for the lock of the one whose line it is; not touched here
//	  64  ticket   uint64, the last that was given out
//	  72  high     uint32, a waiter beyond all that were used since there was none
//	3968  waiters  16 bytes each
//	 1 MiB later
//	      bells    of each process a cache line with the event on which it sleeps
//
// A waiter is one goroutine. Its word is 0, or its ticket and how it stands: waits, or
// signalled. A signal goes to the living one with the lowest ticket, by one
// compare-and-swap, and then that process's bell is rung, and no other's. So there are no
// groups of waiters and no signal is stolen, which is all the difficulty of a condition
// variable that may be signalled without its lock: here the caller has the lock, by
// contract, and tickets are given out under it.
//
// Nothing else needs the lock. Whoever finds a dead waiter takes it out, and passes on
// the signal that it had and has not used: first the signal, then the waiter, so that a
// death in between leaves a signal too many, and none too few. Since no ticket comes
// twice, a compare-and-swap never hits the next one in the same place.
type Cond struct {
	family Family
	m      *cond
	bell   robust.Event
	crowd  robust.Crowd // of bell
	sweeps
}

type cond struct {
	_       [64]byte
	ticket  uint64
	high    uint32
	_       [accountsAt - 76]byte
	waiters [maxWaiters]waiting
	bells   [slots]bell
}

type waiting struct {
	word      uint64 // 0, or ticket<<ticketShift and one of the below
	slot, gen uint32 // written before word
}

type bell struct {
	event [robust.EventSize]byte
	_     [64 - robust.EventSize]byte
}

const (
	waits       = 1
	signalled   = 2
	ticketShift = 2

	// maxWaiters is how many goroutines, in all processes, can wait at a time.
	maxWaiters = 1 << 16
)

// CondSize is how many bytes the line takes, most of which are never touched.
const CondSize = int64(unsafe.Sizeof(cond{}))

// Attach makes c a handle to the memory of a line. All zero memory is one where
// nobody waits.
func (c *Cond) Attach(p unsafe.Pointer, f Family) {
	c.family, c.m = f, (*cond)(p)
	c.bell.Init(unsafe.Pointer(&c.m.bells[f.Self().Slot]))
	c.crowd.Init(&c.bell)
	c.begin()
}

// Abort makes those who wait through this handle give up with ErrClosed, now and
// later.
func (c *Cond) Abort() { c.bell.Abort() }

// Waiter is one who stands in the line.
type Waiter struct {
	w    *waiting
	word uint64 // as long as it waits
}

// Join takes a place at the end of the line. The lock is held. Cost: a look at each
// waiter.
func (c *Cond) Join() (Waiter, error) {
	c.look()
	c.trim()
	i := uint32(0)
	for high := c.m.high; i < high && atomic.LoadUint64(&c.m.waiters[i].word) != 0; i++ {
	}
	if i >= maxWaiters {
		return Waiter{}, fmt.Errorf("%d wait already: %w", maxWaiters, mperr.ErrLimit)
	}
	self := c.family.Self()
	c.m.ticket++
	w := Waiter{&c.m.waiters[i], c.m.ticket<<ticketShift | waits}
	atomic.StoreUint32(&w.w.slot, self.Slot)
	atomic.StoreUint32(&w.w.gen, self.Gen)
	failpoint.Hit("cond.ticket")
	if i >= c.m.high {
		atomic.StoreUint32(&c.m.high, i+1)
		failpoint.Hit("cond.high")
	}
	atomic.StoreUint64(&w.w.word, w.word)
	failpoint.Hit("cond.joined")
	return w, nil
}

// Wait returns when the waiter is signalled. The lock is not held.
func (c *Cond) Wait(ctx context.Context, w Waiter) error {
	if spin(w.signalled) {
		failpoint.Hit("cond.waking")
		return nil
	}
	err := c.crowd.Wait(ctx, func() bool {
		if w.signalled() {
			return true
		}
		if c.refresh() || !c.fresh() {
			c.look()
		}
		return w.signalled()
	})
	failpoint.Hit("cond.waking")
	return err
}

func (w Waiter) signalled() bool { return atomic.LoadUint64(&w.w.word) != w.word }

// Leave ends a wait, whatever came of it, and reports whether the waiter was
// signalled. The lock is held.
func (c *Cond) Leave(w Waiter) (was bool) {
	was = !atomic.CompareAndSwapUint64(&w.w.word, w.word, 0)
	if was {
		atomic.StoreUint64(&w.w.word, 0)
	}
	failpoint.Hit("cond.left")
	c.trim()
	return was
}

// Abandon is Leave for one who does not get the lock: a signal goes to the next.
func (c *Cond) Abandon(w Waiter) {
	if !atomic.CompareAndSwapUint64(&w.w.word, w.word, 0) {
		c.pass(w.w, w.word^waits|signalled)
	}
}

// pass gives the signal of a waiter that does not use it to the next.
func (c *Cond) pass(w *waiting, word uint64) {
	c.signal()
	failpoint.Hit("cond.passed")
	atomic.CompareAndSwapUint64(&w.word, word, 0)
}

// Signal lets the first in line go on. The lock is held. Cost: a look at each waiter,
// and a system call if its process sleeps.
func (c *Cond) Signal() {
	c.look()
	c.signal()
}

func (c *Cond) signal() {
	for {
		first, lowest := (*waiting)(nil), uint64(0)
		for i := range c.high() {
			w := &c.m.waiters[i]
			word := atomic.LoadUint64(&w.word)
			if word&waits != 0 && (first == nil || word < lowest) && c.alive(w, word) {
				first, lowest = w, word
			}
		}
		if first == nil {
			return
		}
		slot := atomic.LoadUint32(&first.slot)
		if atomic.CompareAndSwapUint64(&first.word, lowest, lowest^waits|signalled) {
			failpoint.Hit("cond.signalled")
			c.ring(slot)
			return
		}
	}
}

// Broadcast lets all go on who stand in the line. The lock is held.
func (c *Cond) Broadcast() {
	c.look()
	var processes [slots / 64]uint64
	for i := range c.high() {
		w := &c.m.waiters[i]
		word := atomic.LoadUint64(&w.word)
		if slot := atomic.LoadUint32(&w.slot) % slots; word&waits != 0 && atomic.CompareAndSwapUint64(&w.word, word, word^waits|signalled) {
			failpoint.Hit("cond.all")
			processes[slot/64] |= 1 << (slot % 64)
		}
	}
	for slot := range uint32(slots) {
		if processes[slot/64]&(1<<(slot%64)) != 0 {
			c.ring(slot)
		}
	}
}

// ring wakes a process that sleeps: all its threads, for each stands for others.
func (c *Cond) ring(slot uint32) {
	if slot == c.family.Self().Slot {
		c.bell.NotifyAll()
		return
	}
	var e robust.Event
	e.Init(unsafe.Pointer(&c.m.bells[slot%slots]))
	e.NotifyAll()
}

// look takes the dead out, if there may be any.
func (c *Cond) look() {
	if !c.due(false) {
		return
	}
	for i := range c.high() {
		w := &c.m.waiters[i]
		if word := atomic.LoadUint64(&w.word); word != 0 {
			c.alive(w, word)
		}
	}
}

// alive reports whether a waiter lives, and takes it out if not.
func (c *Cond) alive(w *waiting, word uint64) bool {
	who := table.Ref{Slot: atomic.LoadUint32(&w.slot), Gen: atomic.LoadUint32(&w.gen)}
	if atomic.LoadUint64(&w.word) != word || who.Slot < slots && c.family.Live(who) {
		return true // or another by now: whoever signals it will see
	}
	if word&signalled == 0 {
		atomic.CompareAndSwapUint64(&w.word, word, 0)
		failpoint.Hit("cond.swept")
		return false
	}
	c.pass(w, word)
	return false
}

// high is how many waiters are to be looked at.
func (c *Cond) high() uint32 { return min(atomic.LoadUint32(&c.m.high), maxWaiters) }

// trim makes high as low as it can be. The lock is held.
func (c *Cond) trim() {
	high := c.high()
	for high > 0 && atomic.LoadUint64(&c.m.waiters[high-1].word) == 0 {
		high--
	}
	if high != c.m.high {
		atomic.StoreUint32(&c.m.high, high)
	}
}

// Waiting is how many goroutines stand in the line.
func (c *Cond) Waiting() (n int) {
	for i := range c.high() {
		if atomic.LoadUint64(&c.m.waiters[i].word) != 0 {
			n++
		}
	}
	return n
}
