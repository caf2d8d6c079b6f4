package robust

import (
	"context"
	"sync"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"multiproc/internal/childtest"
	"multiproc/internal/futex"
)

func init() {
	roles["hold resident"] = func(c *childtest.Self) {
		m := childMemory(c)
		locks := residentLocks(c, m)
		for i, l := range locks {
			if i%3 == 2 {
				continue // on the list, and not held
			}
			_, err := l.Lock(context.Background())
			c.Check(err)
			if l.home.at.Load() == 0 || !l.owned {
				c.Say("lock %d is not held in the short way", i)
			}
		}
		c.Say("held")
		c.Hear()
	}
}

const residentCount = 100

// residentLocks makes locks of its own resident, and detaches some again.
func residentLocks(c *childtest.Self, m *memory) []*Lock {
	locks := make([]*Lock, residentCount)
	for i := range locks {
		locks[i] = m.lock(8 + 2*i)
		locks[i].AllowResident()
		for range promoteAfter {
			_, err := locks[i].Lock(context.Background())
			c.Check(err)
			locks[i].Unlock()
		}
	}
	for i := 0; i < residentCount; i += 10 { // first, last and between
		gone := m.lock(8 + 2*(residentCount+i))
		gone.AllowResident()
		for range promoteAfter {
			_, err := gone.Lock(context.Background())
			c.Check(err)
			gone.Unlock()
		}
		gone.Detach()
	}
	return locks
}

func TestResidentDeath(t *testing.T) {
	noNet(t)
	m := newMemory(t)
	c := childtest.Start(t, m.files(), "hold resident")
	c.Expect("held")
	if l := m.lock(8); l.Owner() != c.PID() {
		t.Errorf("owner %d, want %d", l.Owner(), c.PID())
	}
	c.Kill()
	for i := range residentCount {
		l := m.lock(8 + 2*i)
		ok, died, err := l.TryLock()
		if !ok || err != nil || died != (i%3 != 2) {
			t.Fatalf("lock %d: ok=%v died=%v %v", i, ok, died, err)
		}
		l.Unlock()
	}
}

// One lock, taken both ways by several handles in one process and by others.
func TestResidentExcludes(t *testing.T) {
	noNet(t)
	m := newMemory(t)
	mem, err := m.seg.Map(0, memorySize) // a mapping of its own for a second handle
	if err != nil {
		t.Fatal(err)
	}
	other := &memory{seg: m.seg, base: mem}
	handles := []*Lock{m.lock(8), other.lock(8), m.lock(8)}
	handles[0].AllowResident()
	handles[1].AllowResident()
	c := childtest.Start(t, m.files(), "count")
	c.Expect("ready")
	c.Say("3000")
	ctx := patient(t)
	counter := (*uint64)(m.at(16))
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			l := handles[i%3]
			for range 3000 {
				if died, err := l.Lock(ctx); died || err != nil {
					t.Error(died, err)
					return
				}
				*counter++
				l.Unlock()
			}
		})
	}
	wg.Wait()
	c.Expect("done")
	if *counter != 6*3000+3*3000 {
		t.Errorf("counted %d", *counter)
	}
	if handles[0].home.at.Load() == 0 || handles[1].home.at.Load() == 0 || handles[2].home.at.Load() != 0 {
		t.Error("the wrong handles became resident")
	}
	handles[0].Detach()
	handles[1].Detach()
	residentListEnds(t)
}

// Two handles to the same address: only one node there is on the list.
func TestResidentOnceAnAddress(t *testing.T) {
	m := newMemory(t)
	a, b := m.lock(8), m.lock(8)
	for _, l := range []*Lock{a, b} {
		l.AllowResident()
		for range 2 * promoteAfter {
			mustLock(t, l)
			l.Unlock()
		}
	}
	if a.home.at.Load() == 0 || b.home.at.Load() != 0 {
		t.Error("want the first handle resident, and the second not")
	}
	residentListEnds(t)
	b.Detach()
	a.Detach()
	residentListEnds(t)
	c := m.lock(8)
	c.AllowResident()
	for range promoteAfter {
		mustLock(t, c)
		c.Unlock()
	}
	if c.home.at.Load() == 0 {
		t.Error("the place was not given back")
	}
	c.Detach()
}

// residentListEnds walks the list as the kernel would.
func residentListEnds(t *testing.T) {
	t.Helper()
	r := &resident
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for at := r.head.first; at != uint64(addressOf(&r.head)); at = **(**uint64)(unsafe.Pointer(&at)) {
		if n++; n > r.count {
			t.Fatalf("the list has more than its %d nodes", r.count)
		}
	}
	if n != r.count {
		t.Errorf("the list has %d nodes, want %d", n, r.count)
	}
}

// A resident lock in memory: the word carries another thread of this process.
func TestResidentInMemory(t *testing.T) {
	m := newMemory(t)
	l := m.lock(8)
	l.AllowResident()
	for range promoteAfter {
		mustLock(t, l)
		l.Unlock()
	}
	defer l.Detach()
	mustLock(t, l)
	word := m.load(9)
	tid := int(word & futex.TIDMask)
	if word>>32 != uint64(unix.Getpid()) || word != resident.name || word == current.Load().name || unix.Tgkill(unix.Getpid(), tid, 0) != nil {
		t.Errorf("word %#x", word)
	}
	if TwinDistance != 16<<10 || *l.twinNode() == 0 {
		t.Errorf("twin distance %d, node %#x", TwinDistance, *l.twinNode())
	}
	if !l.Held() || !l.Unlock() || l.Held() || l.Unlock() || m.load(9) != 0 {
		t.Error("Unlock: want true, then false")
	}
}

func BenchmarkLockUnlockResident(b *testing.B) {
	l := newMemory(b).lock(8)
	l.AllowResident()
	ctx := context.Background()
	for range b.N {
		_, _ = l.Lock(ctx)
		l.Unlock()
	}
	l.Detach()
}
