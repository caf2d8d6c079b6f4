package robust

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"multiproc/internal/childtest"
	"multiproc/internal/futex"
)

func init() { roles["hold many"] = childHoldMany }

const many = 3200 // needs three keepers; the kernel walks 2048 of one list at most

func childHoldMany(c *childtest.Self) {
	m := childMemory(c)
	locks := make([]*Lock, many)
	for i := range locks {
		locks[i] = m.lock(8 + 2*i)
		_, err := locks[i].Lock(context.Background())
		c.Check(err)
	}
	for i := 0; i < many; i += 7 { // holes in the lists
		locks[i].Unlock()
	}
	c.Say("held by %d", len(all))
	c.Hear()
}

func TestThousandsOfLocks(t *testing.T) {
	m := newMemory(t)
	c := childtest.Start(t, m.files(), "hold many")
	c.Expect("held by 3")
	c.Kill()
	for i := range many {
		l := m.lock(8 + 2*i)
		ok, died, err := l.TryLock()
		if !ok || err != nil || died != (i%7 != 0) {
			t.Fatalf("lock %d: ok=%v died=%v %v", i, ok, died, err)
		}
		l.Unlock()
	}
}

// A thread of a dying process may take a lock after the keeper's end; then
// the word names a dead thread and the kernel will not come again.
func TestLockOfDeadThread(t *testing.T) {
	m := newMemory(t)
	m.useDeathWord()
	t.Cleanup(func() { deathWord.Store(nil) })
	c := childtest.Start(t, m.files(), "hold")
	c.Expect("held")
	word := m.load(9)
	c.Kill()
	// Whoever comes after the family has heard of the death finds out at once.
	noNet(t)
	for _, bits := range []uint64{0, futex.Waiters} {
		m.store(9, word|bits)
		l := m.lock(8)
		if !mustLock(t, l) {
			t.Error("the heir did not hear of the death")
		}
		l.Unlock()
	}
	// Whoever waits by then is woken by the news.
	m.store(9, current.Load().name) // held by a live thread
	l := m.lock(8)
	var got atomic.Bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		got.Store(mustLock(t, l))
	}()
	waiters(t, &l.gate, 1)
	for m.load(9)&futex.Waiters == 0 || !inWait(unix.Getpid()) {
		runtime.Gosched()
	}
	m.store(9, word|futex.Waiters)
	m.died()
	<-done
	if !got.Load() {
		t.Error("the heir did not hear of the death")
	}
	l.Unlock()
}

// The dead owner's process id may be ours by now, or unknown.
func TestInheritAtOnce(t *testing.T) {
	noNet(t)
	m := newMemory(t)
	for _, pid := range []uint64{0, uint64(self)} {
		m.store(9, pid<<32|futex.OwnerDied)
		l := m.lock(8)
		if died := mustLock(t, l); !died {
			t.Error("the heir did not hear of the death")
		}
		l.Unlock()
		m.store(9, pid<<32|futex.OwnerDied)
		if ok, died, err := l.TryLock(); !ok || !died || err != nil {
			t.Error(ok, died, err)
		}
		l.Unlock()
	}
}
