//go:build mpcrash

package robust

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"multiproc/internal/childtest"
	"multiproc/internal/failpoint"
)

func init() {
	roles["victim lock"] = victimLock
	roles["victim evicted"] = victimEvicted
	roles["victim rw"] = victimRW
	roles["victim event"] = victimEvent
}

// Words of the victims: two that are equal unless somebody is inside, and how
// often the victim came out.
const wordA, wordB, wordOut = 600, 601, 602

func armed(c *childtest.Self) *memory {
	childNoNet()
	m := childMemory(c)
	m.useDeathWord()
	name, count, _ := strings.Cut(c.Args[0], ":")
	var n int64
	_, err := fmt.Sscan(count, &n)
	c.Check(err)
	c.Say("ready")
	c.Hear()
	failpoint.Arm(name, n)
	return m
}

func pair(m *memory) {
	m.add(wordA, 1)
	m.add(wordB, 1)
}

func victimLock(c *childtest.Self) {
	m := armed(c)
	l := m.lock(8)
	l.AllowResident()
	for range 400 {
		died, err := l.Lock(context.Background())
		c.Check(err)
		if died {
			c.Say("heard of a death")
		}
		pair(m)
		l.Unlock()
		m.add(wordOut, 1)
	}
	c.Say("survived")
	c.Hear()
}

// victimEvicted uses a lock whose place is taken all the time.
func victimEvicted(c *childtest.Self) {
	m := armed(c)
	l := m.lock(8)
	l.AllowResident()
	go func() {
		for {
			turnOut(l)
		}
	}()
	for range 200_000 {
		died, err := l.Lock(context.Background())
		c.Check(err)
		if died {
			c.Say("heard of a death")
		}
		pair(m)
		l.Unlock()
		m.add(wordOut, 1)
	}
	c.Say("survived")
	c.Hear()
}

func victimRW(c *childtest.Self) {
	m := armed(c)
	l := m.rw(16)
	for range 200 {
		if _, err := l.RLock(context.Background()); err != nil {
			c.Check(err)
		}
		l.RUnlock()
		_, err := l.Lock(context.Background())
		c.Check(err)
		pair(m)
		l.Unlock()
		m.add(wordOut, 1)
	}
	c.Say("survived")
	c.Hear()
}

func victimEvent(c *childtest.Self) {
	m := armed(c)
	more, done := m.event(evTake), m.event(evGive)
	for range 200 {
		c.Check(more.Wait(context.Background(), func() bool { return take(m) }))
		m.add(accepted, 1)
		done.Notify()
	}
	c.Say("survived")
	c.Hear()
}

// TestKilledAtEveryPoint kills a child at every failpoint of this package. It
// competes with this process and with a child that sleeps on the same lock.
func TestKilledAtEveryPoint(t *testing.T) {
	noNet(t)
	killed, kills := map[string]bool{}, 0
	var slowest time.Duration
	play := func(name, role string, n int, counter func(*testing.T, *memory, *childtest.Child) time.Duration) {
		t.Run(fmt.Sprintf("%s/%s/%d", name, role, n), func(t *testing.T) {
			m := newMemory(t)
			m.useDeathWord()
			t.Cleanup(func() { deathWord.Store(nil) })
			c := childtest.Start(t, m.files(), role, fmt.Sprintf("%s:%d", name, n))
			c.Expect("ready")
			if d := counter(t, m, c); d > 0 {
				killed[name] = true
				kills++
				slowest = max(slowest, d)
			}
		})
	}
	for _, name := range childtest.Failpoints(t, ".") {
		for _, v := range []struct {
			role    string
			counter func(*testing.T, *memory, *childtest.Child) time.Duration
		}{{"victim lock", survivorLock}, {"victim evicted", survivorLock}, {"victim rw", survivorRW}, {"victim event", survivorEvent}} {
			for _, n := range []int{1, 2, 150} {
				play(name, v.role, n, v.counter)
			}
		}
		for n := 0; n < 30 && !killed[name]; n++ { // where two must meet, it takes luck
			play(name, "victim evicted", 1+n%2, survivorLock)
		}
		if !killed[name] {
			t.Errorf("no child came past %s", name)
		}
	}
	childtest.Tally(t, 0, kills, slowest)
	t.Logf("%d points", len(killed))
}

// fate waits for the end of the victim, or of its play, and plays the family.
func fate(m *memory, c *childtest.Child) (dead <-chan bool) {
	ch := make(chan bool, 1)
	go func() {
		_, ok := c.Line()
		ch <- !ok
		m.died()
	}()
	c.Say("go")
	return ch
}

func survivorLock(t *testing.T, m *memory, c *childtest.Child) time.Duration {
	l := m.lock(8)
	dead := fate(m, c)
	mine, deaths, missing := uint64(0), 0, uint64(0)
	turn := func() {
		died, err := l.Lock(patient(t))
		if err != nil {
			t.Fatal(err)
		}
		a, b := m.load(wordA), m.load(wordB)
		if a != b && !died {
			t.Errorf("%d and %d, and nobody died", a, b)
		}
		if died {
			deaths++
			missing = a - b
			m.store(wordB, a)
		}
		pair(m)
		mine++
		l.Unlock()
	}
	for {
		select {
		case killed := <-dead:
			begin := time.Now()
			turn()
			took := time.Since(begin)
			turn()
			if deaths > 1 || missing > 1 {
				t.Errorf("heard of %d deaths, %d half done", deaths, missing)
			}
			// Every turn that came out counts; the last one may have been in.
			if extra := m.load(wordA) - mine - m.load(wordOut); extra > 1 {
				t.Errorf("counted %d, this process %d, the victim %d", m.load(wordA), mine, m.load(wordOut))
			}
			if !killed {
				return 0
			}
			return took
		default:
			turn()
		}
	}
}

func survivorRW(t *testing.T, m *memory, c *childtest.Child) time.Duration {
	l := m.rw(16)
	dead := fate(m, c)
	turn := func() {
		died, err := l.RLock(patient(t))
		if err != nil {
			t.Fatal(err)
		}
		if !died {
			if a, b := m.load(wordA), m.load(wordB); a != b {
				t.Errorf("reader: %d and %d, and nobody died", a, b)
			}
			l.RUnlock()
			return
		}
		if died, err = l.Lock(patient(t)); err != nil || !died {
			t.Errorf("the news did not stay: %v %v", died, err)
		}
		m.store(wordB, m.load(wordA))
		l.Unlock()
	}
	for {
		select {
		case killed := <-dead:
			begin := time.Now()
			turn()
			took := time.Since(begin)
			turn()
			if died, err := l.Lock(patient(t)); err != nil || died {
				t.Error(died, err)
			}
			if a, b := m.load(wordA), m.load(wordB); a != b || a-m.load(wordOut) > 1 {
				t.Errorf("%d and %d, the victim came out %d times", a, b, m.load(wordOut))
			}
			l.Unlock()
			if !killed {
				return 0
			}
			return took
		default:
			turn()
		}
	}
}

// survivorEvent gives, and takes itself what the dead leave.
func survivorEvent(t *testing.T, m *memory, c *childtest.Child) time.Duration {
	more, done := m.event(evTake), m.event(evGive)
	dead := fate(m, c)
	given := uint64(0)
	for {
		select {
		case killed := <-dead:
			begin := time.Now()
			m.add(available, 1)
			given++
			more.Notify()
			if err := more.Wait(patient(t), func() bool { return take(m) }); err != nil {
				t.Fatal(err)
			}
			took := time.Since(begin)
			for take(m) {
				m.add(accepted, 1)
			}
			if lost := given - 1 - m.load(accepted); lost > 1 {
				t.Errorf("%d given, %d accepted", given-1, m.load(accepted))
			}
			if !killed {
				return 0
			}
			return took
		default:
			m.add(available, 1)
			given++
			more.Notify()
			ctx, cancel := context.WithCancel(patient(t))
			err := done.Wait(ctx, func() bool { return len(dead) > 0 || m.load(available) == 0 })
			cancel()
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}
