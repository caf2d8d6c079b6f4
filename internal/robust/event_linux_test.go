package robust

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"multiproc/internal/childtest"
	"multiproc/internal/fence"
	"multiproc/internal/mperr"
)

func init() { roles["take"] = childTake }

// Words of the tests of events: 8 the event of those who take, 16 the event
// of the one who gives, 24 how much there is, 25 how much was taken.
const (
	evTake, evGive, available, accepted = 8, 16, 24, 25
)

// take takes one unit if there is any.
func take(m *memory) bool {
	for {
		n := m.load(available)
		if n == 0 {
			return false
		}
		if atomic.CompareAndSwapUint64(m.word(available), n, n-1) {
			return true
		}
	}
}

// childTake takes for ever.
func childTake(c *childtest.Self) {
	childNoNet()
	m := childMemory(c)
	m.useDeathWord()
	more, done := m.event(evTake), m.event(evGive)
	c.Say("ready")
	for {
		c.Check(more.Wait(context.Background(), func() bool { return take(m) }))
		if m.load(available) > 0 {
			more.Notify()
		} else {
			done.Notify()
		}
		m.add(accepted, 1)
	}
}

// One gives, processes take, and a killer kills those at any instant: with
// the re-check taken away, a lost wake-up is a hang.
func TestEventKilledWaiters(t *testing.T) {
	noNet(t)
	m := newMemory(t)
	m.useDeathWord()
	t.Cleanup(func() { deathWord.Store(nil) })
	const takers, rounds = 3, 6000
	var kids [takers]*childtest.Child
	for i := range kids {
		kids[i] = childtest.Start(t, m.files(), "take")
		kids[i].Expect("ready")
	}
	more, done := m.event(evTake), m.event(evGive)
	ctx := patient(t)
	rnd := rand.New(rand.NewPCG(1, 2))
	given := uint64(0)
	for round := range rounds {
		n := 1 + rnd.IntN(4)
		for range n { // in steps, so that some find takers on their way to sleep
			m.add(available, 1)
			more.Notify()
		}
		given += uint64(n)
		if round%60 == 0 {
			fence.Pause(uint32(rnd.IntN(400)))
			i := rnd.IntN(takers)
			kids[i].Kill()
			m.died()
			kids[i] = childtest.Start(t, m.files(), "take")
		}
		if err := done.Wait(ctx, func() bool { return m.load(available) == 0 }); err != nil {
			t.Fatalf("round %d: %d left, take event %#x, give event %#x: %v", round, m.load(available), m.load(evTake), m.load(evGive), err)
		}
	}
	for _, c := range kids {
		c.Kill()
	}
	if lost := given - m.load(accepted); lost > rounds/60 {
		t.Errorf("%d given, %d accepted, more than the kills explain", given, m.load(accepted))
	}
	// All are dead, and the last may have been killed on its way from a wake-up,
	// which a newcomer takes note of. Then the first change finds out that all are
	// dead, and pays no more.
	more.Leave(more.Enter())
	more.Notify()
	more.Notify()
	if more.Waiting() {
		t.Errorf("the dead are still counted: %#x", m.load(evTake))
	}
}

// The dead leave a count behind; a newcomer that comes between a changer's
// wake and its clean-up must not be left with the mark of one on its way.
func TestEventStaleWokenBit(t *testing.T) {
	m := newMemory(t)
	e := m.event(8)
	e.Enter() // dead
	v := m.load(8) + 1 | wokenBit
	m.store(8, v)    // the changer has bumped and woken nobody
	key := e.Enter() // the newcomer
	e.clean(v)
	if m.load(8)&wokenBit != 0 {
		t.Fatalf("%#x: the newcomer would sleep through every Notify", m.load(8))
	}
	e.Leave(key)
	if m.load(8)>>32 != 1 {
		t.Errorf("%#x", m.load(8))
	}
}

// One that was woken and killed before it looked has left its mark. Whoever waits
// for several events is woken all the same.
func TestWaitAnyAfterTheWoken(t *testing.T) {
	noNet(t)
	m := newMemory(t)
	e, other := m.event(8), m.event(9)
	e.Enter()                        // dead
	m.store(8, m.load(8)+1|wokenBit) // the changer that has woken it
	ctx := patient(t)
	came := make(chan error, 1)
	looked := make(chan struct{}, 1)
	var ready atomic.Bool
	go func() {
		came <- WaitAny(ctx, []*Event{other, e}, func() bool {
			select {
			case looked <- struct{}{}:
			default:
			}
			return ready.Load()
		})
	}()
	<-looked // it is counted, or looks once more when it is
	ready.Store(true)
	e.Notify()
	if err := <-came; err != nil || ctx.Err() != nil {
		t.Errorf("nobody woke it: %v", err)
	}
}

// Many goroutines of one process wait at two handles: every Notify chain
// reaches all that there is something for.
func TestEventChain(t *testing.T) {
	noNet(t)
	m := newMemory(t)
	handles := []*Event{m.event(evTake), m.event(evTake)}
	ctx := patient(t)
	var wg sync.WaitGroup
	const workers, each = 10, 500
	for i := range workers {
		wg.Go(func() {
			e := handles[i%2]
			for range each {
				if err := e.Wait(ctx, func() bool { return take(m) }); err != nil {
					t.Error(err)
					return
				}
				if m.load(available) > 0 {
					e.Notify()
				}
			}
		})
	}
	for i := 0; i < workers*each; {
		n := min(1+i%7, workers*each-i)
		m.add(available, n) // many at once, one Notify
		handles[i%2].Notify()
		i += n
		runtime.Gosched()
	}
	wg.Wait()
	if m.load(available) != 0 || handles[0].Waiting() {
		t.Errorf("%d left, event %#x", m.load(available), m.load(evTake))
	}
}

func TestEventCancelAndAbort(t *testing.T) {
	noNet(t)
	m := newMemory(t)
	e, other := m.event(8), m.event(8)
	never := func() bool { return false }
	errs := make(chan error, 3)
	ctx, cancel := context.WithCancel(context.Background())
	for range 3 {
		go func() { errs <- e.Wait(ctx, never) }()
	}
	waiters(t, &e.gate, 3)
	cancel()
	for range 3 {
		if err := <-errs; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
	for range 3 {
		go func() { errs <- e.Wait(context.Background(), never) }()
	}
	waiters(t, &e.gate, 3)
	e.Abort()
	for range 3 {
		if err := <-errs; !errors.Is(err, mperr.ErrClosed) {
			t.Error(err)
		}
	}
	if e.Waiting() {
		t.Errorf("a count was left behind: %#x", m.load(8))
	}
	// A condition that holds needs no waiting, whatever the context says.
	if err := other.Wait(ctx, func() bool { return true }); err != nil {
		t.Error(err)
	}
	if err := other.Wait(ctx, never); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestEventNotifyAll(t *testing.T) {
	noNet(t)
	m := newMemory(t)
	var flag atomic.Bool
	var wg sync.WaitGroup
	ctx := patient(t)
	for range 4 {
		e := m.event(8)
		wg.Go(func() {
			if err := e.Wait(ctx, flag.Load); err != nil {
				t.Error(err)
			}
		})
	}
	e := m.event(8)
	for m.load(8)&countMask != 4*countOne {
		runtime.Gosched()
	}
	flag.Store(true)
	e.NotifyAll()
	wg.Wait()
}

func TestWaitAny(t *testing.T) {
	noNet(t)
	m := newMemory(t)
	const n = 100 // more words than one kernel structure on the stack
	events := make([]*Event, n)
	for i := range events {
		events[i] = m.event(8 + i)
	}
	ctx := patient(t)
	for i := 0; i < n; i += 13 {
		var flag atomic.Bool
		done := make(chan error)
		go func() { done <- WaitAny(ctx, events, flag.Load) }()
		for !events[i].Waiting() {
			runtime.Gosched()
		}
		flag.Store(true)
		events[i].Notify()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	ctx2, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- WaitAny(ctx2, events, func() bool { return false }) }()
	for !events[n-1].Waiting() {
		runtime.Gosched()
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	for i, e := range events {
		if e.Waiting() {
			t.Errorf("event %d keeps a count: %#x", i, m.load(8+i))
		}
	}
}
