//go:build linux

package mp_test

import (
	"context"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"multiproc/mp"
)

func TestMutex(t *testing.T) { everywhere(t, testMutex) }

func testMutex(t *testing.T, in ...mp.Option) {
	m := mutex(t, in...)
	if get(m.Owner(t.Context()))(t) != 0 {
		t.Errorf("a new mutex is held by %d", get(m.Owner(t.Context()))(t))
	}
	must(t, m.Lock(t.Context()))
	if get(m.Owner(t.Context()))(t) != os.Getpid() {
		t.Errorf("held by %d", get(m.Owner(t.Context()))(t))
	}
	if ok, err := m.TryLock(t.Context()); ok || err != nil {
		t.Errorf("TryLock of a held one: %v, %v", ok, err)
	}
	wantErr(t, "Lock", m.Lock(within(t, short)), context.DeadlineExceeded)
	other := make(chan int)
	go func() { m.Unlock(); close(other) }() // any goroutine may
	<-other
	wantPanic(t, "does not hold", m.Unlock)
	if ok, err := m.TryLock(t.Context()); !ok || err != nil {
		t.Errorf("TryLock of a free one: %v, %v", ok, err)
	}
	m.Unlock()
}

// Guard adds without atomics under a mutex.
var Guard = mp.Proc(func(ctx context.Context, g guard) error {
	for range g.N {
		if err := g.M.Lock(ctx); err != nil {
			return err
		}
		g.A.Elements()[0]++
		g.M.Unlock()
	}
	return nil
}, mp.Named("guard"))

type guard struct {
	N int
	M *mp.Mutex
	A *mp.RawArray[int]
}

func TestMutexExcludes(t *testing.T) {
	g := guard{3000, mutex(t), closing(t, get(mp.NewRawArray[int](1))(t))}
	var running []mp.Child
	for range 3 {
		running = append(running, start(t, Guard, g))
	}
	for _, p := range running {
		finish(t, p)
	}
	if n := g.A.Load(0); n != 9000 {
		t.Errorf("%d, want 9000", n)
	}
}

// Grab takes a mutex and ends as told, without Unlock.
var Grab = mp.Proc(func(ctx context.Context, g grab) error {
	if err := g.M.Lock(ctx); err != nil {
		return err
	}
	g.Held.Add(1)
	if g.Stay {
		<-ctx.Done()
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	return nil
}, mp.Named("grab"))

type grab struct {
	M    *mp.Mutex
	Held *mp.Counter
	Stay bool
}

func TestMutexOwnerDies(t *testing.T) {
	for _, killed := range []bool{true, false} {
		m, held := mutex(t), counter(t, 0)
		p := start(t, Grab, grab{m, held, killed})
		eventually(t, held, 1)
		waiting := make(chan error)
		go func() { waiting <- m.Lock(context.Background()) }()
		if killed {
			if get(m.Owner(t.Context()))(t) != p.PID() {
				t.Errorf("held by %d, want %d", get(m.Owner(t.Context()))(t), p.PID())
			}
			must(t, p.Kill())
		}
		var died *mp.OwnerDiedError
		if err := <-waiting; !errors.As(err, &died) || died.PID != p.PID() || died.Object != "mutex" {
			t.Fatalf("got %v, want the death of %d", err, p.PID())
		}
		if ok, err := m.TryLock(t.Context()); ok || !errors.As(err, &died) {
			t.Errorf("TryLock: %v, %v", ok, err)
		}
		wantErr(t, "a Repair that fails", m.Repair(t.Context(), func() error { return errMine }), errMine)
		if err := m.Lock(t.Context()); !errors.As(err, &died) {
			t.Errorf("Lock after it: %v", err)
		}
		must(t, m.Repair(t.Context(), func() error {
			if get(m.Owner(t.Context()))(t) != os.Getpid() {
				t.Errorf("during the repair held by %d", get(m.Owner(t.Context()))(t))
			}
			return nil
		}))
		must(t, m.Lock(t.Context()))
		m.Unlock()
	}
}

// Of two simultaneous Unlocks one gives the lock back, and the other panics.
func TestMutexUnlockTwice(t *testing.T) {
	m := mutex(t)
	for range 3000 {
		must(t, m.Lock(t.Context()))
		var start, done sync.WaitGroup
		var panics atomic.Int32
		start.Add(1)
		for range 2 {
			done.Go(func() {
				defer func() {
					if recover() != nil {
						panics.Add(1)
					}
				}()
				start.Wait()
				m.Unlock()
			})
		}
		start.Done()
		done.Wait()
		if panics.Load() != 1 {
			t.Fatalf("%d of two Unlocks panicked", panics.Load())
		}
	}
}
