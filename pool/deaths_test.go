//go:build linux

package pool_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"multiproc/mp"
	"multiproc/mptest"
	"multiproc/pool"
)

// victim is an item that ends its worker in some way, or does not.
type victim struct {
	N   int
	How string
}

var (
	sink []byte
	busy atomic.Int64
)

func meet(ctx context.Context, v victim) (int, error) {
	switch v.How {
	case "":
	case "SIGKILL":
		kill(syscall.SIGKILL)
	case "SIGSEGV":
		address := uintptr(0xdead0000)
		**(**int)(unsafe.Pointer(&address)) = 1
	case "exit":
		os.Exit(7)
	case "goroutine":
		go func() { panic("elsewhere") }()
		select {}
	case "Goexit":
		runtime.Goexit()
	case "stdout":
		fmt.Fprintln(os.Stderr, "my last words")
		_, _ = os.Stdout.Close(), os.Stderr.Close()
		os.Exit(8)
	case "memory":
		for {
			sink = append(sink, make([]byte, 16<<20)...)
			for i := 0; i < len(sink); i += 4096 {
				sink[i] = 1
			}
		}
	case "hoard":
		for {
			sink = append(sink, make([]byte, 1<<20)...)
			for i := 0; i < len(sink); i += 4096 {
				sink[i]++
			}
		}
	case "system call for a while":
		pause := syscall.NsecToTimespec(int64(50 * time.Millisecond))
		return v.N, syscall.Nanosleep(&pause, nil)
	case "system call":
		r, w, err := os.Pipe()
		if err != nil {
			return 0, err
		}
		defer w.Close()
		_, err = syscall.Read(int(r.Fd()), make([]byte, 1))
		return 0, err
	case "SIGSTOP":
		kill(syscall.SIGSTOP)
		select {} // the signal may reach another thread first
	case "busy":
		for n := 0; ; n++ {
			busy.Store(int64(n))
		}
	case "patient":
		<-ctx.Done()
		return 0, context.Cause(ctx)
	}
	return v.N, nil
}

func kill(sig syscall.Signal) { _ = syscall.Kill(os.Getpid(), sig) }

var Meet = mp.Func(meet)

// The table of deaths, after that of loky's tests (loky/tests/test_reusable_executor.py):
// whatever becomes of a worker, it costs the item that it ran, which says what has
// happened, and no other; and the pool goes on.
func TestDeaths(t *testing.T) {
	for _, test := range []struct {
		how   string
		limit time.Duration
		check func(*testing.T, error)
	}{
		{"SIGKILL", 0, signalled(syscall.SIGKILL)},
		{"SIGSEGV", 0, crashed("segmentation violation")},
		{"exit", 0, exited(7)},
		{"goroutine", 0, crashed("panic: elsewhere")},
		{"Goexit", 0, remote("runtime.Goexit was called")},
		{"stdout", 0, exited(8)},
		{"memory", 0, starved},
		{"system call", 300 * time.Millisecond, timedOut},
		{"SIGSTOP", 300 * time.Millisecond, timedOut},
		{"busy", 300 * time.Millisecond, timedOut},
		{"patient", 300 * time.Millisecond, remote("context deadline exceeded")},
	} {
		t.Run(test.how, func(t *testing.T) {
			t.Parallel()
			o := pool.Options{Workers: 2, Start: mp.StartOptions{Stderr: discard{}}}
			if test.how == "memory" {
				if raceEnabled {
					t.Skip("the race detector wants more memory than the limit")
				}
				o.Start.MemoryLimit = 64 << 20
			}
			p := newPool(t, o)
			const n, bad = 40, 13
			items := make([]victim, n)
			for i := range items {
				items[i].N = i
			}
			items[bad].How = test.how
			grace := 50 * time.Millisecond
			if test.how == "patient" {
				grace = time.Hour
			}
			ex := p.With(pool.Call{Chunk: 10, Timeout: test.limit, Grace: grace})
			for range 2 { // the second time the pool has lost a worker
				i := 0
				for r, err := range Meet.Map(t.Context(), ex, slices.Values(items)) {
					switch {
					case i == bad:
						test.check(t, err)
						var item *mp.ItemError
						if !errors.As(err, &item) || item.Index != bad {
							t.Errorf("%v", err)
						}
					case err != nil || r != i:
						t.Errorf("item %d: %d, %v", i, r, err)
					}
					i++
				}
				if i != n {
					t.Errorf("%d results of %d", i, n)
				}
			}
		})
	}
}

func died(t *testing.T, err error) *pool.WorkerDiedError {
	t.Helper()
	var d *pool.WorkerDiedError
	if !errors.As(err, &d) {
		t.Fatalf("%v", err)
	}
	if d.PID == 0 || d.Worker == "" || d.Task != Meet.Name() || d.Index != 13 {
		t.Errorf("%#v", d)
	}
	return d
}

func signalled(sig syscall.Signal) func(*testing.T, error) {
	return func(t *testing.T, err error) {
		t.Helper()
		if d := died(t, err); d.State.Signal != sig || d.Cause != nil {
			t.Errorf("%#v", d)
		}
	}
}

func exited(code int) func(*testing.T, error) {
	return func(t *testing.T, err error) {
		t.Helper()
		d := died(t, err)
		if d.State.ExitCode != code {
			t.Errorf("%v", d)
		}
		if code == 8 && d.Stderr != "my last words\n" {
			t.Errorf("its last words were %q", d.Stderr)
		}
	}
}

func crashed(text string) func(*testing.T, error) {
	return func(t *testing.T, err error) {
		t.Helper()
		if d := died(t, err); !strings.Contains(d.Error(), text) {
			t.Errorf("%v\n%s", d, d.Exit.Crash)
		}
	}
}

func starved(t *testing.T, err error) {
	t.Helper()
	if d := died(t, err); !d.OutOfMemory || d.Limit != 64<<20 || !strings.Contains(d.Error(), "out of memory") {
		t.Errorf("%v\n%s", d, d.Exit.Crash)
	}
}

func remote(text string) func(*testing.T, error) {
	return func(t *testing.T, err error) {
		t.Helper()
		var r *mp.RemoteError
		if !errors.As(err, &r) || !strings.Contains(r.Message, text) {
			t.Errorf("%v", err)
		}
	}
}

func timedOut(t *testing.T, err error) {
	t.Helper()
	d := died(t, err)
	if !errors.Is(err, context.DeadlineExceeded) || d.State.Signal != syscall.SIGKILL {
		t.Errorf("%v", d)
	}
}

// An idle worker that is killed is replaced, and nobody hears of it.
func TestIdleWorkerKilled(t *testing.T) {
	p := newPool(t, pool.Options{Workers: 2})
	for round := range 5 {
		if _, err := Increment.RunOn(t.Context(), p, 1); err != nil {
			t.Fatal(err)
		}
		for _, w := range p.Stats().Workers {
			if w.PID != 0 {
				_ = syscall.Kill(w.PID, syscall.SIGKILL)
			}
		}
		for i := range 10 {
			if r, err := Increment.RunOn(t.Context(), p, i); err != nil || r != i+1 {
				t.Fatal(round, r, err)
			}
		}
	}
}

var Unready = pool.NewState(func(_ context.Context, how string) (int, error) {
	switch how {
	case "error":
		return 0, fmt.Errorf("no model: %w", os.ErrNotExist)
	case "panic":
		panic("no model")
	case "SIGKILL":
		kill(syscall.SIGKILL)
	}
	return len(how), nil
})

func ready(context.Context, mp.None) (int, error) { return Unready.Get(), nil }

var Ready = mp.Func(ready)

// A pool whose workers cannot begin answers, and does not hang.
func TestSetupFails(t *testing.T) {
	for how, want := range map[string]func(error) bool{
		"error":   func(err error) bool { return errors.Is(err, os.ErrNotExist) },
		"panic":   func(err error) bool { return strings.Contains(err.Error(), "no model") },
		"SIGKILL": func(err error) bool { return strings.Contains(err.Error(), "killed") },
	} {
		t.Run(how, func(t *testing.T) {
			p := newPool(t, pool.Options{Workers: 2, Setup: []pool.Setup{Unready.With(how)}, Start: mp.StartOptions{Stderr: discard{}}})
			for range 2 {
				if _, err := Ready.RunOn(t.Context(), p, mp.None{}); err == nil || !want(err) {
					t.Errorf("%v", err)
				}
			}
		})
	}
}

// closing is a state that says when it is closed.
type closing struct{ q *mp.Queue[string] }

func (c closing) Close() error { return c.q.Put(context.Background(), "closed") }

var Closing = pool.NewState(func(_ context.Context, q *mp.Queue[string]) (closing, error) { return closing{q}, nil })

func TestStateIsClosed(t *testing.T) {
	q, err := mp.NewQueue[string](10)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	p := newPool(t, pool.Options{Workers: 1, Setup: []pool.Setup{Closing.With(q)}})
	if _, err := Increment.RunOn(t.Context(), p, 1); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err := q.TryGet(t.Context()); s != "closed" || err != nil {
		t.Errorf("%q, %v", s, err)
	}
}

// Stop with a context that has ended kills, and may be followed by anything.
func TestStopAtOnce(t *testing.T) {
	for range 5 {
		p, err := pool.New(pool.Options{Workers: 2, Setup: []pool.Setup{Unready.With("four")}, Start: mp.StartOptions{Stderr: discard{}}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Meet.RunOn(t.Context(), p, victim{How: "exit"}); err == nil {
			t.Error("it did not exit")
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := p.Stop(ctx); err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		for range 2 {
			if err := p.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// Many submitted items that wait cost no more each than one that does.
func TestManySubmitted(t *testing.T) {
	p := newPool(t, pool.Options{Workers: 2})
	const n = 20_000
	futures := make([]*mp.Future[int], n)
	for i := range futures {
		f, err := Increment.Submit(t.Context(), p, i)
		if err != nil {
			t.Fatal(err)
		}
		futures[i] = f
	}
	for i, f := range futures {
		if r, err := f.Result(t.Context()); r != i+1 || err != nil {
			t.Fatal(i, r, err)
		}
	}
}

func TestState(t *testing.T) {
	p := newPool(t, pool.Options{Workers: 2, Setup: []pool.Setup{Unready.With("four")}})
	for range 4 {
		if n, err := Ready.RunOn(t.Context(), p, mp.None{}); n != 4 || err != nil {
			t.Error(n, err)
		}
	}
}

// Retries: at most once by default, at least once if wanted, and not for ever.
func TestRetry(t *testing.T) {
	p := newPool(t, pool.Options{Workers: 2, Start: mp.StartOptions{Stderr: discard{}}})
	for _, test := range []struct {
		name   string
		retry  pool.Retry
		how    string
		deaths int
	}{
		{"never", pool.Retry{}, "SIGKILL", 1},
		{"once", pool.Retry{Max: 1}, "SIGKILL", 2},
		{"poison", pool.Retry{Max: 100}, "SIGKILL", 3},
		{"a fault", pool.Retry{Max: 100}, "SIGSEGV", 1},
		{"a fault all the same", pool.Retry{Max: 1, If: func(*pool.WorkerDiedError) bool { return true }}, "SIGSEGV", 2},
		{"with backoff", pool.Retry{Max: 1, Backoff: time.Millisecond}, "SIGKILL", 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := Meet.RunOn(t.Context(), p.With(pool.Call{Retry: test.retry}), victim{How: test.how})
			var d *pool.WorkerDiedError
			if !errors.As(err, &d) || d.Deaths != test.deaths {
				t.Errorf("%v", err)
			}
		})
	}
}

// Close waits for an item that does not end; Stop ends it.
func TestStopEndsWhatCloseWaitsFor(t *testing.T) {
	p, err := pool.New(pool.Options{Workers: 1, Start: mp.StartOptions{Grace: 10 * time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	f, err := Meet.Submit(t.Context(), p, victim{How: "busy"})
	if err != nil {
		t.Fatal(err)
	}
	mptest.Eventually(t, func() bool { return p.Stats().Running == 1 }, "the item runs")
	closed := make(chan error)
	go func() { closed <- p.Close() }()
	mptest.Eventually(t, func() bool {
		_, err := Increment.Submit(t.Context(), p, 1)
		return errors.Is(err, pool.ErrClosed)
	}, "the pool takes no more items")
	select {
	case <-closed:
		t.Fatal("Close did not wait")
	default:
	}
	if err := p.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if _, err := f.Result(t.Context()); !errors.Is(err, pool.ErrStopped) {
		t.Error(err)
	}
}
