package objects

import (
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"multiproc/internal/mperr"
	"multiproc/internal/store"
)

// wantDied checks that a call learned of a dead owner.
func wantDied(t *testing.T, p *pending) {
	t.Helper()
	_, err := p.result()
	var died *mperr.OwnerDiedError
	if !errors.As(err, &died) || died.PID != 4711 || died.Object != "mutex" {
		t.Errorf("%s: %v", p.Method, err)
	}
}

// When the owner of a Lock dies Go's lockers are told, those that wait and
// those that come, until it is healed; Python's just get it.
func TestMutexOfADeadOwner(t *testing.T) {
	s := newStore(t, store.Limits{})
	dead, c, python := connect(t, s), connect(t, s), connect(t, s).channel()
	m := c.create("Lock")
	dead.must(nil, m, "mp.lock")
	waits, acquires, broken := c.start(m, "mp.lock"), python.start(m, "acquire"), c.start(m, "mp.lockBroken")
	dead.die()
	wantDied(t, waits)
	wantResult(t, acquires, true)
	wantDied(t, c.start(m, "mp.lock"))
	wantDied(t, c.start(m, "mp.tryLock"))
	wantWaiting(t, broken)
	python.must(nil, m, "release")
	wantResult(t, broken, nil)
	wantDied(t, c.start(m, "mp.lock"))
	c.must(nil, m, "mp.heal")
	c.must(nil, m, "mp.unlock")
	c.must(nil, m, "mp.lock")

	// The one who repairs may die as well.
	c.must(nil, m, "mp.unlock")
	dead = connect(t, s)
	dead.must(nil, m, "mp.lock")
	dead.die()
	dead = connect(t, s)
	dead.must(nil, m, "mp.lockBroken")
	dead.die()
	wantDied(t, c.start(m, "mp.tryLock"))
	c.must(nil, m, "mp.lockBroken")
}

// A lock that another has released in the meantime is not broken by the death
// of who once took it.
func TestReleasedLockIsNotBroken(t *testing.T) {
	s := newStore(t, store.Limits{})
	dead, c := connect(t, s).channel(), connect(t, s)
	m := c.create("Lock")
	dead.must(true, m, "acquire")
	c.must(nil, m, "release")
	c.must(nil, m, "mp.lock")
	dead.die()
	c.must(true, m, "locked")
	c.must(nil, m, "mp.unlock")
	c.must(nil, m, "mp.lock")
}

// What a Python channel left in order stays held, and others may release it.
func TestLeftLockStaysHeld(t *testing.T) {
	s := newStore(t, store.Limits{})
	process, c := connect(t, s), connect(t, s)
	child := process.channel()
	m := c.create("Lock")
	child.must(true, m, "acquire")
	process.ss.EndOwner(child.owner, func(id uint64) bool { return id == m })
	process.die()
	c.must(true, m, "locked")
	waits := c.start(m, "acquire")
	c.must(nil, m, "release")
	wantResult(t, waits, true)
}

func TestRLockOfADeadOwner(t *testing.T) {
	s := newStore(t, store.Limits{})
	dead, c := connect(t, s).channel(), connect(t, s)
	l := c.create("RLock")
	dead.must(true, l, "acquire")
	dead.must(true, l, "acquire")
	waits := c.start(l, "acquire")
	dead.die()
	wantResult(t, waits, true)
	c.must(nil, l, "release")
	c.fails("RuntimeError('cannot release un-acquired lock')", l, "release")
}

// Clients take and release locks, and die at any point: each lock is owned by
// one at a time, and none stays held.
func TestLockStorm(t *testing.T) {
	const clients, lives = 6, 150
	for _, kind := range []string{"Lock", "RLock", "BoundedSemaphore", "Condition"} {
		t.Run(kind, func(t *testing.T) {
			s := newStore(t, store.Limits{})
			root := connect(t, s)
			l := root.create(kind)
			var inside atomic.Int32
			var all sync.WaitGroup
			for n := range clients {
				all.Go(func() {
					rnd := rand.New(rand.NewPCG(uint64(n), 3))
					for range lives {
						liveWithLock(t, s, l, rnd, &inside)
					}
				})
			}
			all.Wait()
			got := root.async(l, "acquire")
			<-got.done
			wantResult(t, got, true)
		})
	}
}

// liveWithLock is the life of one client.
func liveWithLock(t *testing.T, s *store.Store, l uint64, rnd *rand.Rand, inside *atomic.Int32) {
	me := connect(t, s)
	defer me.die()
	for range 3 {
		c := me.async(l, "acquire")
		switch rnd.IntN(6) {
		case 0:
			return // in line, or with the lock
		case 1:
			c.Cancel()
		}
		<-c.done
		if _, err := c.result(); err != nil {
			continue // cancelled
		}
		if inside.Add(1) != 1 {
			t.Error("two have it")
		}
		inside.Add(-1)
		if rnd.IntN(6) == 0 {
			return
		}
		if rnd.IntN(6) == 0 {
			me.start(l, "release")
			return
		}
		<-me.async(l, "release").done
	}
}
