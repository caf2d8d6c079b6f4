package ledger

import (
	"context"
	"fmt"
	"math"
	"sync/atomic"
	"unsafe"

	"multiproc/internal/failpoint"
	"multiproc/internal/mperr"
	"multiproc/internal/robust"
	"multiproc/internal/shm"
	"multiproc/internal/table"
)

// Semaphore is this process's handle to a number of permits. Its memory:
//
//	   0  lock     robust
//	  16  event    of those who wait
//	  24  base     int64, how many permits more than at first there would be if nobody
//	               owed any
//	  32  free     int64, how many more can be had: base less all accounts
//	  40  owed     int64, the sum of the accounts
//	  48  ticket   uint64, the last that was given out
//	  56  waiting  uint32, how many processes stand in the line
//	  60  high     uint32, a slot beyond all that were ever used
//	  64  journal  of a debt that passes from one process to another
//	3968  accounts and places in the line, one of each for a slot
//
// base and the accounts are the truth; free, owed and waiting are totals. All zero
// memory is a semaphore that has all the permits that it had at first: how many is not
// written here.
//
// Whose are the permits that are out? A semaphore that guards something is acquired and
// released by the same process, and gets its permits back if that dies. One that
// signals is acquired by one and released by another: nobody owes its permits. Both
// are served by this, as in a manager: an account is what its process owes; all of them
// together owe as many as there were at first, at most, the latest; and a release pays
// the debt of the process that releases, or else the oldest. The account of a dead
// process is set to 0, by one store, and with it what it had is back.
//
// Who has to wait stands in a line of processes, for as many permits as the first
// of its goroutines wants. The first in line gets them as soon as there are enough,
// and nobody before it: so who wants many does not starve.
type Semaphore struct {
	family Family
	lock   robust.Lock
	event  robust.Event
	m      *semaphore
	at1st  int64
	door   *door         // to this process's place in the line
	closed chan struct{} // by Abort
	sweeps
}

type semaphore struct {
	_       [robust.LockSize + robust.EventSize]byte
	base    int64
	free    int64
	owed    int64
	ticket  uint64
	waiting uint32
	high    uint32
	journal journal
	_       [accountsAt - 64 - 40]byte
	account [slots]account
	line    [slots]place
}

// journal is what base and two accounts are to be, if from is not 0: its slot and 1.
type journal struct {
	base, fromOwes, toOwes int64
	ticket                 uint64
	from, to               uint32
}

// account is what a process owes. gen is the process's own, and 1: 0 is nobody's, and
// another's a dead one's. ticket says since when it owes something.
type account struct {
	owes   int64
	ticket uint64
	gen    uint32
	_      uint32
}

// place is where a process stands in the line, if its gen, as in account, is not 0.
type place struct {
	ticket uint64
	gen    uint32
	wants  uint32
}

// SemaphoreSize is how many bytes a semaphore takes, most of which are never
// touched.
const SemaphoreSize = int64(unsafe.Sizeof(semaphore{}))

// MaxPermits is how many a semaphore has at first, and a call is about, at most.
const MaxPermits = math.MaxInt32

// Attach makes s a handle to the memory of a semaphore of that id, which had so many
// permits at first.
func (s *Semaphore) Attach(p unsafe.Pointer, permits int, id shm.ID, f Family) {
	s.door = doorOf(id)
	s.family, s.m, s.at1st = f, (*semaphore)(p), int64(permits)
	s.lock.Init(p)
	s.lock.AllowResident()
	s.event.Init(unsafe.Add(p, robust.LockSize))
	s.closed = make(chan struct{})
	s.begin()
}

// Detach is called before the memory is unmapped.
func (s *Semaphore) Detach() {
	s.lock.Detach()
	s.door.leave()
}

// Abort makes those who wait through this handle give up with ErrClosed, now and
// later. It is called once.
func (s *Semaphore) Abort() {
	close(s.closed)
	s.event.Abort()
}

// Acquire takes n permits, waiting for its turn and for them.
func (s *Semaphore) Acquire(ctx context.Context, n int) error {
	ok, err := s.TryAcquire(ctx, n)
	if ok || err != nil {
		return err
	}
	over := spin(func() bool {
		if atomic.LoadUint32(&s.m.waiting) == 0 && s.at1st+atomic.LoadInt64(&s.m.free) >= int64(n) {
			ok, err = s.TryAcquire(ctx, n)
		}
		return ok || err != nil
	})
	if over {
		return err
	}
	if err := s.door.enter(ctx, s.closed); err != nil {
		return err
	}
	defer s.door.exit()
	w := waiter{s: s, n: n}
	err = s.event.Wait(ctx, func() bool { return w.turn(ctx) })
	if err == nil {
		err = w.err
	}
	if w.stands && err != nil {
		_ = s.step(context.Background(), w.leave)
	}
	return err
}

// waiter is one who waits to acquire.
type waiter struct {
	s      *Semaphore
	n      int
	stands bool // this process has a place in the line for it
	err    error
}

// turn takes the permits if it is the waiter's turn and there are enough, and
// otherwise sees to it that it has a place. It reports whether the wait is over.
func (w *waiter) turn(ctx context.Context) (got bool) {
	w.s.refresh()
	w.err = w.s.step(ctx, func() (wake bool) {
		m := w.s.m
		mine := w.s.place()
		if gen := w.s.family.Self().Gen + 1; !w.stands {
			counted := mine.gen == gen // one that could not be left
			// The place is no place until gen is stored.
			mine.wants = uint32(w.n)
			m.ticket++
			mine.ticket = m.ticket
			failpoint.Hit("semaphore.ticket")
			atomic.StoreUint32(&mine.gen, gen)
			failpoint.Hit("semaphore.place")
			if !counted {
				atomic.AddUint32(&m.waiting, 1)
			}
			w.stands = true
		}
		if !w.s.has(w.n) || w.s.first() != mine {
			return false
		}
		w.s.take(int64(w.n))
		w.leave()
		got = true
		return m.waiting > 0 && w.s.has(1)
	})
	return got || w.err != nil
}

// leave gives the place up, and has the others look. The lock is held.
func (w *waiter) leave() (wake bool) {
	atomic.StoreUint32(&w.s.place().gen, 0)
	failpoint.Hit("semaphore.left")
	atomic.AddUint32(&w.s.m.waiting, ^uint32(0))
	w.stands = false
	return true
}

// TryAcquire takes n permits if they are to be had at once, and nobody waits for
// any.
func (s *Semaphore) TryAcquire(ctx context.Context, n int) (ok bool, err error) {
	for {
		err = s.step(ctx, func() bool {
			if ok = s.m.waiting == 0 && s.has(n); ok {
				s.take(int64(n))
			}
			return false
		})
		if ok || err != nil || !s.refresh() {
			return ok, err
		}
	}
}

// Release gives n permits back, or adds them. bounded makes it an error that there
// are more than at first.
func (s *Semaphore) Release(ctx context.Context, n int, bounded bool) error {
	most := int64(math.MaxInt64 / 2)
	if bounded {
		most = 0
	}
	refused, free := false, int64(0)
	err := s.step(ctx, func() bool {
		free = s.m.free
		if refused = free > most-int64(n); !refused {
			s.give(int64(n))
		}
		return s.m.waiting > 0
	})
	if err == nil && refused {
		return fmt.Errorf("it has %d permits, and cannot have %d more: %w", s.at1st+free, n, mperr.ErrValue)
	}
	return err
}

// Waiting is how many processes stand in the line.
func (s *Semaphore) Waiting() int { return int(atomic.LoadUint32(&s.m.waiting)) }

// step calls f, which does not allocate, with the lock held and the accounts of the
// dead closed, and wakes those who wait if f says so, or if there is news for them.
func (s *Semaphore) step(ctx context.Context, f func() (wake bool)) error {
	died, err := s.lock.Hold(ctx)
	if err != nil {
		return err
	}
	if died {
		s.mend()
	}
	wake := s.due(died) && s.sweep()
	wake = f() || wake
	s.lock.Free().Do()
	if wake {
		s.event.NotifyAll()
	}
	return nil
}

// mend does what the last holder of the lock died over. The lock is held.
func (s *Semaphore) mend() {
	if s.m.journal.from != 0 {
		s.redo()
	}
	s.count()
	failpoint.Hit("semaphore.mended")
}

// count makes the totals anew. The lock is held.
func (s *Semaphore) count() {
	m := s.m
	owed, waiting := int64(0), uint32(0)
	for i := range min(m.high, slots) {
		owed += m.account[i].owes
		if m.line[i].gen != 0 {
			waiting++
		}
	}
	atomic.StoreInt64(&m.owed, owed)
	atomic.StoreInt64(&m.free, m.base-owed)
	atomic.StoreUint32(&m.waiting, waiting)
}

// sweep closes the accounts of the dead, and takes them out of the line. It reports
// whether there was any. The lock is held.
func (s *Semaphore) sweep() (found bool) {
	m := s.m
	for i := range min(m.high, slots) {
		if a := &m.account[i]; a.owes != 0 && !s.family.Live(table.Ref{Slot: i, Gen: a.gen - 1}) {
			s.owe(i, -a.owes)
			failpoint.Hit("semaphore.closed")
			found = true
		}
		if p := &m.line[i]; p.gen != 0 && !s.family.Live(table.Ref{Slot: i, Gen: p.gen - 1}) {
			atomic.StoreUint32(&p.gen, 0)
			failpoint.Hit("semaphore.swept")
			atomic.AddUint32(&m.waiting, ^uint32(0))
			found = true
		}
	}
	return found
}

// has reports whether n permits are there. The lock is held.
func (s *Semaphore) has(n int) bool { return s.at1st+s.m.free >= int64(n) }

// take takes n permits, which are there, for this process: it owes them, as far as that
// many were there at first. The lock is held.
func (s *Semaphore) take(n int64) {
	self := s.family.Self()
	s.open(self)
	if over := n - s.at1st; over > 0 { // signals
		s.add(-over)
		n = s.at1st
	}
	own := &s.m.account[self.Slot]
	// As much is owed as there were at first, at most: the oldest is forgiven. Each turn
	// but the last is through with one process.
	old := own.owes
	for over := s.m.owed + n - s.at1st; over > 0 && n > 0; {
		k := over
		switch from := s.oldest(); {
		case from == self.Slot && old > 0: // it is forgiven, and owed anew
			k = min(over, old)
			if s.add(-k); k == old {
				s.m.ticket++
				own.ticket = s.m.ticket
			}
			old -= k
		case from == self.Slot || from == slots: // or somebody has written there
			s.add(-k)
		default:
			k = min(over, s.m.account[from].owes)
			s.pass(from, self.Slot, k)
		}
		over -= k
		n -= k
	}
	if n > 0 {
		s.owe(self.Slot, n)
	}
}

// give gives n permits. The lock is held.
func (s *Semaphore) give(n int64) {
	self := s.family.Self()
	s.open(self)
	for slot := self.Slot; n > 0; slot = s.oldest() {
		if slot == slots {
			s.add(n)
			return
		}
		if k := min(n, s.m.account[slot].owes); k > 0 {
			s.owe(slot, -k)
			n -= k
		}
	}
}

// open sees to it that this process has an account. The lock is held.
func (s *Semaphore) open(self table.Ref) {
	s.use(self.Slot)
	a := &s.m.account[self.Slot]
	if a.gen == self.Gen+1 {
		return
	}
	if a.owes != 0 { // that of one before it, who is dead
		s.owe(self.Slot, -a.owes)
	}
	atomic.StoreUint32(&a.gen, self.Gen+1)
	failpoint.Hit("semaphore.opened")
}

// owe makes an account owe n more. The lock is held.
func (s *Semaphore) owe(slot uint32, n int64) {
	a := &s.m.account[slot]
	if a.owes == 0 {
		s.m.ticket++
		a.ticket = s.m.ticket
	}
	atomic.StoreInt64(&a.owes, a.owes+n)
	failpoint.Hit("semaphore.taken")
	atomic.StoreInt64(&s.m.owed, s.m.owed+n)
	atomic.StoreInt64(&s.m.free, s.m.free-n)
	failpoint.Hit("semaphore.counted")
}

// add adds n permits that nobody owes, or takes some. The lock is held.
func (s *Semaphore) add(n int64) {
	atomic.StoreInt64(&s.m.base, s.m.base+n)
	failpoint.Hit("semaphore.based")
	atomic.StoreInt64(&s.m.free, s.m.free+n)
	failpoint.Hit("semaphore.added")
}

// pass takes n permits, for which to owes what from has owed. The lock is held.
func (s *Semaphore) pass(from, to uint32, n int64) {
	m := s.m
	j := &m.journal
	if j.ticket = m.account[to].ticket; m.account[to].owes == 0 {
		m.ticket++
		j.ticket = m.ticket
	}
	j.base, j.fromOwes, j.toOwes, j.to = m.base-n, m.account[from].owes-n, m.account[to].owes+n, to
	failpoint.Hit("semaphore.next")
	atomic.StoreUint32(&j.from, from+1) // from here on it is done, by whomever
	failpoint.Hit("semaphore.passing")
	s.redo()
	s.count()
}

// redo does what the journal says, which may be done twice. The lock is held.
func (s *Semaphore) redo() {
	j := &s.m.journal
	if j.from <= slots && j.to < slots { // or somebody has written there
		atomic.StoreInt64(&s.m.base, j.base)
		failpoint.Hit("semaphore.passed.base")
		atomic.StoreInt64(&s.m.account[j.from-1].owes, j.fromOwes)
		failpoint.Hit("semaphore.passed.from")
		s.m.account[j.to].ticket = j.ticket
		atomic.StoreInt64(&s.m.account[j.to].owes, j.toOwes)
		failpoint.Hit("semaphore.passed.to")
	}
	atomic.StoreUint32(&j.from, 0)
	failpoint.Hit("semaphore.passed")
}

// oldest is the slot of who owes something for the longest time, or slots. The lock
// is held.
func (s *Semaphore) oldest() uint32 {
	oldest := uint32(slots)
	for i := range min(s.m.high, slots) {
		if a := &s.m.account[i]; a.owes > 0 && (oldest == slots || a.ticket < s.m.account[oldest].ticket) {
			oldest = i
		}
	}
	return oldest
}

// use sees to it that a slot is looked at by who looks through all. The lock is held.
func (s *Semaphore) use(slot uint32) {
	if s.m.high <= slot {
		atomic.StoreUint32(&s.m.high, slot+1)
		failpoint.Hit("semaphore.high")
	}
}

// place is this process's. The lock is held.
func (s *Semaphore) place() *place {
	self := s.family.Self()
	s.use(self.Slot)
	return &s.m.line[self.Slot]
}

// first is the place at the head of the line. The lock is held.
func (s *Semaphore) first() *place {
	var first *place
	for i := range min(s.m.high, slots) {
		if p := &s.m.line[i]; p.gen != 0 && (first == nil || p.ticket < first.ticket) {
			first = p
		}
	}
	return first
}
