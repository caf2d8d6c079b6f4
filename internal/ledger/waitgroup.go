package ledger

import (
	"context"
	"fmt"
	"math"
	"os"
	"sync/atomic"
	"unsafe"

	"multiproc/internal/failpoint"
	"multiproc/internal/fence"
	"multiproc/internal/mperr"
	"multiproc/internal/robust"
	"multiproc/internal/table"
)

// WaitGroup is this process's handle to a count of what is still to be done. Its memory:
//
//	   0  lock     robust
//	  16  event    of those who wait
//	  24  round    uint64, how often the count came to 0, twice, and 1 while it is not 0
//	  32  count    int64, the sum of the accounts
//	  40  ticket   uint64, the last that was given out
//	  48  high     uint32, a slot beyond all that were ever used
//	  56  journal  of a part of the count that passes from one process to another
//	  88  losses   of which rounds a part was lost, each where its round has its place in a
//	               ring
//	3968  accounts of the processes
//
// The accounts and the losses are the truth. count is a total, and whether round is odd
// follows from it. All zero memory is a wait group with nothing to do.
//
// An account is what its process has to do: what it has added, or taken over, and
// nobody has done. Done is the process's own, or else the oldest: so a parent may add for
// its children. The account of a dead process is lost: that is noted for the round,
// and then the account is set to 0. Nobody waits for it, and all who wait for the round are
// told.
type WaitGroup struct {
	family Family
	lock   robust.Lock
	event  robust.Event
	crowd  robust.Crowd
	m      *waitGroup
	sweeps
}

type waitGroup struct {
	_       [robust.LockSize + robust.EventSize]byte
	round   uint64
	count   int64
	ticket  uint64
	high    uint32
	_       uint32
	journal passing
	losses  [maxLosses]loss
	_       [accountsAt - 88 - 16*maxLosses]byte
	account [slots]share
}

// maxLosses is the size of that ring. One who has slept through so many rounds is not
// told of the loss in his own.
const maxLosses = 128

// passing is what two accounts are to be, if from is not 0: its slot and 1.
type passing struct {
	fromOwes, toOwes int64
	ticket           uint64 // of to's account
	from, to         uint32
}

// loss says that a part of a round was lost: round is its number, 0 none.
type loss struct {
	round uint64
	pid   uint32 // of the first process that was
	_     uint32
}

// share is what a process has to do. gen is the process's own, and 1, as in account.
// ticket says since when it has something to do.
type share struct {
	owes   int64
	ticket uint64
	gen    uint32
	pid    uint32
}

// WaitGroupSize is how many bytes a wait group takes, most of which are never touched.
const WaitGroupSize = int64(unsafe.Sizeof(waitGroup{}))

// MaxCount is how much there may be to do.
const MaxCount = math.MaxInt64 / 4

// Attach makes w a handle to the memory of a wait group.
func (w *WaitGroup) Attach(p unsafe.Pointer, f Family) {
	w.family, w.m = f, (*waitGroup)(p)
	w.lock.Init(p)
	w.lock.AllowResident()
	w.event.Init(unsafe.Add(p, robust.LockSize))
	w.crowd.Init(&w.event)
	w.begin()
}

// Detach is called before the memory is unmapped.
func (w *WaitGroup) Detach() { w.lock.Detach() }

// Abort makes those who wait through this handle give up with ErrClosed, now and later.
func (w *WaitGroup) Abort() { w.event.Abort() }

// Add adds n, which may be negative: then so much is done.
func (w *WaitGroup) Add(ctx context.Context, n int64) error {
	refused, count := false, int64(0)
	err := w.step(ctx, func() (wake bool) {
		count = w.m.count
		switch refused = n < -count || n > MaxCount-count; {
		case refused:
		case n > 0:
			wake = w.add(n)
		default:
			wake = w.done(-n)
		}
		return wake
	})
	if err == nil && refused {
		err = fmt.Errorf("its count is %d, and cannot become %d more: %w", count, n, mperr.ErrValue)
	}
	return err
}

// Take makes one of what others have to do this process's own. If all of it is that
// already it does nothing.
func (w *WaitGroup) Take(ctx context.Context) error {
	refused := false
	err := w.step(ctx, func() (wake bool) {
		if refused = w.m.count == 0; refused {
			return false
		}
		self := w.family.Self()
		wake = w.open(self)
		if from := w.oldest(self.Slot); from != slots {
			w.pass(from, self.Slot)
		}
		return wake
	})
	if err == nil && refused {
		err = errNothing
	}
	return err
}

var errNothing = fmt.Errorf("its count is 0: %w", mperr.ErrValue)

// Lose is Add of -1 for a process that has died before it could say so.
func (w *WaitGroup) Lose(ctx context.Context, pid int) error {
	refused := false
	err := w.step(ctx, func() (wake bool) {
		if refused = w.m.count == 0; refused {
			return false
		}
		w.note(uint32(pid))
		return w.done(1)
	})
	if err == nil && refused {
		err = errNothing
	}
	return err
}

// Count is how much there is to do.
func (w *WaitGroup) Count(ctx context.Context) (n int64, err error) {
	err = w.step(ctx, func() bool { n = w.m.count; return false })
	return n, err
}

// Owes is how much of it this process has to do.
func (w *WaitGroup) Owes(ctx context.Context) (n int64, err error) {
	err = w.step(ctx, func() bool { n = w.own(); return false })
	return n, err
}

// Wait waits until there is nothing to do. died says that a part of it was lost, and
// pid with whom.
func (w *WaitGroup) Wait(ctx context.Context) (died bool, pid int, err error) {
	var round uint64
	if err := w.step(ctx, func() bool { round = w.m.round; return false }); err != nil {
		return false, 0, err
	}
	if round&open == 0 { // nothing to do since the last round
		died, pid = w.lost(round - open)
		return died, pid, nil
	}
	over := func() bool { return w.over(ctx, round) }
	for i := 0; i < spins && !over(); i++ {
		fence.Pause(spinPauses)
	}
	if err := w.crowd.Wait(ctx, over); err != nil {
		return false, 0, err
	}
	died, pid = w.lost(round)
	return died, pid, nil
}

// open is the bit of round that says that there is something to do.
const open = 1

// over reports whether a round has ended. If somebody has died it looks whether he had
// a part in it.
func (w *WaitGroup) over(ctx context.Context, round uint64) bool {
	if atomic.LoadUint64(&w.m.round) != round {
		return true
	}
	if !w.refresh() && w.fresh() {
		return false
	}
	_ = w.step(ctx, func() bool { return false })
	return atomic.LoadUint64(&w.m.round) != round
}

// loss is where it is noted that a part of a round was lost.
func (w *WaitGroup) loss(round uint64) *loss { return &w.m.losses[round/2%maxLosses] }

// lost reports whether a part of a round was.
func (w *WaitGroup) lost(round uint64) (is bool, pid int) {
	l := w.loss(round)
	return atomic.LoadUint64(&l.round) == round, int(atomic.LoadUint32(&l.pid))
}

// step calls f, which does not allocate, with the lock held and the accounts of the dead
// closed. It wakes those who wait if f says so, or if there is news for them.
func (w *WaitGroup) step(ctx context.Context, f func() (wake bool)) error {
	died, err := w.lock.Hold(ctx)
	if err != nil {
		return err
	}
	if died {
		w.mend()
	}
	wake := died
	if w.due(died) {
		wake = w.sweep() || wake
	}
	wake = f() || wake
	w.lock.Free().Do()
	if wake {
		w.event.NotifyAll()
	}
	return nil
}

// mend does what the last holder of the lock died over. The lock is held.
func (w *WaitGroup) mend() {
	m := w.m
	if m.journal.from != 0 {
		w.redo()
	}
	count := int64(0)
	for i := range min(m.high, slots) {
		count += m.account[i].owes
	}
	atomic.StoreInt64(&m.count, count)
	w.turn()
	failpoint.Hit("waitgroup.mended")
}

// turn makes round say what follows from the count, and reports whether that ends a
// round. The lock is held.
func (w *WaitGroup) turn() (ended bool) {
	if round := w.m.round; (round&open != 0) != (w.m.count != 0) {
		atomic.StoreUint64(&w.m.round, round+1)
		failpoint.Hit("waitgroup.turned")
		return round&open != 0
	}
	return false
}

// sweep closes the accounts of the dead, and reports whether that ends a round. The lock
// is held.
func (w *WaitGroup) sweep() (ended bool) {
	for i := range min(w.m.high, slots) {
		if a := &w.m.account[i]; a.owes != 0 && !w.family.Live(table.Ref{Slot: i, Gen: a.gen - 1}) {
			ended = w.lose(i) || ended
		}
	}
	return ended
}

// lose closes an account that nobody settles any more. The lock is held.
func (w *WaitGroup) lose(slot uint32) (ended bool) {
	a := &w.m.account[slot]
	w.note(a.pid)
	w.owe(slot, -a.owes)
	return w.turn()
}

// note notes that a part of the round is lost. The lock is held, and the round open.
func (w *WaitGroup) note(pid uint32) {
	l := w.loss(w.m.round)
	if l.round == w.m.round {
		return
	}
	atomic.StoreUint32(&l.pid, pid)
	failpoint.Hit("waitgroup.noting")
	atomic.StoreUint64(&l.round, w.m.round)
	failpoint.Hit("waitgroup.noted")
}

// add adds n to what this process has to do. The lock is held.
func (w *WaitGroup) add(n int64) (ended bool) {
	self := w.family.Self()
	ended = w.open(self)
	w.owe(self.Slot, n)
	return w.turn() || ended
}

// done takes n off, which is there, and reports whether that ends a round. The lock is
// held.
func (w *WaitGroup) done(n int64) (ended bool) {
	self := w.family.Self()
	ended = w.open(self)
	for slot := self.Slot; n > 0 && slot != slots; slot = w.oldest(slots) {
		if k := min(n, w.m.account[slot].owes); k > 0 {
			w.owe(slot, -k)
			n -= k
		}
	}
	return w.turn() || ended
}

// own is what this process has to do. The lock is held.
func (w *WaitGroup) own() int64 {
	self := w.family.Self()
	if a := &w.m.account[self.Slot]; a.gen == self.Gen+1 {
		return a.owes
	}
	return 0
}

// open sees to it that this process has an account, and reports whether that ends a
// round. The lock is held.
func (w *WaitGroup) open(self table.Ref) (ended bool) {
	if w.m.high <= self.Slot {
		atomic.StoreUint32(&w.m.high, self.Slot+1)
		failpoint.Hit("waitgroup.high")
	}
	a := &w.m.account[self.Slot]
	if a.gen == self.Gen+1 {
		return false
	}
	if a.owes != 0 { // that of one before it, who is dead
		ended = w.lose(self.Slot)
	}
	// Nobody's account owes anything, so its names do not count.
	atomic.StoreUint32(&a.pid, uint32(os.Getpid()))
	atomic.StoreUint32(&a.gen, self.Gen+1)
	failpoint.Hit("waitgroup.opened")
	return ended
}

// owe makes an account owe n more. The lock is held.
func (w *WaitGroup) owe(slot uint32, n int64) {
	a := &w.m.account[slot]
	if a.owes == 0 {
		w.m.ticket++
		a.ticket = w.m.ticket
	}
	atomic.StoreInt64(&a.owes, a.owes+n)
	failpoint.Hit("waitgroup.owed")
	atomic.StoreInt64(&w.m.count, w.m.count+n)
	failpoint.Hit("waitgroup.counted")
}

// pass makes one of what from has to do to's. The lock is held.
func (w *WaitGroup) pass(from, to uint32) {
	m := w.m
	j := &m.journal
	if j.ticket = m.account[to].ticket; m.account[to].owes == 0 {
		m.ticket++
		j.ticket = m.ticket
	}
	j.fromOwes, j.toOwes, j.to = m.account[from].owes-1, m.account[to].owes+1, to
	failpoint.Hit("waitgroup.next")
	atomic.StoreUint32(&j.from, from+1) // from here on it is done, by whomever
	failpoint.Hit("waitgroup.passing")
	w.redo()
}

// redo does what the journal says, which may be done twice. The lock is held.
func (w *WaitGroup) redo() {
	j := &w.m.journal
	if j.from <= slots && j.to < slots { // or somebody has written there
		atomic.StoreInt64(&w.m.account[j.from-1].owes, j.fromOwes)
		failpoint.Hit("waitgroup.passed.from")
		w.m.account[j.to].ticket = j.ticket
		atomic.StoreInt64(&w.m.account[j.to].owes, j.toOwes)
		failpoint.Hit("waitgroup.passed.to")
	}
	atomic.StoreUint32(&j.from, 0)
	failpoint.Hit("waitgroup.passed")
}

// oldest is the slot of who has had something to do for the longest time, other than but,
// or slots. The lock is held.
func (w *WaitGroup) oldest(but uint32) uint32 {
	oldest := uint32(slots)
	for i := range min(w.m.high, slots) {
		if a := &w.m.account[i]; i != but && a.owes > 0 && (oldest == slots || a.ticket < w.m.account[oldest].ticket) {
			oldest = i
		}
	}
	return oldest
}
