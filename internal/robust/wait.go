package robust

import (
	"context"
	"sync/atomic"
	"time"

	"multiproc/internal/fence"
	"multiproc/internal/futex"
	"multiproc/internal/mperr"
	"multiproc/internal/pin"
)

// # Who gets a lock
//
// A lock that is given back is free: whoever comes first has it, and that is
// usually a thread that runs and not the one that is just being woken. That is
// fast, and unfair: of two processes that hold a lock in turn, one would be
// overtaken hundreds of times. So a waiter that has slept, has waited for
// starving, and finds the lock held again sets handOver in the word. From then
// on the lock, when it is given back, is reserved: the word is handOver alone,
// which only those take who have slept for the lock (the kernel wakes them in
// their order), and everybody else waits. This goes on until somebody takes it
// who has waited for less, or nobody sleeps any more.
//
// A reservation is no property of anybody, so nothing is lost with a waiter
// that dies, or that is woken and does not get a processor: those who wait
// meanwhile have slept themselves after firstRecheck/20 (5 ms), and then it
// counts for them as well.
//
// # Who waits
//
// One goroutine a handle, the leader of its gate, sleeps in the kernel, and it
// goes on leading while it holds the lock, until it has given it back. It could
// not give the lead away before: until it has the lock it needs it, and from
// then on it may be pinned.

// starving is the time after which a waiter that is overtaken asks for the lock
// to be handed over. Holders of less are so fast that to wake somebody for each
// turn would cost more than it is worth.
const starving = time.Millisecond

// spinLock is how many rounds of spinPauses pauses a contender spins before
// it sleeps: about 4 µs, the length of some 50 critical sections.
const (
	spinLock   = 16
	spinPauses = 10
)

// wait is Hold for a lock that is not free.
func (l *Lock) wait(ctx context.Context) (died bool, err error) {
	admit()
	t := attempting{}
	begin := time.Now()
	for range spinLock {
		if got, died, err := l.attempt(&t, nil); got || err != nil {
			return died, err
		}
		fence.Pause(spinPauses)
	}
	if err := l.gate.lead(ctx); err != nil {
		return false, err
	}
	s := newSleep()
	l.gate.adopt(s)
	if ctx.Done() != nil {
		s.stop = context.AfterFunc(ctx, s.wake)
	}
	died, err = l.contend(ctx, s, begin)
	if err != nil {
		l.gate.resign(s)
	}
	return died, err
}

// attempt is one attempt. If it gets the lock the caller is pinned, and leads
// the gate with s.
func (l *Lock) attempt(t *attempting, s *sleep) (got, died bool, err error) {
	pin.On()
	a := l.take(*t)
	if a == taken || a == inherited {
		if s != nil {
			l.lead.Store(s)
		}
		return true, a == inherited, nil
	}
	pin.Off()
	return false, false, l.prepare(a, &t.gone)
}

// contend is the leader's part of wait.
func (l *Lock) contend(ctx context.Context, s *sleep, begin time.Time) (died bool, err error) {
	t := attempting{}
	death := deathWord.Load()
	var heard uint32
	if death != nil {
		heard = atomic.LoadUint32(death)
	}
	// The owner may have died before this wait began, and the family have heard
	// of it by then.
	if word := atomic.LoadUint64(&l.n.word); word&futex.TIDMask != 0 && nobody(word) {
		l.reclaim(word)
	}
	for {
		if got, died, err := l.attempt(&t, s); got || err != nil {
			return died, err
		}
		if atomic.SwapUint32(&s.cancel, 0) != 0 {
			if ctx.Err() != nil {
				return false, mperr.Ended(ctx)
			}
			if l.gate.isClosed() {
				return false, mperr.ErrClosed
			}
		}
		waited := time.Since(begin)
		if t.slept && waited >= starving {
			t.bits = flags
		}
		if !l.announce(s, t) {
			continue
		}
		if l.doze(ctx, s, death, &heard, waited) {
			l.reclaim(atomic.LoadUint64(&l.n.word))
		}
		t.slept, t.bits = true, t.bits|futex.Waiters
	}
}

// announce leaves in the word that somebody sleeps, without which the kernel
// and Free wake nobody, and in s what to sleep on. It reports false if there is
// nothing to sleep for.
func (l *Lock) announce(s *sleep, t attempting) bool {
	old := atomic.LoadUint64(&l.n.word)
	want := old | futex.Waiters
	switch t.judge(old) {
	case busy:
		want |= t.bits
	case reserved:
	default:
		return false
	}
	if want != old && !atomic.CompareAndSwapUint64(&l.n.word, old, want) {
		return false
	}
	s.word = futex.Word{Addr: l.n.futexAddr(), Old: uint32(want)}
	return true
}

// doze is one sleep of the leader. It reports whether the word is not to be
// trusted: the sleep was long, or somebody has died.
//
// A wake-up may have gone to a process that does not get a processor. So the
// leader looks again by itself after 5 ms, and later after an eighth of the time
// that it has waited: that costs little, and nobody waits much longer than he
// must.
func (l *Lock) doze(ctx context.Context, s *sleep, death, heard *uint32, waited time.Duration) (suspect bool) {
	begin := time.Now()
	// The word does not tell whether the sleeper was woken: it may hold the same
	// value again.
	if l.gate.brief.wait(ctx, s, func(s *sleep) bool { return !s.ranOut }) {
		return false
	}
	words := append(make([]futex.Word, 0, 3), s.word, futex.Word{Addr: &s.cancel})
	if death != nil {
		words = append(words, futex.Word{Addr: death, Old: *heard})
	}
	pause := min(max(firstRecheck/20, waited/8), maxRecheck)
	suspect = futex.Wait(pause, words...) != nil
	l.gate.brief.slept(time.Since(begin))
	if death != nil {
		if now := atomic.LoadUint32(death); now != *heard {
			*heard, suspect = now, true
		}
	}
	return suspect
}

// wakeOne wakes one of those who sleep. If none does, the lock is reserved for
// nobody.
func (l *Lock) wakeOne() {
	for futex.WakePinned(l.n.futexAddr(), 1) == 0 {
		w := &l.n.word
		if atomic.CompareAndSwapUint64(w, handOver, 0) || !atomic.CompareAndSwapUint64(w, flags, 0) {
			return
		}
		// Somebody was about to sleep for the reserved lock, and may do so now.
	}
}
