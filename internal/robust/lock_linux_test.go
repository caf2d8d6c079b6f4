package robust

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"

	"multiproc/internal/mperr"
)

func TestTryLock(t *testing.T) {
	m := newMemory(t)
	a, b := m.lock(8), m.lock(8) // two handles, as two processes have them
	if ok, died, err := a.TryLock(); !ok || died || err != nil {
		t.Fatal(ok, died, err)
	}
	for _, l := range []*Lock{a, b} {
		if ok, _, err := l.TryLock(); ok || err != nil {
			t.Fatal("took a held lock", err)
		}
	}
	if b.Unlock() {
		t.Error("the handle that did not lock unlocked")
	}
	if !a.Unlock() || a.Unlock() {
		t.Error("Unlock: want true, then false")
	}
	if ok, _, _ := b.TryLock(); !ok {
		t.Error("a free lock was not taken")
	}
	b.Unlock()
}

// counter is what the lock protects: not atomic on purpose.
func TestExcludesGoroutines(t *testing.T) {
	noNet(t)
	m := newMemory(t)
	a, b := m.lock(8), m.lock(8)
	ctx := patient(t)
	const workers, each = 8, 3000
	var wg sync.WaitGroup
	counter := (*uint64)(m.at(16))
	for i := range workers {
		wg.Go(func() {
			l := []*Lock{a, b}[i%2]
			for range each {
				if died, err := l.Lock(ctx); died || err != nil {
					t.Error(died, err)
					return
				}
				*counter++
				if i%4 == 0 {
					runtime.Gosched()
				}
				l.Unlock()
			}
		})
	}
	wg.Wait()
	if *counter != workers*each {
		t.Errorf("counted %d, want %d", *counter, workers*each)
	}
}

// Any goroutine may unlock, and what one did before is seen by the next.
func TestHandOver(t *testing.T) {
	m := newMemory(t)
	l := m.lock(8)
	mustLock(t, l)
	done := make(chan bool)
	go func() { done <- l.Unlock() }()
	if !<-done {
		t.Error("another goroutine of the process could not unlock")
	}
}

// waiters waits until n goroutines stand at the gate.
func waiters(t *testing.T, g *gate, n int) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; runtime.Gosched() {
		g.mu.Lock()
		have := len(g.waiting)
		if g.leader != nil && g.leader != claimed {
			have++
		}
		g.mu.Unlock()
		if have == n {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d goroutines at the gate, want %d", have, n)
		}
	}
}

func TestCancelWhileWaiting(t *testing.T) {
	noNet(t)
	m := newMemory(t)
	a, b := m.lock(8), m.lock(8)
	mustLock(t, a)
	before := runtime.NumGoroutine()
	const n = 20
	var cancels [n]context.CancelFunc
	errs := make(chan error, n)
	for i := range n {
		var ctx context.Context
		ctx, cancels[i] = context.WithCancel(context.Background())
		go func() {
			_, err := b.Lock(ctx)
			errs <- err
		}()
	}
	waiters(t, &b.gate, n)
	// The leader, the last, and some in between, in any order.
	for i := range n {
		cancels[(i*7)%n]()
		if err := <-errs; !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
	}
	waiters(t, &b.gate, 0)
	if !a.Unlock() {
		t.Error("the holder lost the lock")
	}
	mustLock(t, b)
	b.Unlock()
	for end := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before && time.Now().Before(end); {
		runtime.Gosched()
	}
	if n := runtime.NumGoroutine(); n > before {
		t.Errorf("%d goroutines, %d before", n, before)
	}
	if b.keeper != nil || b.gate.leader != nil || len(b.gate.waiting) != 0 {
		t.Error("the handle kept something")
	}
}

// Waiters come, are cancelled and get the lock in every order; a lost lead or
// wake-up would hang.
func TestCancelStorm(t *testing.T) {
	noNet(t)
	m := newMemory(t)
	handles := []*Lock{m.lock(8), m.lock(8)}
	end := patient(t)
	var wg sync.WaitGroup
	var inside int
	for i := range 8 {
		wg.Go(func() {
			l := handles[i%2]
			for j := range 1500 {
				ctx, cancel := context.WithCancel(end)
				if (i+j)%3 == 0 {
					go cancel()
				}
				_, err := l.Lock(ctx)
				switch {
				case err == nil:
					inside++
					if inside != 1 {
						t.Errorf("%d inside", inside)
					}
					if j%16 == 0 {
						runtime.Gosched()
					}
					inside--
					l.Unlock()
				case !errors.Is(err, context.Canceled):
					t.Error(err)
				}
				cancel()
			}
		})
	}
	wg.Wait()
}

func TestAbort(t *testing.T) {
	noNet(t)
	m := newMemory(t)
	a, b := m.lock(8), m.lock(8)
	mustLock(t, a)
	const n = 5
	errs := make(chan error, n)
	for range n {
		go func() {
			_, err := b.Lock(context.Background())
			errs <- err
		}()
	}
	waiters(t, &b.gate, n)
	b.Abort()
	for range n {
		if err := <-errs; !errors.Is(err, mperr.ErrClosed) {
			t.Errorf("aborted: %v", err)
		}
	}
	if _, err := b.Lock(context.Background()); !errors.Is(err, mperr.ErrClosed) {
		t.Errorf("Lock after Abort: %v", err)
	}
	// Nobody else noticed.
	a.Unlock()
	mustLock(t, a)
	a.Unlock()
}

// More locks than one keeper holds, in a moving window: the keepers' threads
// do not grow in number.
func TestKeepersAreReused(t *testing.T) {
	m := newMemory(t)
	const window, total = 2 * maxHeld / 3 * 2, 20_000
	locks := make([]*Lock, window+1)
	for i := range locks {
		locks[i] = m.lock(8 + 2*i)
	}
	for i := range total {
		l := locks[i%len(locks)]
		if i >= len(locks)-1 && !locks[(i+1)%len(locks)].Unlock() {
			t.Fatal("lost a lock")
		}
		if ok, died, err := l.TryLock(); !ok || died || err != nil {
			t.Fatal(i, ok, died, err)
		}
	}
	for _, l := range locks {
		l.Unlock()
	}
	keeperMu.Lock()
	defer keeperMu.Unlock()
	if len(all) > 4 {
		t.Errorf("%d keepers for %d locks at a time", len(all), window)
	}
	for _, k := range all {
		if k.held != 0 || k.last != nil || k.head.first != uint64(addressOf(&k.head)) || k.head.pending != 0 {
			t.Errorf("a keeper holds %d, list %#x", k.held, k.head.first)
		}
	}
}

func BenchmarkLockUnlock(b *testing.B) {
	l := newMemory(b).lock(8)
	ctx := context.Background()
	for range b.N {
		_, _ = l.Lock(ctx)
		l.Unlock()
	}
}
