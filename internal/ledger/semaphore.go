package ledger

import (
	"context"
	"fmt"
	"math"
	"sync/atomic"
	"unsafe"

	"multiproc/internal/failpoint"
	"multiproc/internal/fence"
	"multiproc/internal/mperr"
	"multiproc/internal/robust"
	"multiproc/internal/shm"
	"multiproc/internal/table"
)

// Semaphore is this process's handle to a number of permits. Its memory:
//
//	   0  lock     robust
//	  16  event    of those who wait
//	  24  base     int64, how many more permits there would be than at first if no
//	               process lived
//	  32  free     int64, how many more can be had than at first: base less all accounts
//	  40  waiting  uint32, how many processes stand in the line
//	  44  high     uint32, a slot beyond all that were ever used
//	  48  ticket   uint64, the last that was given out
//	  56  next     int64, journal: base without the account of a dead process
//	  64  retired  uint32, journal: slot of that account, and 1; 0 for none
//	3968  accounts and places in the line, one of each for a slot
//
// base and the accounts are the truth; free and waiting are totals of them. All zero
// memory is a semaphore that has all the permits that it had at first: how many is
// not written here.
//
// An account is what its process has taken less what it has given, and negative for
// one that only gives: in a semaphore of signals. When the process is dead what it
// had comes back, but never so much that there are more than at first, and what it
// gave stays: both is a new base, and no account.
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
	deaths atomic.Uint32 // robust.Deaths when the accounts were looked through last
}

type semaphore struct {
	_       [robust.LockSize + robust.EventSize]byte
	base    int64
	free    int64
	waiting uint32
	high    uint32
	ticket  uint64
	next    int64
	retired uint32
	_       [accountsAt - 68]byte
	account [slots]account
	line    [slots]place
}

// account is what a process has. gen is the process's own, and 1: 0 is nobody's, and
// another's a dead one's.
type account struct {
	has int64
	gen uint32
	_   uint32
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

// MaxPermits is how many a semaphore has at first, at most.
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
	s.deaths.Store(robust.Deaths() - 1) // somebody may have died before
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

// spins is how often who waits looks before it sleeps: for some microseconds.
const (
	spins      = 64
	spinPauses = 4
)

// Acquire takes n permits, waiting for its turn and for them.
func (s *Semaphore) Acquire(ctx context.Context, n int) error {
	ok, err := s.TryAcquire(ctx, n)
	if ok || err != nil {
		return err
	}
	for range spins {
		fence.Pause(spinPauses)
		if atomic.LoadUint32(&s.m.waiting) == 0 && s.at1st+atomic.LoadInt64(&s.m.free) >= int64(n) {
			if ok, err := s.TryAcquire(ctx, n); ok || err != nil {
				return err
			}
		}
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
	w.err = w.s.step(ctx, func() (wake bool) {
		m := w.s.m
		mine := w.s.place()
		if !w.stands {
			// The place is no place until gen is stored.
			mine.wants = uint32(w.n)
			m.ticket++
			mine.ticket = m.ticket
			failpoint.Hit("semaphore.ticket")
			atomic.StoreUint32(&mine.gen, w.s.family.Self().Gen+1)
			failpoint.Hit("semaphore.place")
			atomic.AddUint32(&m.waiting, 1)
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
	err = s.step(ctx, func() bool {
		if ok = s.m.waiting == 0 && s.has(n); ok {
			s.take(int64(n))
		}
		return false
	})
	return ok, err
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
			s.take(-int64(n))
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
	wake := false
	if now := robust.Deaths(); died || s.deaths.Load() != now {
		s.deaths.Store(now)
		wake = s.sweep()
	}
	wake = f() || wake
	s.lock.Free().Do()
	if wake {
		s.event.NotifyAll()
	}
	return nil
}

// mend does what the last holder of the lock died over. The lock is held.
func (s *Semaphore) mend() {
	m := s.m
	if m.retired != 0 {
		s.retire()
	}
	free, waiting := m.base, uint32(0)
	for i := range min(m.high, slots) {
		free -= m.account[i].has
		if m.line[i].gen != 0 {
			waiting++
		}
	}
	atomic.StoreInt64(&m.free, free)
	atomic.StoreUint32(&m.waiting, waiting)
	failpoint.Hit("semaphore.mended")
}

// sweep closes the accounts of the dead, and takes them out of the line. It reports
// whether there was any. The lock is held.
func (s *Semaphore) sweep() (found bool) {
	m := s.m
	for i := range min(m.high, slots) {
		if a := &m.account[i]; a.has != 0 && !s.family.Live(table.Ref{Slot: i, Gen: a.gen - 1}) {
			s.closeAccount(i)
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

// closeAccount makes an account of a dead process a part of base: what the process
// had comes back, up to the number at first, and what it gave stays. The lock is held.
func (s *Semaphore) closeAccount(slot uint32) {
	m := s.m
	has := m.account[slot].has
	m.next = m.base - has
	if has > 0 {
		m.next += min(has, max(-m.free, 0))
	}
	failpoint.Hit("semaphore.next")
	atomic.StoreUint32(&m.retired, slot+1) // from here on it is done, by whomever
	failpoint.Hit("semaphore.retired")
	s.retire()
	free := m.base
	for i := range min(m.high, slots) {
		free -= m.account[i].has
	}
	atomic.StoreInt64(&m.free, free)
}

// retire does what the journal says, which may be done twice. The lock is held.
func (s *Semaphore) retire() {
	m := s.m
	if m.retired > slots { // somebody has written there
		atomic.StoreUint32(&m.retired, 0)
		return
	}
	atomic.StoreInt64(&m.base, m.next)
	failpoint.Hit("semaphore.based")
	atomic.StoreInt64(&m.account[m.retired-1].has, 0)
	failpoint.Hit("semaphore.closed")
	atomic.StoreUint32(&m.retired, 0)
	failpoint.Hit("semaphore.done")
}

// has reports whether n permits are there. The lock is held.
func (s *Semaphore) has(n int) bool { return s.at1st+s.m.free >= int64(n) }

// take puts n more permits on this process's account. The lock is held, and the
// accounts of the dead are closed.
func (s *Semaphore) take(n int64) {
	self := s.family.Self()
	a := &s.m.account[self.Slot]
	if a.gen != self.Gen+1 { // of one before it, who is dead: closed, has is 0
		if a.has != 0 {
			s.closeAccount(self.Slot)
		}
		atomic.StoreUint32(&a.gen, self.Gen+1)
		failpoint.Hit("semaphore.opened")
	}
	s.use(self.Slot)
	atomic.StoreInt64(&a.has, a.has+n)
	failpoint.Hit("semaphore.taken")
	atomic.StoreInt64(&s.m.free, s.m.free-n)
	failpoint.Hit("semaphore.counted")
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
