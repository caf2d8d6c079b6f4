package robust

import (
	"context"
	"runtime"
	"testing"

	"multiproc/internal/childtest"
	"multiproc/internal/futex"
)

// A lock that is to be handed over goes to the one who sleeps for it: whoever
// comes in between finds it reserved, by either way of taking it.
func TestHandOverWord(t *testing.T) {
	noNet(t)
	m := newMemory(t)
	l, resident := m.lock(8), m.lock(8)
	resident.AllowResident()
	for range promoteAfter {
		mustLock(t, resident)
		resident.Unlock()
	}
	defer resident.Detach()
	for _, holder := range []*Lock{l, resident} {
		mustLock(t, holder)
		c := childtest.Start(t, m.files(), "wait")
		c.Expect("waiting")
		// The child looks up from its sleep every few milliseconds. A lock that is
		// given back in such a moment is left to nobody, which is not to happen
		// every time.
		for overtaken := 0; !leave(t, m, holder, c); overtaken++ {
			if overtaken == 20 {
				t.Fatal("overtook the one that the lock was left to, every time")
			}
		}
		c.Expect("died=false")
		c.Say("unlock")
		c.Expect("unlocked")
		mustLock(t, holder)
		holder.Unlock()
		if w := m.load(9); w != 0 {
			t.Errorf("left %#x", w)
		}
	}
}

// leave gives back a lock that c sleeps for, to be handed over, and reports
// whether it was: if not, the caller still has it.
func leave(t *testing.T, m *memory, l *Lock, c *childtest.Child) bool {
	t.Helper()
	asleep(t, m, c)
	// What the child does to the word when it is overtaken.
	for old := m.load(9); !m.swap(9, old, old|handOver); old = m.load(9) {
	}
	l.Unlock()
	for {
		word := m.load(9)
		if word&futex.TIDMask != 0 && ownerPID(word) == uint32(c.PID()) {
			return true
		}
		ok, _, err := l.TryLock()
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			return false
		}
		runtime.Gosched()
	}
}

// A lock that is left to somebody who has died in his sleep, or has given up, is
// found by those who come later.
func TestHandOverToNobody(t *testing.T) {
	m := newMemory(t)
	l := m.lock(8)
	mustLock(t, l)
	c := childtest.Start(t, m.files(), "wait")
	c.Expect("waiting")
	asleep(t, m, c)
	m.store(9, m.load(9)|handOver)
	c.Kill()
	l.Unlock()
	if m.load(9) != 0 {
		t.Errorf("left to nobody: %#x", m.load(9))
	}
	ctx, cancel := context.WithCancel(patient(t))
	mustLock(t, l)
	other := m.lock(8)
	errs := make(chan error)
	go func() {
		_, err := other.Lock(ctx)
		errs <- err
	}()
	waiters(t, &other.gate, 1)
	m.store(9, m.load(9)|handOver)
	cancel()
	<-errs
	l.Unlock()
	mustLock(t, other)
	other.Unlock()
}
