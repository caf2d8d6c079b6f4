//go:build linux

package pool_test

import (
	"context"
	"errors"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"multiproc/mp"
	"multiproc/mptest"
	"multiproc/pool"
)

// A limit holds also for an item right behind others, of which the pool has not been
// told yet that they are done.
func TestTimeoutRightBehindOthers(t *testing.T) {
	p := newPool(t, pool.Options{Workers: 1})
	call := pool.Call{Chunk: 1, Timeout: 300 * time.Millisecond, Grace: time.Millisecond}
	for range 2 {
		items := make([]victim, 200)
		items[150].How = "busy"
		i := 0
		for _, err := range Meet.Map(t.Context(), p.With(call), slices.Values(items)) {
			if (i == 150) != errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("item %d: %v", i, err)
			}
			i++
		}
		if i != len(items) {
			t.Errorf("%d of %d", i, len(items))
		}
	}
}

type block [4 << 10]byte

func exits(_ context.Context, n int) (block, error) {
	if n%10 == 3 {
		os.Exit(4)
	}
	return block{byte(n)}, nil
}

var Exits = mp.Func(exits)

// An item whose result has no room costs itself when its worker dies, and not one
// worker after the other.
func TestDeathWithoutRoom(t *testing.T) {
	p := newPool(t, pool.Options{Workers: 2})
	i := 0
	for r, err := range Exits.Map(t.Context(), p, upTo(50)) {
		var died *pool.WorkerDiedError
		if (i%10 == 3) != errors.As(err, &died) || err == nil && r[0] != byte(i) {
			t.Errorf("item %d: %v", i, err)
		}
		i++
	}
	if i != 50 {
		t.Error(i)
	}
	var died *pool.WorkerDiedError
	if _, err := Exits.RunOn(t.Context(), p, 3); !errors.As(err, &died) {
		t.Error(err)
	}
}

func mayGoexit(_ context.Context, n int) (int, error) {
	if n%1000 == 507 {
		runtime.Goexit()
	}
	return n, nil
}

var MayGoexit = mp.Func(mayGoexit)

// An item that ends its goroutine does not move the arguments of the others.
func TestGoexitAmongOthers(t *testing.T) {
	p := newPool(t, pool.Options{Workers: 2})
	i := 0
	for r, err := range MayGoexit.Map(t.Context(), p, upTo(20_000)) {
		if failed := i%1000 == 507; failed != (err != nil) || !failed && r != i {
			t.Fatalf("item %d: %d, %v", i, r, err)
		}
		i++
	}
}

// Items with a key are answered when no worker can begin, too.
func TestKeysWithoutWorkers(t *testing.T) {
	p := newPool(t, pool.Options{Workers: 1, Setup: []pool.Setup{Unready.With("error")}, Start: mp.StartOptions{Stderr: discard{}}})
	n := 0
	call := pool.Call{Key: func(any) string { return "k" }}
	for _, err := range Meet.Map(t.Context(), p.With(call), slices.Values(make([]victim, 5))) {
		if !errors.Is(err, os.ErrNotExist) {
			t.Error(err)
		}
		n++
	}
	if n != 5 {
		t.Error(n)
	}
}

// A pool whose workers have all ended for want of work starts one for an item of an
// input that waits for its result.
func TestIdleInput(t *testing.T) {
	p := newPool(t, pool.Options{Workers: 2, Idle: time.Millisecond})
	next := make(chan int, 1)
	next <- 0
	for r, err := range Increment.Map(t.Context(), p, func(yield func(int) bool) {
		for n := range next {
			if !yield(n) {
				return
			}
		}
	}) {
		if err != nil {
			t.Fatal(err)
		}
		if r == 5 {
			close(next)
			continue
		}
		mptest.Eventually(t, func() bool { return len(p.Stats().Workers) == 0 }, "all workers have ended")
		next <- r
	}
}

// RunOn returns when its context ends, also if the item does not care.
func TestRunOnLeaves(t *testing.T) {
	p := newPool(t, pool.Options{Workers: 1})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := Meet.RunOn(ctx, p.With(pool.Call{Grace: time.Second}), victim{How: "busy"})
	if st := p.Stats(); !errors.Is(err, context.DeadlineExceeded) || st.Deaths != 0 {
		t.Errorf("%v\n%v", err, st)
	}
}

// A worker that is stopped while it is idle does not keep an item.
func TestStoppedWhileIdle(t *testing.T) {
	p := newPool(t, pool.Options{Workers: 2})
	mptest.Eventually(t, func() bool {
		w := p.Stats().Workers
		return len(w) == 2 && w[0].State == "idle" && w[1].State == "idle"
	}, "both workers are idle")
	pid := p.Stats().Workers[0].PID
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		if r, err := Increment.RunOn(t.Context(), p, i); r != i+1 || err != nil {
			t.Error(r, err)
		}
	}
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
}

// A smaller pool keeps the workers that it has.
func TestSmaller(t *testing.T) {
	p := newPool(t, pool.Options{Workers: 4})
	mptest.Eventually(t, func() bool { return len(p.Stats().Workers) == 4 }, "there are four workers")
	if err := p.Resize(2); err != nil {
		t.Fatal(err)
	}
	mptest.Eventually(t, func() bool { return len(p.Stats().Workers) == 2 }, "there are two workers")
	st := p.Stats()
	for _, w := range st.Workers {
		if n := strings.TrimPrefix(w.Name, "worker-"); n > "4" {
			t.Errorf("%s was started\n%v", w.Name, st)
		}
	}
}

// A loop that is left stops its input at the next value.
func TestInputStops(t *testing.T) {
	p := newPool(t, pool.Options{Workers: 1})
	taken := make(chan int)
	left := make(chan bool, 1)
	for range Increment.Map(t.Context(), p, func(yield func(int) bool) {
		for n := 0; yield(n); n++ {
			if n > 0 {
				taken <- n
			}
		}
		left <- true
	}) {
		break
	}
	n := 0
	for done := false; !done; {
		select {
		case <-taken:
			n++
		case done = <-left:
		}
	}
	if n > 2 {
		t.Errorf("%d more values were taken", n)
	}
}

// A panic of Key comes out of the call, and leaves nothing behind.
func TestKeyPanics(t *testing.T) {
	p := newPool(t, pool.Options{Workers: 1})
	ex := p.With(pool.Call{Key: func(any) string { panic("no key") }})
	for _, call := range []func(){
		func() { _, _ = Increment.RunOn(t.Context(), ex, 1) },
		func() {
			for range Increment.Map(t.Context(), ex, upTo(3)) {
			}
		},
	} {
		func() {
			defer func() {
				if r := recover(); r != "no key" {
					t.Errorf("%v", r)
				}
			}()
			call()
		}()
	}
	if err := p.Close(); err != nil { // which waits for calls
		t.Error(err)
	}
}
