package robust

import (
	"context"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"multiproc/internal/childtest"
	"multiproc/internal/futex"
)

func init() {
	roles["hold"] = childHold
	roles["wait"] = childWait
	roles["count"] = childCount
}

// childHold locks the lock at 8 and holds it until it is told to unlock.
func childHold(c *childtest.Self) {
	l := childMemory(c).lock(8)
	_, err := l.Lock(context.Background())
	c.Check(err)
	c.Say("held")
	c.Hear()
	l.Unlock()
	c.Say("unlocked")
	c.Hear()
}

// childWait says when it has the lock, and with what news.
func childWait(c *childtest.Self) {
	childNoNet()
	m := childMemory(c)
	m.useDeathWord()
	c.Say("waiting")
	l := m.lock(8)
	died, err := l.Lock(context.Background())
	c.Check(err)
	c.Say("died=%v", died)
	c.Hear()
	l.Unlock()
	c.Say("unlocked")
	c.Hear()
}

// asleep waits until n sleepers are in the kernel on the lock's word, which
// shows in the Waiters bit and, as that stays, in the child's state.
func asleep(t *testing.T, m *memory, c *childtest.Child) {
	t.Helper()
	for end := time.Now().Add(childtest.Timeout); ; runtime.Gosched() {
		if m.load(9)&futex.Waiters != 0 && inWait(c.PID()) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("child %d does not sleep on the lock", c.PID())
		}
	}
}

func TestDeathOfHolder(t *testing.T) {
	noNet(t)
	m := newMemory(t)
	l := m.lock(8)
	c := childtest.Start(t, m.files(), "hold")
	c.Expect("held")
	if l.Owner() != c.PID() || !l.OwnerAlive() || l.Held() {
		t.Errorf("owner %d, want %d", l.Owner(), c.PID())
	}
	if ok, _, err := l.TryLock(); ok || err != nil {
		t.Fatal("took a held lock", err)
	}
	c.Kill()
	if l.OwnerAlive() {
		t.Error("the lock of the dead looks held")
	}
	if died := mustLock(t, l); !died {
		t.Error("the heir did not hear of the death")
	}
	l.Unlock()
	if died := mustLock(t, l); died {
		t.Error("the news came twice")
	}
	l.Unlock()
}

// The heir sleeps already when the holder dies; another sleeper gets the lock
// after the heir's ordinary Unlock.
func TestDeathWakesWaiter(t *testing.T) {
	noNet(t)
	m := newMemory(t)
	holder := childtest.Start(t, m.files(), "hold")
	holder.Expect("held")
	first := childtest.Start(t, m.files(), "wait")
	first.Expect("waiting")
	asleep(t, m, first)
	second := childtest.Start(t, m.files(), "wait")
	second.Expect("waiting")
	asleep(t, m, second)
	start := time.Now()
	holder.Kill()
	heir, other := first, second
	line := make(chan *childtest.Child, 2)
	for _, c := range []*childtest.Child{first, second} {
		go func() {
			if l, ok := c.Line(); ok && l == "died=true" {
				line <- c
			} else if l != "died=false" {
				t.Errorf("%q", l)
			}
			line <- c
		}()
	}
	if heir = <-line; heir == second {
		other = first
	}
	t.Logf("the heir had the lock %v after SIGKILL", time.Since(start))
	<-line
	heir.Say("unlock")
	if c := <-line; c != other {
		t.Error("the second sleeper was not woken")
	}
	heir.Expect("unlocked")
	other.Say("unlock")
	other.Expect("unlocked")
	l := m.lock(8)
	if died := mustLock(t, l); died {
		t.Error("died without a death")
	}
	l.Unlock()
}

// A sleeper that is killed takes nothing with it; one that was woken and is
// killed before it looks loses the wake-up, which the death word makes good.
func TestDeathWhileWaiting(t *testing.T) {
	noNet(t)
	m := newMemory(t)
	l := m.lock(8)
	mustLock(t, l)
	for range 3 {
		victim := childtest.Start(t, m.files(), "wait")
		victim.Expect("waiting")
		asleep(t, m, victim)
		victim.Kill()
	}
	victim := childtest.Start(t, m.files(), "wait")
	victim.Expect("waiting")
	asleep(t, m, victim)
	survivor := childtest.Start(t, m.files(), "wait")
	survivor.Expect("waiting")
	asleep(t, m, survivor)
	if err := unix.Kill(victim.PID(), unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	l.Unlock() // wakes one of the two: the stopped one came first
	victim.Kill()
	m.died()
	survivor.Expect("died=false")
	survivor.Say("unlock")
	survivor.Expect("unlocked")
	if died := mustLock(t, l); died {
		t.Error("a waiter's death counts as the holder's")
	}
	l.Unlock()
}

// childCount counts under the lock, with goroutines of its own.
func childCount(c *childtest.Self) {
	childNoNet()
	l := childMemory(c).lock(8)
	counter := (*uint64)(childMemory(c).at(16))
	c.Say("ready")
	n, _ := strconv.Atoi(c.Hear())
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for range n {
				_, err := l.Lock(context.Background())
				c.Check(err)
				*counter++
				l.Unlock()
			}
		})
	}
	wg.Wait()
	c.Say("done")
}

func TestExcludesProcesses(t *testing.T) {
	m := newMemory(t)
	var kids []*childtest.Child
	for range 4 {
		kids = append(kids, childtest.Start(t, m.files(), "count"))
	}
	for _, c := range kids {
		c.Expect("ready")
	}
	const each = 5000
	for _, c := range kids {
		c.Say("%d", each)
	}
	for _, c := range kids {
		c.Expect("done")
	}
	if n := m.load(16); n != uint64(len(kids)*3*each) {
		t.Errorf("counted %d, want %d", n, len(kids)*3*each)
	}
}

// Two sleep; the first to be woken takes the lock and cannot know of the
// other, who gets it next all the same.
func TestSleepersOneAfterTheOther(t *testing.T) {
	noNet(t)
	m := newMemory(t)
	l := m.lock(8)
	mustLock(t, l)
	var kids [2]*childtest.Child
	for i := range kids {
		kids[i] = childtest.Start(t, m.files(), "wait")
		kids[i].Expect("waiting")
		asleep(t, m, kids[i])
	}
	// In which order is the kernel's affair: a sleep that is cut into parts loses
	// its place.
	for _, c := range kids {
		c.Say("unlock")
	}
	l.Unlock()
	for _, c := range kids {
		c.Expect("died=false")
		c.Expect("unlocked")
	}
	if died := mustLock(t, l); died {
		t.Error("died without a death")
	}
	l.Unlock()
}
