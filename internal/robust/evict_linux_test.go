package robust

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"multiproc/internal/childtest"
	"multiproc/internal/fence"
	"multiproc/internal/futex"
	"multiproc/internal/shm"
)

func init() {
	roles["hold of many"] = func(c *childtest.Self) {
		m := childMemory(c)
		locks := crowdOf(func() *memory { return privateMemory(c) }, m, manyLocks)
		for range 3 { // each is used, and most have lost their place
			for _, l := range locks {
				for range promoteAfter {
					_, err := l.Lock(context.Background())
					c.Check(err)
					l.Unlock()
				}
			}
		}
		short, long := 0, 0
		for i := range heldOfMany {
			for i%2 == 0 && locks[i].home.at.Load() == 0 {
				_, err := locks[i].Lock(context.Background())
				c.Check(err)
				locks[i].Unlock()
			}
			_, err := locks[i].Lock(context.Background())
			c.Check(err)
			if locks[i].owned {
				short++
			} else {
				long++
			}
			// Who is held has its place taken by others, or keeps it.
			for _, l := range locks[heldOfMany:] {
				for range promoteAfter {
					_, err := l.Lock(context.Background())
					c.Check(err)
					l.Unlock()
				}
			}
		}
		if short == 0 || long == 0 {
			c.Say("%d are held in the short way, %d in the long one", short, long)
		}
		c.Say("held")
		c.Hear()
	}
}

// privateMemory is more memory of a child.
func privateMemory(c *childtest.Self) *memory {
	seg, err := shm.Create(shm.Header{Kind: shm.KindMutex, Size: memorySize})
	c.Check(err)
	m := &memory{seg: seg}
	m.base, err = seg.Map(0, memorySize)
	c.Check(err)
	return m
}

const (
	manyLocks  = maxResidents + 500
	inSegment  = 700 // of them, at most
	heldOfMany = 40
)

// crowdOf makes n locks, in first and in further segments.
func crowdOf(more func() *memory, first *memory, n int) []*Lock {
	locks := make([]*Lock, n)
	m := first
	for i := range locks {
		if i > 0 && i%inSegment == 0 {
			m = more()
		}
		locks[i] = m.lock(8 + 2*(i%inSegment))
		locks[i].AllowResident()
	}
	return locks
}

func detachAll(locks []*Lock) {
	for _, l := range locks {
		l.Detach()
	}
}

// Of 10 000 locks, of which a hundred are hot, and others after a while, the hot ones are
// resident after a bounded number of uses each.
func TestHotLocksAreResident(t *testing.T) {
	const all, hot, bound = 10_000, 100, 6 * promoteAfter
	locks := crowdOf(func() *memory { return newMemory(t) }, newMemory(t), all)
	defer detachAll(locks)
	use := func(l *Lock, n int) {
		for range n {
			if _, err := l.Lock(t.Context()); err != nil {
				t.Fatal(err)
			}
			l.Unlock()
		}
	}
	for _, l := range locks {
		use(l, promoteAfter)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for phase := range 10 {
		set := make([]*Lock, hot)
		for i := range set {
			set[i] = locks[r.IntN(all)]
		}
		for range bound {
			for _, l := range set {
				use(l, 1)
			}
			use(locks[r.IntN(all)], 1) // and now and then another
		}
		slow := 0
		for _, l := range set {
			mustLock(t, l)
			if !l.owned {
				slow++
			}
			l.Unlock()
		}
		// The hand may just have passed some.
		if slow > 2*clockSteps {
			t.Errorf("phase %d: %d of %d hot locks take the long way after %d uses each", phase, slow, hot, bound)
		}
		residentListEnds(t)
		if resident.count != maxResidents {
			t.Errorf("%d are resident", resident.count)
		}
	}
	detachAll(locks)
	if resident.count != 0 || len(resident.nodes) != 0 || len(resident.pages) != 0 || resident.hand != nil {
		t.Errorf("left: %d, %d nodes, %d pages", resident.count, len(resident.nodes), len(resident.pages))
	}
}

// A process that is killed leaves what it holds, by either way, to heirs who are told, and
// nothing else.
func TestEvictedDeath(t *testing.T) {
	noNet(t)
	m := newMemory(t)
	c := childtest.Start(t, m.files(), "hold of many")
	c.Expect("held")
	c.Kill()
	for i := range inSegment {
		l := m.lock(8 + 2*i)
		ok, died, err := l.TryLock()
		if !ok || err != nil || died != (i < heldOfMany) {
			t.Fatalf("lock %d: ok=%v died=%v %v", i, ok, died, err)
		}
		l.Unlock()
	}
}

// turnOut takes the place of one lock, as the hand does, and returns 1 if it had one.
func turnOut(l *Lock) int64 {
	r := &resident
	r.mu.Lock()
	defer r.mu.Unlock()
	if !l.home.listed {
		return 0
	}
	l.home.idle.Store(true)
	l.home.at.Store(0)
	if atomic.LoadUint64(&l.n.word)&^flags != r.name {
		r.remove(l)
		if twin := l.twinNode(); r.pages[pageOf(twin)] == 0 {
			protect(twin)
		}
	}
	return 1
}

// A lock is used while its place is taken, again and again: by one goroutine, and by
// several of two processes.
func TestEvictedMeanwhile(t *testing.T) {
	noNet(t)
	m := newMemory(t)
	l := m.lock(8)
	l.AllowResident()
	counter := (*uint64)(m.at(16))
	var stop atomic.Bool
	var turns atomic.Int64
	var churn sync.WaitGroup
	churn.Go(func() {
		for r := rand.New(rand.NewPCG(3, 4)); !stop.Load(); turns.Add(turnOut(l)) {
			for range r.IntN(2000) { // or it would never be used in the short way
				fence.Pause(1)
			}
		}
	})
	ctx, short := patient(t), 0
	turn := func() bool {
		died, err := l.Lock(ctx)
		if died || err != nil {
			t.Error(died, err)
			return false
		}
		*counter++
		return true
	}
	alone := 0
	for ; turns.Load() < 1000; alone++ {
		if !turn() {
			break
		}
		if l.owned {
			short++
		}
		l.Unlock()
	}
	if short < 1000 {
		t.Errorf("it was taken %d times of %d in the short way", short, alone)
	}
	const goroutines, rounds = 3, 10_000 // here and there
	c := childtest.Start(t, m.files(), "count")
	c.Expect("ready")
	c.Say("%d", rounds)
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for range rounds {
				if !turn() {
					return
				}
				l.Unlock()
			}
		})
	}
	wg.Wait()
	stop.Store(true)
	churn.Wait()
	c.Expect("done")
	if *counter != uint64(alone+2*goroutines*rounds) {
		t.Errorf("counted %d", *counter)
	}
	if word := m.load(9); word&futex.TIDMask != 0 {
		t.Errorf("the word says %#x", word)
	}
	residentListEnds(t)
	l.Detach()
}

// BenchmarkThrash is for more locks than have a place, all used alike: what the clock costs
// where it cannot help.
func BenchmarkThrash(b *testing.B) {
	locks := crowdOf(func() *memory { return newMemory(b) }, newMemory(b), 2*maxResidents)
	ctx := context.Background()
	i := 0
	for b.Loop() {
		l := locks[i%len(locks)]
		_, _ = l.Lock(ctx)
		l.Unlock()
		i++
	}
	detachAll(locks)
}
