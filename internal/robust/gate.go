package robust

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"multiproc/internal/futex"
	"multiproc/internal/mperr"
)

// gate lets any number of goroutines of this process wait on one shared word
// with one thread. The first to come is the leader and sleeps in the kernel;
// the others queue behind it as parked goroutines, in order. Whoever leaves
// the lead, for any reason, hands it to the next, who looks at the condition
// before it sleeps: so nothing that changed meanwhile is missed.
type gate struct {
	mu      sync.Mutex
	leader  *sleep
	waiting []*follower
	closed  bool
	brief   brief // the leader's
}

type follower struct {
	turn chan struct{} // capacity 1: filled by whoever hands on the lead, or closes the gate
	shut bool          // the gate was closed; written before turn is filled
}

// sleep is the leader's state between two looks at the condition.
type sleep struct {
	word    futex.Word // what to sleep on; set by the condition
	suspect bool       // slept for long, or somebody died: do not trust the word
	ranOut  bool       // the last part of a brief sleep was not ended by anybody
	cancel  uint32     // set and woken to end the sleep from inside this process

	stop func() bool // ends the watch over the context of a Lock
}

// sleeps keeps sleep values off the stack: the kernel is handed the address of
// cancel as a number, so the value must never move.
var sleeps = sync.Pool{New: func() any { return new(sleep) }}

// newSleep takes one from the pool. cancel is cleared by an atomic store: a
// late wake of the last user may come at the same moment.
func newSleep() *sleep {
	s := sleeps.Get().(*sleep)
	s.word, s.suspect, s.stop = futex.Word{}, false, nil
	atomic.StoreUint32(&s.cancel, 0)
	return s
}

// The bounded re-check: the last net under a lost wake-up. It grows, so that
// an idle program uses no CPU.
var (
	firstRecheck = 100 * time.Millisecond
	maxRecheck   = 6400 * time.Millisecond
)

// SetRecheck changes the pauses of the bounded re-check, before anybody
// waits. Tests take the net away with it, so that a lost wake-up is a hang.
func SetRecheck(first, longest time.Duration) { firstRecheck, maxRecheck = first, longest }

// OnRescue names what is called when a wait that has just looked again, because
// the re-check told it to, finds what nobody has woken it for. Storms count with
// it how often the net was needed.
func OnRescue(f func()) { rescue.Store(&f) }

var rescue atomic.Pointer[func()]

func rescued() {
	if f := rescue.Load(); f != nil {
		(*f)()
	}
}

// SetAudit names what those who have waited for long call before they look
// again: it mends words that say of the dead that they live.
func SetAudit(f func()) { audit.Store(&f) }

var audit atomic.Pointer[func()]

// deathWord changes whenever a process of the family dies uncleanly.
var deathWord atomic.Pointer[uint32]

// Deaths is the death word: who keeps accounts looks through them when it has
// changed.
func Deaths() uint32 {
	if w := deathWord.Load(); w != nil {
		return atomic.LoadUint32(w)
	}
	return 0
}

// SetDeathWord names the word that every sleeper of this process also sleeps
// on. It must stay mapped for the life of the process.
func SetDeathWord(w *uint32) {
	old := deathWord.Swap(w)
	if old == w || futex.Several() {
		return
	}
	if old != nil {
		futex.Wake(old, 1<<30) // its spread
	}
	go spread(w, atomic.LoadUint32(w))
}

// spreading is how many goroutines do that.
var spreading atomic.Int32

// spread tells the sleepers of this process of every change of the death word,
// where their threads cannot sleep on it beside another: one thread does for
// all.
func spread(w *uint32, known uint32) {
	spreading.Add(1)
	defer spreading.Add(-1)
	for deathWord.Load() == w {
		if err := futex.Wait(0, futex.Word{Addr: w, Old: known}); err != nil || deathWord.Load() != w {
			return
		}
		known = atomic.LoadUint32(w) // who sleeps from here on knows it too
		futex.Kick(w)
	}
}

// wait calls ready until it returns true, and sleeps on the word that ready
// has left in the sleep in between. ready is called by one goroutine of the
// gate at a time. An error means that ready's last answer was false.
func (g *gate) wait(ctx context.Context, ready func(*sleep) bool) error {
	admit()
	if err := g.lead(ctx); err != nil {
		return err
	}
	s := newSleep()
	g.adopt(s)
	err := s.run(ctx, g, ready)
	g.resign(s)
	return err
}

// adopt makes s the sleep of the leader, who calls it.
func (g *gate) adopt(s *sleep) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.leader = s
	if g.closed {
		atomic.StoreUint32(&s.cancel, 1)
	}
}

// resign ends the leader's part, or that of whoever has got the lead from it
// with s, and hands it on.
func (g *gate) resign(s *sleep) {
	s.forget()
	g.mu.Lock()
	g.leader = nil
	g.handOn()
	g.mu.Unlock()
	sleeps.Put(s)
}

// forget ends the watch over the context.
func (s *sleep) forget() {
	if s.stop != nil {
		s.stop()
		s.stop = nil
	}
}

// lead waits until the caller is the leader.
func (g *gate) lead(ctx context.Context) error {
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		return mperr.ErrClosed
	}
	if g.leader == nil && len(g.waiting) == 0 {
		g.leader = claimed
		g.mu.Unlock()
		return nil
	}
	f := &follower{turn: make(chan struct{}, 1)}
	g.waiting = append(g.waiting, f)
	g.mu.Unlock()

	select {
	case <-f.turn:
		if f.shut {
			return mperr.ErrClosed
		}
		return nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if f.shut {
		return mperr.Ended(ctx)
	}
	for i, w := range g.waiting {
		if w == f {
			g.waiting = append(g.waiting[:i], g.waiting[i+1:]...)
			return mperr.Ended(ctx)
		}
	}
	// The lead was handed over in the same moment: pass it on.
	g.leader = nil
	g.handOn()
	return mperr.Ended(ctx)
}

// claimed stands for a leader that has not yet set up its sleep.
var claimed = new(sleep)

// handOn gives the lead to the first in the queue. The caller holds mu and
// has cleared leader.
func (g *gate) handOn() {
	if len(g.waiting) == 0 {
		return
	}
	f := g.waiting[0]
	g.waiting = g.waiting[1:]
	g.leader = claimed
	f.turn <- struct{}{}
}

func (s *sleep) run(ctx context.Context, g *gate, ready func(*sleep) bool) error {
	death := deathWord.Load()
	var known uint32
	if death != nil {
		known = atomic.LoadUint32(death)
	}
	// Whoever should change the word may have died before this wait began, and
	// the family have heard of it by then.
	s.suspect = true
	if ready(s) {
		return nil
	}
	s.suspect = false
	begin := time.Now()
	if g.brief.wait(ctx, s, ready) {
		return nil
	}
	defer func() { g.brief.slept(time.Since(begin)) }()
	if ctx.Done() != nil {
		// A callback that already runs when stop is called touches only
		// s.cancel. The pool may have handed s out again by then: a stray
		// wake-up, which the loop below tells from a real one.
		defer context.AfterFunc(ctx, s.wake)()
	}
	words := make([]futex.Word, 2, 3)
	if death != nil {
		words = words[:3]
	}
	ranOut := false
	for pause := firstRecheck; ; {
		// Every word is read before the condition is looked at, and slept on
		// with that value: what happens in between ends the sleep.
		if death != nil {
			now := atomic.LoadUint32(death)
			s.suspect, ranOut = s.suspect || now != known, ranOut && now == known
			known = now
			words[2] = futex.Word{Addr: death, Old: now}
		}
		if ready(s) {
			if ranOut {
				rescued()
			}
			return nil
		}
		if atomic.SwapUint32(&s.cancel, 0) != 0 {
			if ctx.Err() != nil {
				return mperr.Ended(ctx)
			}
			if g.isClosed() {
				return mperr.ErrClosed
			}
		}
		words[0], words[1] = s.word, futex.Word{Addr: &s.cancel}
		var err error
		if ranOut, err = sleepOn(words, &pause); err != nil {
			return err
		}
		s.suspect = ranOut
		if f := audit.Load(); ranOut && f != nil {
			(*f)()
		}
	}
}

func (s *sleep) wake() {
	atomic.StoreUint32(&s.cancel, 1)
	futex.Wake(&s.cancel, 1)
}

func (g *gate) isClosed() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.closed
}

// close makes every wait, now and later, return ErrClosed unless its
// condition already holds.
func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	if g.leader != nil && g.leader != claimed {
		g.leader.wake()
	}
	// The leader may have the lock, and for long.
	for _, f := range g.waiting {
		f.shut = true
		f.turn <- struct{}{}
	}
	g.waiting = nil
}
