package robust

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"

	"multiproc/internal/childtest"
	"multiproc/internal/mperr"
)

func init() {
	roles["rw read"] = func(c *childtest.Self) {
		l := childMemory(c).rw(8)
		_, err := l.RLock(context.Background())
		c.Check(err)
		c.Say("reading")
		c.Hear()
		l.RUnlock()
		c.Say("read")
		c.Hear()
	}
	roles["rw write"] = func(c *childtest.Self) {
		childNoNet()
		l := childMemory(c).rw(8)
		c.Say("waiting")
		died, err := l.Lock(context.Background())
		c.Check(err)
		c.Say("writing died=%v", died)
		c.Hear()
		l.Unlock()
		c.Say("written")
		c.Hear()
	}
	roles["rw mix"] = childMix
}

// childMix reads and writes two words that are equal whenever nobody writes.
func childMix(c *childtest.Self) {
	childNoNet()
	m := childMemory(c)
	l := m.rw(8)
	a, b := (*uint64)(m.at(64)), (*uint64)(m.at(72))
	c.Say("ready")
	n, _ := strconv.Atoi(c.Hear())
	ctx := context.Background()
	var wg sync.WaitGroup
	for g := range 3 {
		wg.Go(func() {
			for i := range n {
				if (g+i)%4 == 0 {
					died, err := l.Lock(ctx)
					c.Check(err)
					*a++
					if *a-1 != *b || died {
						c.Say("writer sees %d %d died=%v", *a, *b, died)
					}
					*b++
					l.Unlock()
					continue
				}
				died, err := l.RLock(ctx)
				c.Check(err)
				if *a != *b || died {
					c.Say("reader sees %d %d died=%v", *a, *b, died)
				}
				l.RUnlock()
			}
		})
	}
	wg.Wait()
	c.Say("done")
}

func TestRWManyProcesses(t *testing.T) {
	noNet(t)
	m := newMemory(t)
	var kids []*childtest.Child
	for range 3 {
		kids = append(kids, childtest.Start(t, m.files(), "rw mix"))
	}
	for _, c := range kids {
		c.Expect("ready")
	}
	for _, c := range kids {
		c.Say("2000")
	}
	for _, c := range kids {
		c.Expect("done")
	}
	if m.load(64) != 3*3*500 || m.load(72) != m.load(64) {
		t.Errorf("%d and %d writes, want %d", m.load(64), m.load(72), 3*3*500)
	}
}

// Several goroutines of one process share one word, and no other process is kept out by
// that.
func TestRWReadersTogether(t *testing.T) {
	endOfLastReader(t, func(c *childtest.Child) {
		c.Say("unlock")
		c.Expect("read")
	})
}

// The last reader dies, and the writer sleeps on its word.
func TestRWDeathOfLastReader(t *testing.T) { endOfLastReader(t, (*childtest.Child).Kill) }

func endOfLastReader(t *testing.T, end func(reader *childtest.Child)) {
	noNet(t)
	m := newMemory(t)
	a, b := m.rw(8), m.rw(8)
	ctx := patient(t)
	for _, l := range []*RW{a, a, b, a, b} {
		if died, err := l.RLock(ctx); died || err != nil {
			t.Fatal(died, err)
		}
	}
	c := childtest.Start(t, m.files(), "rw read")
	c.Expect("reading")
	w := childtest.Start(t, m.files(), "rw write")
	w.Expect("waiting")
	for _, l := range []*RW{a, b, a, b, a} {
		l.RUnlock()
	}
	end(c)
	w.Expect("writing died=false")
	if b.Held() || a.Unlock() {
		t.Error("this process does not write")
	}
	w.Say("unlock")
	w.Expect("written")
	if died, err := a.Lock(ctx); died || err != nil || !a.Held() {
		t.Error(died, err)
	}
	a.Unlock()
}

func TestRWDeathOfWriter(t *testing.T) {
	noNet(t)
	m := newMemory(t)
	l := m.rw(8)
	ctx := patient(t)
	w := childtest.Start(t, m.files(), "rw write")
	w.Expect("waiting")
	w.Expect("writing died=false")
	w.Kill()
	for range 2 { // readers are told and do not have it; the news stays
		if died, err := l.RLock(ctx); !died || err != nil {
			t.Fatal(died, err)
		}
	}
	if died, err := l.Lock(ctx); !died || err != nil {
		t.Fatal(died, err)
	}
	l.Unlock()
	if died, err := l.RLock(ctx); died || err != nil {
		t.Fatal(died, err)
	}
	l.RUnlock()
}

// A writer that dies while it waits for readers has changed nothing.
func TestRWDeathOfWaitingWriter(t *testing.T) {
	noNet(t)
	m := newMemory(t)
	l := m.rw(8)
	ctx := patient(t)
	if _, err := l.RLock(ctx); err != nil {
		t.Fatal(err)
	}
	w := childtest.Start(t, m.files(), "rw write")
	w.Expect("waiting")
	for !inWait(w.PID()) || !l.main.OwnerAlive() {
	}
	w.Kill()
	l.RUnlock()
	if died, err := l.RLock(ctx); died || err != nil {
		t.Errorf("died=%v %v: nobody wrote", died, err)
	}
	l.RUnlock()
	if died, err := l.Lock(ctx); died || err != nil {
		t.Errorf("died=%v %v: nobody wrote", died, err)
	}
	l.Unlock()
}

// More reading processes than words: the rest wait, and death makes room.
func TestRWMoreReadersThanWords(t *testing.T) {
	noNet(t)
	m := newMemory(t)
	var kids []*childtest.Child
	for range rwReaders {
		c := childtest.Start(t, m.files(), "rw read")
		c.Expect("reading")
		kids = append(kids, c)
	}
	l := m.rw(8)
	ctx, cancel := context.WithCancel(context.Background())
	got := make(chan error, 1)
	go func() {
		_, err := l.RLock(ctx)
		got <- err
	}()
	word := &l.readers[int(self)%rwReaders]
	waiters(t, &word.gate, 1)
	cancel()
	if err := <-got; !errors.Is(err, context.Canceled) {
		t.Fatalf("the sixteenth reader: %v", err)
	}
	for _, c := range kids {
		c.Kill()
	}
	if died, err := l.RLock(patient(t)); died || err != nil {
		t.Fatal(died, err)
	}
	l.RUnlock()
}

func TestRWCancelAndAbort(t *testing.T) {
	noNet(t)
	m := newMemory(t)
	a, b := m.rw(8), m.rw(8)
	if _, err := a.RLock(patient(t)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	errs := make(chan error)
	write := func() {
		_, err := b.Lock(ctx)
		errs <- err
	}
	go write()
	waiters(t, &b.readers[int(self)%rwReaders].gate, 1)
	cancel()
	if err := <-errs; !errors.Is(err, context.Canceled) || b.Held() {
		t.Errorf("cancelled writer: %v, held %v", err, b.Held())
	}
	ctx = context.Background()
	go write()
	waiters(t, &b.readers[int(self)%rwReaders].gate, 1)
	b.Abort()
	if err := <-errs; !errors.Is(err, mperr.ErrClosed) || b.Held() {
		t.Errorf("aborted writer: %v, held %v", err, b.Held())
	}
	a.RUnlock()
	if died, err := a.Lock(patient(t)); died || err != nil {
		t.Error(died, err)
	}
	a.Unlock()
}
