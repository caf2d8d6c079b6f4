package robust

import (
	"context"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"multiproc/internal/childtest"
	"multiproc/internal/futex"
)

// Words that say that a lock is held, and nobody holds it: every flip of one bit
// of a free lock, names of threads that are no keepers, of this process and of
// another family, and of nobody.
func heldByNobody(t *testing.T) []uint64 {
	t.Helper()
	c := childtest.Start(t, newMemory(t).files(), "stranger")
	c.Expect("held")
	pid := uint64(c.PID())
	words := []uint64{
		pid<<32 | pid,                          // a thread that is no keeper
		pid<<32 | uint64(keeperOf(t, c.PID())), // a keeper of another family
		uint64(self)<<32 | uint64(self),
		uint64(self)<<32 | 1,
		1<<32 | 1, 1<<32 | 2, 0x7fff_ffff<<32 | 1, ^uint64(0),
		^uint64(0) &^ futex.OwnerDied,
	}
	for bit := range 64 {
		words = append(words, 1<<bit)
	}
	return words
}

func init() {
	roles["stranger"] = func(c *childtest.Self) {
		SetFamily([]byte("another"))
		_, err := childMemory(c).lock(8).Lock(context.Background())
		c.Check(err)
		c.Say("held")
		c.Hear()
	}
}

func keeperOf(t *testing.T, pid int) int {
	t.Helper()
	for _, tid := range threads(t, pid) {
		if name, ok := nameOf(uint32(pid), uint32(tid)); ok && len(name) > 3 && name[:3] == namePrefix {
			return tid
		}
	}
	t.Fatal("no keeper")
	return 0
}

func TestHeldByNobody(t *testing.T) {
	m := newMemory(t)
	if err := Start(); err != nil {
		t.Fatal(err)
	}
	for _, word := range heldByNobody(t) {
		m.store(9, word)
		l := m.lock(8)
		mustLock(t, l)
		if !l.Held() || !l.Unlock() || m.load(9) != 0 {
			t.Errorf("%#x: left %#x", word, m.load(9))
		}
		m.store(9, word)
		for tries := 0; ; tries++ {
			ok, _, err := l.TryLock()
			if err != nil || patient(t).Err() != nil {
				t.Fatalf("TryLock of %#x: %v", word, err)
			}
			if ok {
				break
			}
		}
		l.Unlock()
		// The words of an RW: of the writer, and of each reader.
		for i := range 1 + rwReaders {
			for _, write := range []bool{true, false} {
				m.store(100+2*i+1, word)
				rw := m.rw(100)
				if write {
					if _, err := rw.Lock(patient(t)); err != nil {
						t.Fatal(err)
					}
					rw.Unlock()
				}
				if died, err := rw.RLock(patient(t)); err != nil || died {
					t.Fatal(died, err)
				}
				rw.RUnlock()
				m.store(100+2*i+1, 0)
			}
			if i > 1 && word&(word-1) != 0 {
				break
			}
		}
	}
}

// A live owner of the family is believed for as long as it holds.
func TestHeldBySomebody(t *testing.T) {
	firstRecheck = time.Millisecond
	t.Cleanup(func() { firstRecheck = 100 * time.Millisecond })
	m := newMemory(t)
	c := childtest.Start(t, m.files(), "hold")
	c.Expect("held")
	l := m.lock(8)
	word := m.load(9)
	for _, w := range []uint64{word, word | futex.Waiters, word | futex.Waiters | handOver} {
		m.store(9, w)
		if l.reclaim(w) || ownerGone(ownerPID(w), uint32(w)&futex.TIDMask) {
			t.Errorf("%#x was buried", w)
		}
	}
	if unix.Tgkill(c.PID(), int(word&futex.TIDMask), 0) != nil {
		t.Error("the owner is not there")
	}
	c.Kill()
	if !mustLock(t, l) {
		t.Error("the heir did not hear of the death")
	}
	l.Unlock()
}
